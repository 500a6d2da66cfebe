import json
import subprocess
import sys


def killed(folder, kills: int) -> dict[str, int]:
    command = [
        sys.executable,
        "-m",
        "tests.ingest.crash_driver",
        str(folder),
        "--kills",
        str(kills),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, int] = json.loads(done.stdout)
    return told


def test_an_ingest_killed_at_random_moments_leaves_a_whole_generation(tmp_path):
    """A few moments here; `make bench` tries fifty."""
    assert killed(tmp_path, 6)["moments"] == 6
