"""A clone that has pulled all but the attention does not make the attention anew."""

import os

from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import ATTENTION
from guess_or_recall.io.scratch import scratch_root

HEAVY = str(ATTENTION)


def require_heavy(stage: str) -> None:
    """Raise UserError where DVC runs a stage although all that this clone lacks is `HEAVY`.

    DVC has no setting for it: without --allow-missing it runs what lacks an output. Not raised
    where `extract` has begun the work, or where the stage is run without DVC.
    """
    begun = any(scratch_root().glob(f"{stage}-*"))
    if os.environ.get("DVC_STAGE") == stage and not begun and lacking(stage) == {HEAVY}:
        raise UserError(
            f"{HEAVY} is not made again, because all that was made from it is here: `dvc repro "
            f"--allow-missing` does without it, `dvc pull {HEAVY}` fetches it, `gor extract "
            "1/1` makes it for the next run. First, for what DVC has just taken away: `git "
            "checkout metrics/attention.json && dvc checkout --allow-missing`"
        )


def lacking(name: str) -> set[str]:
    """Outputs in dvc.lock that the cache lacks; none if the stage is stale itself."""
    from dvc.repo import Repo  # slow to import

    with Repo() as repo:
        if any(dependency.status() for dependency in repo.stage.load_one(name=name).deps):
            return set()
        outs = [out for stage in repo.index.stages for out in stage.outs if out.use_cache]
        return {out.def_path for out in outs if out.changed_cache()}
