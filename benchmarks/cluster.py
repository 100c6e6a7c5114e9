"""The chain of jobs on a SLURM of four nodes on this machine: `python benchmarks/cluster.py`.

    chain      the micro study and 16 variants: submitted to four nodes, and without a cluster
    overhead   what a task adds to the stages of its variant
    many 200   so many micro variants through the queue: how many experiments come out

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

from tests.conftest import commit, must, new_repository
from tests.servers import no_slurm, slurm

SEEDS = "trees: [{{taxonomy: [guess, recite], train.seed: [{}]}}]\n"
SETTINGS = {"CPUS": "1", "MEMORY": "1G", "PARTS": "2", "SETUP": '""'}


def repository(folder: Path, variants: int) -> Path:
    """A new repository on the micro profile with a sweep of so many variants, nothing run."""
    made = new_repository(folder)
    (made / "sweeps.yaml").write_text(SEEDS.format(", ".join(map(str, range(variants // 2)))))
    settings = made / "slurm/cluster.env"
    for key, value in SETTINGS.items():
        text = settings.read_text()
        settings.write_text(re.sub(rf"^{key}=.*", f"{key}={value}", text, flags=re.M))
    commit(made)
    return made


def by_cluster(folder: Path, variables: dict[str, str]) -> float:
    """Seconds of the chain, from its submission until the queue is empty."""
    begun = time.perf_counter()
    must(folder, "python", "src/run.py", "submit", "trees", **variables)
    while must(folder, "squeue", "--noheader", **variables).strip():
        time.sleep(1)
    return time.perf_counter() - begun


def by_hand(folder: Path) -> float:
    """Seconds of the same, one after the other."""
    begun = time.perf_counter()
    must(folder, "dvc", "repro", "attention")
    for line in must(folder, "python", "src/run.py", "sweep", "trees", "--dry-run").splitlines()[
        1:
    ]:
        tree, seed = re.fullmatch(r"(\w+)-.*-seed(\d+)", line).groups()  # pyright: ignore
        changes = ["-S", f"taxonomy={tree}", "-S", f"train.seed={seed}"]
        must(folder, "dvc", "exp", "run", "--temp", "-n", line, *changes, "evaluate")
    must(folder, "dvc", "repro")
    must(folder, "python", "src/run.py", "tables", "trees")
    return time.perf_counter() - begun


def counts(folder: Path) -> dict[str, float]:
    """Experiments, their distinct results, and the mean seconds of a task."""
    refs = must(folder, "git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    logs = list((folder / ".scratch/slurm").glob("*/variants-*.log"))
    taken = [int(re.findall(r"^== status 0, (\d+) s", log.read_text(), re.M)[-1]) for log in logs]
    rows = (folder / "results/trees.csv").read_text().count("\n") - 1
    return {
        "experiments": len([ref for ref in refs if len(ref.split("/")) == 5]),
        "rows": rows,
        "task_s": round(sum(taken) / len(taken), 1),
    }


def stages_of(folder: Path) -> float:
    """Seconds of the stages that a task runs, alone."""
    begun = time.perf_counter()
    for stage in ("label", "train", "evaluate"):
        must(folder, "python", "src/run.py", stage)
    return time.perf_counter() - begun


def main() -> None:
    """Print one line of JSON for each measurement."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("what", choices=["chain", "overhead", "many"], nargs="?", default="chain")
    asked.add_argument("variants", type=int, nargs="?", default=16)
    given = asked.parse_args()
    if no_slurm():
        sys.exit(no_slurm())
    with tempfile.TemporaryDirectory() as temporary:
        base = Path(temporary)
        one = repository(base / "one", 2 if given.what == "overhead" else given.variants)
        with slurm(base / "slurm") as variables:
            taken = by_cluster(one, variables)
        found = {"variants": given.variants, "four_nodes_s": round(taken), **counts(one)}
        if given.what == "chain":
            other = repository(base / "other", given.variants)
            found["sequential_s"] = round(by_hand(other))
        if given.what == "overhead":
            found["stages_s"] = round(stages_of(one), 1)
        print(json.dumps(found))


if __name__ == "__main__":
    main()
