"""What a push and a pull cost against a plain copy: `python benchmarks/remotes.py`.

Pushes this repository's data (after `dvc repro`) to an S3 server on this machine, and pulls the
light subset and then the attention into a clone with an empty cache; copies the same files beside.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.conftest import ROOT, must
from tests.servers import KEYS, free_ports, s3

LIGHT, HEAVY = ("-r", "light", "--allow-missing"), ("data/attention",)


def timed(folder: Path, *command: str) -> float:
    """Seconds of a command that must succeed, until what it wrote is on the disk."""
    subprocess.run(["sync"], check=True)
    begun = time.perf_counter()
    must(folder, *command, **KEYS)
    subprocess.run(["sync"], check=True)
    return time.perf_counter() - begun


def size(paths: list[Path]) -> int:
    """Bytes of some files and folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())


def copied(paths: list[Path], folder: Path) -> float:
    """Seconds that a plain copy of files and folders takes, until it is on the disk."""
    subprocess.run(["sync"], check=True)
    begun = time.perf_counter()
    for path in paths:
        shutil.copytree(path, folder / path.name)
    subprocess.run(["sync"], check=True)
    return time.perf_counter() - begun


def main() -> None:
    """Print a line of JSON for the light subset, and one for the attention."""
    data = sorted((ROOT / "data").iterdir())
    parts = {
        "light": [path for path in data if path.name != "attention"],
        "heavy": [ROOT / "data/attention"],
    }
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory(dir=ROOT.parent) as temporary:
        base = Path(temporary)
        (base / "s3/guess-or-recall").mkdir(parents=True)
        source, clone = base / "source", base / "clone"
        for folder in (source, clone):
            must(base, "git", "clone", "-q", str(ROOT), folder.name)
            address = f"http://127.0.0.1:{port}"
            must(folder, "gor", "remote", "s3://guess-or-recall", "--endpoint", address)
        must(source, "dvc", "cache", "dir", "--local", must(ROOT, "dvc", "cache", "dir").strip())
        with s3(base / "s3", port):
            for name, options in {"light": LIGHT, "heavy": HEAVY}.items():
                push = options[:2] if name == "light" else options
                figures = {
                    "part": name,
                    "bytes": size(parts[name]),
                    "push_s": round(timed(source, "dvc", "push", *push), 1),
                    "pull_s": round(timed(clone, "dvc", "pull", *options), 1),
                    "copy_s": round(copied(parts[name], base / name), 1),
                }
                print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
