#!/bin/bash
# One host of marsearch per array task, with a slot for each GPU that it is given, or for each core:
#
#     sbatch examples/cluster/slurm.sh STUDY [options of `marsearch work`]
#
# --array=0-11%4 is up to four nodes at a time, and three time limits in a row: when a task reaches its limit, the next
# one goes on with its trials; once the study is finished, those that are left end within seconds, with status 0.
# What is written below can be said otherwise on the command line: sbatch --array=0-31%8 --gpus-per-node=4 ...
#
#SBATCH --job-name=marsearch
#SBATCH --array=0-11%4
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --mem=32G
#SBATCH --time=04:00:00
# A minute before the limit the host is asked to leave, which takes it ten seconds; B: means this script.
#SBATCH --signal=B:TERM@60
# A task that is preempted, or whose node dies, is queued again.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=marsearch-%A_%a.log

set -euo pipefail

if [ "$#" -lt 1 ]; then
    echo "usage: sbatch examples/cluster/slurm.sh STUDY [options of marsearch work]" >&2
    exit 2
fi

# MARSEARCH_STORAGE, MARSEARCH_ARTIFACTS and the credentials, one `export NAME=value` a line. Neither this script, which
# Slurm keeps, nor a command line, which everyone on the node sees, is the place for them: chmod 600 this file.
settings="${MARSEARCH_SETTINGS:-$HOME/.config/marsearch/settings.sh}"
if [ -r "$settings" ]; then
    # shellcheck source=/dev/null
    . "$settings"
fi
: "${MARSEARCH_STORAGE:?set MARSEARCH_STORAGE, for example in $settings}"
: "${MARSEARCH_ARTIFACTS:?set MARSEARCH_ARTIFACTS, for example in $settings}"

# On the node's own disk: data and checkpoints pass through it, nothing is lost with it.
export MARSEARCH_HOME="${MARSEARCH_HOME:-${TMPDIR:-/tmp}/marsearch-$(id -u)}"

# Where cores are not bound to tasks, the host would see those of the whole node.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}"

# exec: Slurm's signals then reach marsearch, and its exit status Slurm: 0 finished or asked to leave, 1 failure, 2
# wrong use, or a database that does not answer.
exec marsearch work "$@"
