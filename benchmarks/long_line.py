"""Memory of the stage `sequences` on a corpus of one long line, and on a short one.

    PYTHONPATH=src python benchmarks/long_line.py [MEGABYTES]

50 MB by default. The difference of the two peaks is to be at most ten times the line.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from guess_or_recall.settings.profiles import render
from guess_or_recall.settings.yaml import dump_yaml, parse_yaml

ROOT = Path(__file__).parents[1]
WORDS = ["the", "cat's", "sat", "on", "(mats)", "12", "naïve", "of", "letters", "and"]


def make_study(folder: Path, megabytes: float) -> None:
    """Write a corpus of one line of words drawn at random, and its settings."""
    count = int(megabytes * 1e6)
    text = " ".join(np.random.default_rng(0).choice(WORDS, count // 3))[:count]
    (folder / "corpus").mkdir(parents=True)
    (folder / "corpus/a.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False))
    (folder / "profiles").symlink_to(ROOT / "profiles")
    content = parse_yaml(render("micro"), "profile")
    content["sequences"]["source"] = "files"
    content["sequences"]["tokenizer"] |= {"source": "path", "path": str(ROOT / "models/tiny")}
    (folder / "params.yaml").write_text(dump_yaml(content))


def peak(megabytes: float) -> float:
    """Megabytes of memory at the most, of a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        make_study(Path(place), megabytes)
        command = [sys.executable, __file__, "measure"]
        done = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def measure() -> None:
    """Run the stage in the working folder, and print the peak of this process."""
    sys.path.insert(0, str(ROOT / "src"))
    import run

    run.run_stage("sequences")
    status = Path("/proc/self/status").read_text()  # of rusage, a child has its parent's peak
    print(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024 / 1e6)


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        measure()
    else:
        size = float(sys.argv[1]) if sys.argv[1:] else 50.0
        short, long = peak(0.1), peak(size)
        print(f"{short:.0f} MB with a line of 0.1 MB, {long:.0f} MB with one of {size:g} MB:")
        print(f"{long - short:.0f} MB more, {(long - short) / size:.1f} times the line")
