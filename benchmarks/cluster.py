"""The chain of jobs on a SLURM of four nodes on this machine: `python benchmarks/cluster.py`.

    chain      the micro study and 16 variants: submitted to four nodes, and without a cluster
    overhead   what a task adds to the stages of its variant
    many 200   so many micro variants through the queue: how many experiments come out
    limit      two variants that need longer than their time limit: how often they are queued again

Needs root and Debian's packages slurm-wlm and munge. Times are of this machine's cores, which all
four nodes share.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd

from tests.conftest import commit, must, new_repository
from tests.servers import configure, no_slurm, slurm

SEEDS = "trees: [{{taxonomy: [guess, recite], train.seed: [{}]}}]\n"
SETTINGS = {"CPUS": "1", "MEMORY": "1G", "PARTS": "2", "SETUP": '""'}


LIMIT = {"TIME": "3", "NOTICE": "90"}  # the notice comes after 30 to 90 seconds


def repository(folder: Path, variants: int, epochs: int = 2, **settings: str) -> Path:
    """A new repository on the micro profile with a sweep of so many variants, nothing run."""
    study = new_repository(folder)
    params = (study / "params.yaml").read_text()
    (study / "params.yaml").write_text(params.replace("epochs: 2\n", f"epochs: {epochs}\n"))
    (study / "sweeps.yaml").write_text(SEEDS.format(", ".join(map(str, range(variants // 2)))))
    configure(study, **SETTINGS, **settings)
    commit(study)
    return study


def by_cluster(folder: Path, variables: dict[str, str]) -> float:
    """Seconds of the chain, from its submission until the queue is empty."""
    begun = time.perf_counter()
    must(folder, "python", "src/run.py", "submit", "trees", **variables)
    while must(folder, "squeue", "--noheader", **variables).strip():
        time.sleep(1)
    return time.perf_counter() - begun


def by_sweep(folder: Path) -> float:
    """Seconds of the same as one machine does it: the pipeline, then `sweep` and `tables`."""
    begun = time.perf_counter()
    must(folder, "dvc", "repro")
    commit(folder)
    must(folder, "python", "src/run.py", "sweep", "trees")
    must(folder, "python", "src/run.py", "tables", "trees")
    return time.perf_counter() - begun


def counts(folder: Path) -> dict[str, float]:
    """Experiments, their distinct results, and the mean seconds of a task."""
    refs = must(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    logs = list((folder / ".scratch/slurm").glob("*/variants-*.log"))
    taken = [int(re.findall(r"^== status 0, (\d+) s", log.read_text(), re.M)[-1]) for log in logs]
    rows = pd.read_csv(folder / "results/trees.csv")["seeds"].sum()
    return {
        "experiments": len([ref for ref in refs if len(ref.split("/")) == 5]),
        "in_tables": int(rows),
        "task_s": round(sum(taken) / len(taken), 1),
    }


def restarts(folder: Path) -> dict[str, list]:
    """For each variant: the steps at which its attempts began, and how often its limit came."""
    logs = sorted((folder / ".scratch/slurm").glob("*/variants-*.log"))
    attempts = [log.read_text().split("== begun")[1:] for log in logs]
    begun = [
        [int(re.findall(r"CNNs:.*?(\d+)/\d+ ", text)[0]) for text in attempt]
        for attempt in attempts
    ]
    notices = [attempt.count("time limit: queued again") for attempt in map(Path.read_text, logs)]
    return {"attempts_begin_at_step": begun, "queued_again": notices}


def stages_of(folder: Path) -> float:
    """Seconds of the stages that a task runs, alone."""
    begun = time.perf_counter()
    for stage in ("label", "train", "evaluate"):
        must(folder, "python", "src/run.py", stage)
    return time.perf_counter() - begun


def main() -> None:
    """Print one line of JSON for each measurement."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument(
        "what", choices=["chain", "overhead", "many", "limit"], nargs="?", default="chain"
    )
    asked.add_argument("variants", type=int, nargs="?", default=16)
    arguments = asked.parse_args()
    if no_slurm():
        sys.exit(no_slurm())
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        is_limit = arguments.what == "limit"
        count = 2 if is_limit or arguments.what == "overhead" else arguments.variants
        attempted = repository(
            base / "one", count, **({"epochs": 1500, **LIMIT} if is_limit else {})
        )
        with slurm(base / "slurm") as variables:
            taken = by_cluster(attempted, variables)
        assert counts(attempted)["experiments"] == counts(attempted)["in_tables"] == count, (
            "some were lost"
        )
        figures = {"variants": count, "four_nodes_s": round(taken), **counts(attempted)}
        if arguments.what == "chain":
            sequential = repository(base / "other", count)
            figures["sweep_s"] = round(by_sweep(sequential))
        if arguments.what == "overhead":
            figures["stages_s"] = round(stages_of(attempted), 1)
        if is_limit:
            figures |= restarts(attempted)
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
