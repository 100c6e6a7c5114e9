"""Time and memory of the default study in a fresh clone: `python benchmarks/pipeline.py`.

Clones HEAD into a temporary folder and runs there, with the environment of this one, what a user
runs: `dvc repro`, `dvc repro` again, and a variant. About 11 minutes on 2 cores.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
VARIANT = ["exp", "run", "-S", "rho=0.4"]


def main() -> None:
    """Print one line for each command and stage."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--keep", type=Path, help="clone into this folder, and leave it there")
    keep = asked.parse_args().keep
    with tempfile.TemporaryDirectory() as temporary:
        clone = keep or Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
        measure(["dvc", "repro"], clone)
        changed = subprocess.run(
            ["dvc", "metrics", "diff", "HEAD"],
            cwd=clone,
            capture_output=True,
            text=True,
            check=True,
        )
        print("all metrics against those committed:", changed.stdout.strip() or "equal")
        for command in (["repro"], VARIANT):
            measure(["dvc", *command], clone)


def measure(command: list[str], folder: Path) -> None:
    """Run a command; print its time, that of each stage, and the peak memory of all processes."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    peak, stages = [0], []
    watcher = threading.Thread(target=watch, args=(process.pid, peak))
    watcher.start()
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.match(r"Running stage '(\w+)'", line):
            stages.append((match[1], time.monotonic()))
    if process.wait():
        sys.exit(f"{' '.join(command)} failed")
    watcher.join()
    ended = time.monotonic()
    print(f"{' '.join(command)}: {ended - started:.1f} s, {peak[0] / 1e9:.2f} GB at most")
    ends = [moment for _, moment in stages[1:]] + [ended]
    for (name, moment), end in zip(stages, ends, strict=False):
        print(f"    {name:<10} {end - moment:6.1f} s")


def watch(pid: int, peak: list[int]) -> None:
    """Keep the largest sum of resident memory over a process and all below it."""
    while psutil.pid_exists(pid):
        try:
            root = psutil.Process(pid)
            family = [root, *root.children(recursive=True)]
            if root.status() == psutil.STATUS_ZOMBIE:
                return
            peak[0] = max(peak[0], sum(resident(member) for member in family))
        except psutil.NoSuchProcess:
            return
        time.sleep(0.1)


def resident(process: psutil.Process) -> int:
    """Resident bytes of a process, none where it has just ended."""
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    main()
