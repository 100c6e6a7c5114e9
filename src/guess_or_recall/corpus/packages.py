"""Text of installed pure-Python packages, in a deterministic order, with hashes of every file."""

import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from guess_or_recall.corpus.decoding import inspect, read_text
from guess_or_recall.corpus.source import Document, Reading, Texts
from guess_or_recall.errors import UserError

SUFFIXES = {".py", ".md", ".rst", ".txt"}
REINSTALL = "pip install -r requirements.txt --force-reinstall"
LEGAL = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS")


def distribution(package: str) -> importlib.metadata.Distribution:
    """Find an installed pure-Python distribution (one wheel for every platform, so fixed bytes).

    Raises:
        UserError: it is not installed, or is compiled for a platform.
    """
    try:
        installed = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"sequences.packages: '{package}' is not installed: pip install -r requirements.txt"
        ) from None
    if "-none-any" not in (installed.read_text("WHEEL") or ""):
        raise UserError(
            f"sequences.packages: '{package}' is not a pure-Python wheel, its text differs "
            "between platforms: choose another"
        )
    return installed


def text_files(package: str) -> list[tuple[str, Path]]:
    """Name and place of the text files that the wheel of a package records, sorted by name."""
    recorded = distribution(package).files
    if not recorded:
        raise UserError(
            f"sequences.packages: '{package}' has no list of its files (RECORD): {REINSTALL}"
        )
    chosen = {
        str(file): Path(str(file.locate()))
        for file in recorded
        if ".." not in file.parts
        and (file.suffix in SUFFIXES or file.name.upper().startswith(LEGAL))
    }
    return sorted(chosen.items())


def package_documents(packages: list[str], reading: Reading) -> Iterator[Document]:
    """Stream the text files of packages as documents, package by package.

    Args:
        packages: names of installed distributions.
        reading: gets package, version, file, bytes and sha256 of each file.

    Raises:
        UserError: a file of a package is missing, cannot be read, or is no text.
    """
    for package in sorted(packages):
        version = distribution(package).version
        for name, path in text_files(package):
            try:
                seen = inspect(path)
                text = read_text(path, seen.encoding)
            except OSError as error:
                raise UserError(
                    f"{path} of '{package}' cannot be read ({error.strerror}): {REINSTALL}"
                ) from None
            row = {"package": package, "version": version, "file": name}
            reading.manifest.append(row | {"bytes": seen.bytes, "sha256": seen.sha256})
            yield Document(name, text)


def package_digests(manifest: list[dict]) -> dict[str, dict]:
    """Version, number of files, bytes and one sha256 of each package of a manifest."""
    digests = {}
    for package, rows in pd.DataFrame(manifest).groupby("package"):
        lines = "".join(
            f"{file} {sha256}\n" for file, sha256 in zip(rows["file"], rows["sha256"], strict=True)
        )
        digests[str(package)] = {
            "version": rows["version"].iloc[0],
            "files": len(rows),
            "bytes": sum(rows["bytes"].tolist()),
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }
    return digests


PACKAGES = Texts(
    documents=lambda settings, reading: package_documents(settings.packages, reading),
    files=lambda settings: [path for name in settings.packages for _, path in text_files(name)],
    is_training_corpus=True,
    describe=lambda manifest: {"packages": package_digests(manifest)},
)
