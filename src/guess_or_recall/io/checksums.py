"""Checksums of what the stages made, so that damage is seen before anything is read.

`src/run.py` seals `data/STAGE` with a file of SHA-256 sums when the stage has ended, that of its
metrics among them; whoever reads one of these files checks it first. Shards of attention check
themselves (`attention.hdf5`): hashing all of them would take longer than reading the part that is
needed.
"""

import hashlib
import json
import os
from pathlib import Path

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.paths import DATA, METRICS

NAME = "checksums.json"
CHECK_THEMSELVES = ".h5"


def sha256(path: Path) -> str:
    """Hash of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Hashes of the files of a folder data/STAGE and of its metrics, by their paths from it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    metrics = folder.parents[1] / METRICS / f"{folder.name}.json"
    return {
        os.path.relpath(path, folder): sha256(path)
        for path in [*files, *([metrics] if metrics.is_file() else [])]
        if path.name not in (NAME, ".gitignore") and path.suffix != CHECK_THEMSELVES
    }


def verify(path: Path) -> None:
    """Raise UserError where a file of a sealed folder, or any file of it, is not as it was made."""
    folder = sealed_folder(path)
    if folder is None:
        return
    inside = Path(os.path.relpath(path, folder))
    for name, expected in read_sums(folder / NAME).items():
        if Path(name) == inside:
            require(path, expected)
        elif inside in Path(name).parents and not name.startswith(".."):
            require(folder / name, expected)


def sealed_folder(path: Path) -> Path | None:
    """The folder data/STAGE that a path is or lies in, or is the metrics of, if that is sealed."""
    of_metrics = path.parents[1] / DATA / path.stem if path.parent.name == METRICS.name else path
    for folder in (of_metrics, *path.parents):
        if folder.parent.name == DATA.name and (folder / NAME).is_file():
            return folder
    return None


def read_sums(path: Path) -> dict[str, str]:
    """Read the checksums of a folder; UserError where the file is damaged itself."""
    try:
        sums = json.loads(path.read_bytes())
    except ValueError as error:
        raise damaged(path, first_line(error)) from None
    if not (isinstance(sums, dict) and all(isinstance(value, str) for value in sums.values())):
        raise damaged(path, "it is not a table of file names and checksums")
    return sums


def require(path: Path, expected: str) -> None:
    """Raise UserError where a file does not have its checksum."""
    if not path.is_file():
        raise damaged(path, f"it is missing, and {NAME} lists it")
    if sha256(path) != expected:
        raise damaged(path, f"its bytes are not those that {NAME} of its stage lists")


def damaged(path: Path, what: str) -> UserError:
    """The error for a file that cannot be read as what it should be: what it is, and the ways out.

    Args:
        path: the file.
        what: is wrong with it, in a few words.
    """
    folder = next(
        (place for place in (path, *path.parents) if place.parent.name == DATA.name), None
    )
    if folder is None:
        committed = path.parent.name in (METRICS.name, "published")
        way_out = (
            f"`git checkout {path} && dvc checkout` brings it back"
            if committed
            else "copy it again"
        )
        return UserError(f"{path} is damaged: {what}; {way_out}, or make it anew")
    name = folder.name if folder.name != "gallery" else "attention"
    return UserError(
        f"{path} is damaged: {what}; `dvc checkout --force {name}` brings it back, "
        f"`dvc repro -f -s {name}` makes it anew"
    )
