"""Which files of a folder are a corpus, and which are left out and why."""

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from guess_or_recall.errors import UserError


class CorpusFile(NamedTuple):
    """A file, and its name below the corpus's folder as it can be printed and stored."""

    path: Path
    name: str


class Listing(NamedTuple):
    """The files that are read, in sorted order, and why the others are not."""

    files: list[CorpusFile]
    skipped: list[dict[str, str]]  # file and reason


def list_files(path: Path, endings: Container[str], key: str) -> Listing:
    """Sort the files of a corpus into those that are read and those that are not.

    Links to folders are not followed: DVC does not look into them, so that a change behind them
    would change no result.

    Args:
        path: a folder or a file.
        endings: of the files that are read, in small letters; capital letters do as well.
        key: the parameter that names the folder, for errors.

    Raises:
        UserError: a folder cannot be read.
    """
    if not path.is_dir():
        walked = [(path, reason_to_skip(path, endings))]
    else:
        walked = sorted(walk(path, endings, key), key=lambda row: row[0].parts)
    files, skipped = [], []
    for file, reason in walked:
        name = printable(file.relative_to(path) if file != path else Path(file.name))
        if reason:
            skipped.append({"file": name, "reason": reason})
        else:
            files.append(CorpusFile(file, name))
    return Listing(files, skipped)


def walk(folder: Path, endings: Container[str], key: str) -> Iterator[tuple[Path, str | None]]:
    """Every file and every link to a folder below a folder, with the reason to skip it."""

    def refuse(error: OSError) -> None:
        raise UserError(
            f"{key}: the folder '{printable(error.filename)}' cannot be read ({error.strerror}): "
            "make it readable (chmod u+rx), or take it out of the corpus"
        ) from None

    for root, folders, names in os.walk(folder, onerror=refuse):
        for name in folders:
            if Path(root, name).is_symlink():
                yield Path(root, name), "a link to a folder"
        for name in names:
            yield Path(root, name), reason_to_skip(Path(root, name), endings)


def reason_to_skip(file: Path, endings: Container[str]) -> str | None:
    """Why a file is not read; None where it is."""
    ending = file.suffix.lower()
    if ending not in endings:
        return f"the ending {printable(ending)}" if ending else "no ending"
    if os.path.islink(file) and not os.path.exists(file):
        return "a link to nothing"
    # what cannot even be looked at is left to the reader, which names the cause
    return "no regular file" if os.path.lexists(file) and not os.path.isfile(file) else None


def printable(name: str | Path) -> str:
    """A file's name with escapes for bytes that are no UTF-8, so that it can be stored."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
