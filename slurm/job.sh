# Sourced by every job, with the commit that it is for: settings, environment, `resumable COMMAND`.
set -euo pipefail
commit=$1
source slurm/cluster.env
clone=   # what a job removes when it ends
ended() {
    echo "== status $?, $SECONDS s, ${SLURMD_NODENAME:-$(hostname)}"   # read by `status`
    rm -rf "$clone"
}
trap ended EXIT
eval "$SETUP"
root=$PWD
export GUESS_OR_RECALL_SCRATCH=$root/.scratch WANDB_DIR=$root   # of all clones, on every node
if [ "$(git rev-parse HEAD)" != "$commit" ]; then
    echo "error in $SLURM_JOB_NAME: submitted at commit $commit, which is checked out no more:" \
        "check it out, or submit again"
    exit 1
fi

# At the time limit the job is queued again. (A command in the foreground is waited for first.)
child=
trap 'interrupt 60; again' USR1
trap 'interrupt 20; exit 143' TERM

# A command that goes on where it was interrupted.
resumable() {
    set -m   # in a process group of its own, which does not ignore Ctrl-C
    "$@" &
    child=$!
    set +m
    wait "$child"
}

interrupt() {
    [ -n "$child" ] && kill -INT -- "-$child" 2>/dev/null || return 0
    for ((wait = $1; wait > 0; wait--)); do
        kill -0 -- "-$child" 2>/dev/null || return 0
        sleep 1
    done
    kill -KILL -- "-$child"
}

again() {
    trap '' TERM   # with which SLURM ends a job that is queued again
    echo "time limit: queued again"
    rm -rf "$clone"
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60
    exit 1
}
