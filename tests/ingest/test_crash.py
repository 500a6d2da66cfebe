import json
import subprocess
import sys


def killed(folder, *options: str, driver: str = "crash_driver") -> dict[str, int]:
    command = [sys.executable, "-m", f"tests.ingest.{driver}", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, int] = json.loads(done.stdout)
    return told


def test_an_ingest_killed_at_random_moments_leaves_a_whole_generation(tmp_path):
    """A few moments here; `make bench` tries fifty."""
    assert killed(tmp_path, "--kills", "6")["moments"] == 6


def test_a_crawl_killed_at_random_moments_goes_on_and_asks_for_few_pages_twice(tmp_path):
    """A small site here; `make bench` crawls 2,000 pages and kills 30 times."""
    told = killed(tmp_path, "--pages", "120", "--kills", "4", driver="crawl_driver")
    assert told["pages"] == 120
    assert told["asked_twice"] <= told["kills"]
