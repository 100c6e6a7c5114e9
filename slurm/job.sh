# Sourced by every job, with the commit that it is for: settings, environment, `resumable COMMAND`.
set -eo pipefail
commit=$1
root=$PWD
clone=   # what a job removes when it ends
node=${SLURMD_NODENAME:-$(hostname)}

# A command that goes on where it was interrupted.
resumable() {
    set -m   # in a process group of its own, which does not ignore Ctrl-C
    "$@" &
    set +m
    wait "$!"
}

# DVC in the checkout, one job at a time: its own locks do not see what runs on other nodes.
in_checkout() {
    resumable flock "$GUESS_OR_RECALL_SCRATCH/repro.lock" dvc --wait-for-lock "$@"
}

interrupt() {
    local child=${!:-none}
    kill -INT -- "-$child" 2>/dev/null || return 0
    for ((wait = $1; wait > 0; wait--)); do
        kill -0 -- "-$child" 2>/dev/null || return 0
        sleep 1
    done
    kill -KILL -- "-$child" 2>/dev/null || true   # it may have ended in this moment
}

# At the time limit the job is queued again. (A command in the foreground is waited for first.)
again() {
    trap '' TERM   # with which SLURM ends a job at its limit, or when it is queued again
    interrupt 60
    echo "time limit: queued again"
    rm -rf "$clone"
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60
    exit 1
}

ended() {
    echo "== status $?, $SECONDS s, $node"
    rm -rf "$clone"
}

trap 'again' USR1
trap 'interrupt 20; exit 143' TERM
trap ended EXIT
echo "== begun, $(date -Is), $node"   # this line and that of `ended` are read by `status`
source slurm/cluster.env
eval "$SETUP"
set -u
export GUESS_OR_RECALL_SCRATCH=${GUESS_OR_RECALL_SCRATCH:-$root/.scratch} # of all clones, on all nodes
mkdir -p "$GUESS_OR_RECALL_SCRATCH"
export WANDB_DIR=${WANDB_DIR:-$root}
made=(dvc.lock metrics figures results slurm/cluster.env)   # these may differ
if ! git diff --quiet "$commit" -- . "${made[@]/#/:(exclude)}"; then
    echo "error in ${SLURM_JOB_NAME%%.*}: the files differ from commit $commit, which was submitted:" \
        "check it out, or submit again"
    exit 1
fi
