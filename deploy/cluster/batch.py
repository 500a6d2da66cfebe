"""An ingest whose workers are batch jobs: python batch.py slurm|htcondor [--jobs N] [-- ...]

Starts a scheduler in this process, lets the batch system start workers as long as there is work,
and runs `docent ingest` beside it; what stands behind `--` goes to it. The exit status is its own.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import dask.config
from dask_jobqueue import HTCondorCluster, SLURMCluster
from distributed import Security

KINDS = {"slurm": SLURMCluster, "htcondor": HTCondorCluster}


def main() -> int:
    """Run it, and give the workers back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--jobs", type=int, default=20, help="At most so many at once.")
    parser.add_argument("--show", action="store_true", help="Print the job, and start nothing.")
    parser.add_argument("ingest", nargs="*", help="What `docent ingest` is given besides.")
    options = parser.parse_args()
    keys = dask.config.get("distributed.comm.tls.ca-file", None)
    security = Security(require_encryption=True) if keys else None
    # No nanny: a process that it watches may start none of its own, and parsing is done in some.
    with KINDS[options.kind](
        nanny=False, security=security, scheduler_options={"dashboard_address": None}
    ) as cluster:
        if options.show:
            sys.stdout.write(cluster.job_script())
            return 0
        cluster.adapt(minimum_jobs=1, maximum_jobs=options.jobs)
        scheme, _, place = cluster.scheduler_address.partition("://")
        address = f"{'tls' if scheme == 'tls' else 'dask'}://{place}"
        docent = Path(sys.executable).with_name("docent")
        command = [docent, "ingest", "--workers", address, *options.ingest]
        return subprocess.run(command, check=False).returncode  # noqa: S603 # what the caller says


if __name__ == "__main__":
    sys.exit(main())
