"""What DVC adds to a variant: `python benchmarks/overhead.py`.

Runs the stages of a sweep's variant with little training (100 sequences a class, one epoch) by
hand, then `dvc exp run --temp` of the same, in a clone that shares this repository's cache: with
its outputs copied from the cache, as DVC does by default, and with hard links. Needs a finished
`dvc repro`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.sweep.declare import overlaid

ROOT = Path(__file__).parents[1]
STAGES = ("label", "train", "evaluate")
SMALL = {"samples.train": 100, "samples.eval": 50, "train.epochs": 1, "train.wandb": "disabled"}
ROUNDS = 3


def seconds(command: list[str], folder: Path, **variables: str) -> float:
    """Wall-clock time of a command that must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    begun = time.perf_counter()
    ran = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path} | variables,
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return time.perf_counter() - begun


def clone_into(folder: Path) -> None:
    """Clone HEAD, with the cache of this repository."""
    seconds(["git", "clone", "-q", str(ROOT), str(folder)], ROOT)
    seconds(["dvc", "config", "--local", "cache.dir", str(ROOT / ".dvc" / "cache")], folder)
    seconds(["dvc", "checkout"], folder)


def by_hand(folder: Path) -> float:
    """Time of the four stages alone; params.yaml and outputs are put back."""
    params = folder / "params.yaml"
    params.write_text(dump_yaml(overlaid(read_yaml(params), SMALL)))
    environment = {
        "GUESS_OR_RECALL_SCRATCH": str(folder / ".scratch" / str(time.time()))
    }  # nothing kept
    taken = sum(
        seconds([sys.executable, "src/run.py", stage], folder, **environment) for stage in STAGES
    )
    seconds(["git", "checkout", "-f", "-q"], folder)
    seconds(["dvc", "checkout", "--force"], folder)
    return taken


def by_dvc(folder: Path, seed: int) -> float:
    """Time of the same as an experiment of a seed that was never run."""
    options = [part for k, v in SMALL.items() for part in ("-S", f"{k}={v}")]
    command = ["dvc", "exp", "run", "--temp", *options, "-S", f"train.seed={seed}"]
    command.append(STAGES[-1])
    return seconds(command, folder)


def main() -> None:
    """Print one line of JSON, of the best of some rounds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        clone_into(folder)
        taken = {"stages": [], "copy": [], "hardlink": []}
        first = int(time.time())  # seeds that DVC's run cache has not seen
        for turn in range(ROUNDS):
            taken["stages"].append(by_hand(folder))
            for offset, kind in enumerate(("copy", "hardlink")):
                seconds(["dvc", "config", "--local", "cache.type", kind], folder)
                taken[kind].append(by_dvc(folder, first + 2 * turn + offset))
    best = {name: min(times) for name, times in taken.items()}
    print(json.dumps({f"{name}_s": round(value, 1) for name, value in best.items()}))


if __name__ == "__main__":
    main()
