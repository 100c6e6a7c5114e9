"""Files of a finished study damaged at random: its readers name them, or give the same result.

    PYTHONPATH=src python benchmarks/fuzz_data.py [FILES]

The study is that of profiles/micro.yaml, made once in a temporary folder. 500 times a file of its
data/ or metrics/ is damaged, drawn from the number as seed, and all runs that may read it: the
stages that dvc.yaml names, two commands, and the methods of `Study`. Each must end in one line, or
leave every result as it was.
"""

import contextlib
import hashlib
import io
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator

import run as program
from guess_or_recall.commands import draw, subset
from guess_or_recall.errors import UserError
from guess_or_recall.io.scratch import declared_stages
from guess_or_recall.settings.profiles import render
from guess_or_recall.study import Study

FILES = 500
PARTS = ("data", "metrics", "figures", "drawn")
ROOT = Path(__file__).parents[1]
NONSENSE = (None, -1, 0.5, 10**12, "x", "", [], [1], {}, {"a": 1}, True)
METHODS = (
    *("sequences", "candidates", "labels", "classes", "gallery", "delta", "profiles"),
    *("predictions", "metrics"),
)


def make_study() -> None:
    """Run every stage of the micro profile in the working folder, and what else is compared."""
    with contextlib.chdir(ROOT):
        params = render("micro")
    Path("params.yaml").write_text(params)
    Path("profiles").symlink_to(ROOT / "profiles")
    for stage in declared_stages():
        program.run_stage(stage)
    take_subset()


def take_subset() -> None:
    """Draw from the attention of a few sequences, as on a laptop."""
    subset.main(Path("few.h5"), every_class=True, per_class=2)
    draw.main(Path("few.h5"), Path("drawn"))


def damage(path: Path, chance: Generator) -> None:
    """Cut, change, empty or remove a file, or give a JSON file another value."""
    content = bytearray(path.read_bytes())
    place = int(chance.integers(len(content)))
    match int(chance.integers(6)):
        case 0:
            path.write_bytes(content[:place])
        case 1:
            path.write_bytes(b"")
        case 2:
            path.unlink()
        case 3 if path.suffix == ".json":
            values = json.loads(content)
            values[str(chance.choice(sorted(values)))] = NONSENSE[chance.integers(len(NONSENSE))]
            path.write_text(json.dumps(values))
        case _:
            content[place] ^= 1 << int(chance.integers(8))
            path.write_bytes(content)


def readers() -> dict[str, Callable[[], str | None]]:
    """All that reads files of a study, by name: the stages, two commands, and `Study`."""
    stages = {name: partial(program.run_stage, name) for name in declared_stages()}
    return {**stages, "subset": take_subset, **{name: partial(digest, name) for name in METHODS}}


def may_read(path: Path, reader: str) -> bool:
    """Whether a reader may read a file: a stage does if dvc.yaml says so."""
    stage = declared_stages().get(reader)
    return stage is None or any(Path(dep) in (path, *path.parents) for dep in stage["deps"])


def digest(method: str) -> str:
    """Hash of what a method of `Study` gives."""
    value = getattr(Study("."), method)()
    text = value.to_json() if isinstance(value, pd.DataFrame) else repr(value)
    return hashlib.sha256(text.encode()).hexdigest()


def results() -> dict[str, str]:
    """Hashes of every file of the study."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in PARTS
        for path in sorted(Path(part).rglob("*.*"))
        if path.is_file()
    }


def outcome(
    read: Callable[[], str | None], whole: dict[str, str], value: str | None, path: Path
) -> str:
    """What became of one reader of a damaged file."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            read_value = read()
    except UserError as error:
        return "refused" if "\n" not in str(error) else "refused in several lines"
    except Exception as error:
        return f"traceback: {type(error).__name__} {error}"
    if value is not None:  # a method of `Study`, which writes nothing
        return "the same" if read_value == value else "another value"
    now = results()
    differing = [name for name in whole if name != str(path) and now.get(name) != whole[name]]
    return f"other results: {differing}" if differing else "the same"


def restore(kept: Path) -> None:
    """Put the study back as it was."""
    for part in PARTS:
        shutil.rmtree(part)
        shutil.copytree(kept / part, part)


def fuzz(seeds: Iterable[int]) -> Counter:
    """Counts of what became of the readers of a damaged file for each seed."""
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        make_study()
        whole, kept, values = results(), Path("kept"), {name: digest(name) for name in METHODS}
        for part in PARTS:
            shutil.copytree(part, kept / part)
        names = [name for name in whole if name.startswith(("data/", "metrics/"))]
        for seed in seeds:
            path = Path(names[np.random.default_rng(seed).integers(len(names))])
            for name, read in readers().items():
                if may_read(path, name):
                    damage(path, np.random.default_rng([seed, 1]))
                    ended = outcome(read, whole, values.get(name), path)
                    if name in METHODS:
                        shutil.copy2(kept / path, path)
                    else:
                        restore(kept)
                    counts[ended.partition(":")[0]] += 1
                    if ended not in ("refused", "the same"):
                        print(f"seed {seed}, {path}, {name}: {ended}", file=sys.stderr)
    return counts


if __name__ == "__main__":
    start = time.perf_counter()
    counted = fuzz(range(int(sys.argv[1]) if sys.argv[1:] else FILES))
    print(f"{dict(counted)} in {time.perf_counter() - start:.0f} s")
