"""Versions of the libraries that decide results: what is recorded, and what is installed.

`make lock` writes versions.yaml anew: `python -m guess_or_recall.settings.versions`.
"""

import importlib.metadata
import re
from pathlib import Path

from guess_or_recall.settings.yaml import read_yaml

VERSIONS = Path("versions.yaml")
PINS = (Path("requirements.lock"), Path("requirements.txt"))  # the second alone has torch


def canonical(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned_versions(path: Path) -> dict[str, str]:
    """Version of every distribution that a file of requirements pins, by canonical name."""
    lines = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)
    return {canonical(name): version for name, version in lines}


def differing_versions(path: Path = VERSIONS) -> list[str]:
    """Name, installed and recorded version of each library of versions.yaml where they differ.

    The local label of torch 2.13.0+cpu, which says how a version was built, is no difference.
    """
    differing = []
    for name, recorded in read_yaml(path).items():
        try:
            installed = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            installed = "missing"
        if installed != recorded:
            differing.append(f"{name} is {installed}, not {recorded}")
    return differing


def main() -> None:
    """Write the locked version behind every name of versions.yaml."""
    pins = {name: version for path in PINS for name, version in pinned_versions(path).items()}
    lines = VERSIONS.read_text().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if match := re.match(r"([\w-]+): ", line):
            lines[number] = f'{match[1]}: "{pins[canonical(match[1])]}"\n'
    VERSIONS.write_text("".join(lines))


if __name__ == "__main__":
    main()
