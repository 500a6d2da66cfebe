#!/bin/sh
# One night of ingestion as a job of a batch system. DOCENT_CONFIG names the settings on a shared file system.
#
# The index: `[index] url` of a database, which any node can write; or a folder on a file system with POSIX locks and
# memory maps, of which one job is the only writer. AFS, EOS and most NFS are none. A job that is killed or moved costs
# what it had not committed: the next one goes on where it was, and a second one beside it ends at once, because the
# index is locked.
set -eu
: "${DOCENT_CONFIG:?set it to the settings file}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"
status=0
"${DOCENT:-docent}" nightly || status=$?
# 1: published, but a source was in trouble; the report says which.
[ "$status" -le 1 ]
