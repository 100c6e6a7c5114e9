"""What the stages read and no stage makes, and whether an experiment will find it.

A variant runs in a clean copy of the commit: what is neither in git nor in DVC is not there, and a
relative path that leads out of the repository leads elsewhere.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePath

from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import DATA
from guess_or_recall.io.scratch import declared_stages
from guess_or_recall.settings.profiles import leaves
from guess_or_recall.settings.section import PARAMS
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep.experiments import git

LINK, REPOSITORY = "120000", "160000"  # modes of git's index
CLEAN = "experiments run in a clean copy of the commit"
ABSOLUTE = "name a place outside of this repository by its absolute path"


def require_carried() -> None:
    """Raise UserError where an experiment would lack what a stage reads."""
    modes = index()
    for path, key in inputs(read_yaml(PARAMS)).items():
        if reason := complaint(path, modes):
            raise UserError(f"{f'{key} = ' if key else ''}{path}: {reason}")


def inputs(params: dict) -> dict[str, str]:
    """What the stages read and no stage makes: path -> the key of params.yaml that names it."""
    named: dict[str, str] = {}
    values = leaves(params)
    for stage in declared_stages().values():
        for dependency in stage["deps"]:
            key = dependency[2:-1] if dependency.startswith("${") else ""
            path = str(values[key]) if key else dependency
            if key or PurePath(path).parts[0] != DATA.name:
                named[path] = named.get(path) or key
    return named


def index() -> dict[str, str]:
    """Mode of every file that git tracks."""
    entries = git("ls-files", "--stage", "-z").rstrip("\0").split("\0")
    return {
        name: facts.split()[0] for facts, _, name in (entry.partition("\t") for entry in entries)
    }


def complaint(path: str, modes: dict[str, str]) -> str:
    """Why an experiment would lack a path, with the ways out; nothing where it has it."""
    inside = os.path.relpath(path)
    if not os.path.lexists(path):
        return "there is no such file or folder"
    if os.path.isabs(path) and not leads_out(inside):
        return f"DVC would take it for another place in an experiment: write {inside}"
    return "" if os.path.isabs(path) else next(reasons(inside, modes), "")


def leads_out(path: str) -> bool:
    """Whether a relative path leaves the repository."""
    return path.split(os.sep)[0] == os.pardir


def reasons(path: str, modes: dict[str, str], seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Why an experiment would lack something of a relative path; a link is followed once."""
    if leads_out(path):
        yield f"it leads out of this repository, but {CLEAN}: {ABSOLUTE} ({Path(path).resolve()})"
    elif link := first_link(path):
        if link not in modes:
            yield missing(path, [link], modes)
        target = os.readlink(link)
        if not os.path.isabs(target) and link not in seen:
            rest = os.path.relpath(path, link)
            real = os.path.normpath(Path(link).parent / target / rest)
            yield from reasons(real, modes, (*seen, link))
    elif not in_dvc(path, modes):
        if absent := [name for name in beside_git(path, modes) if not in_dvc(name, modes)]:
            yield missing(path, absent, modes)
        for name, mode in modes.items():
            if mode == LINK and within(name, path):
                yield from reasons(name, modes, seen)


def first_link(path: str) -> str | None:
    """The first part of a path that is a link, as a path."""
    parts = [path, *map(str, PurePath(path).parents)]
    return next(filter(os.path.islink, reversed(parts)), None)


def within(name: str, path: str) -> bool:
    """Whether a file is the one of a path, or below it."""
    return path in (".", name) or name.startswith(f"{path}/")


def in_dvc(path: str, modes: dict[str, str]) -> bool:
    """Whether `dvc add` took a path, or a folder above it, and git has the file that says so."""
    return any(f"{part}.dvc" in modes for part in (path, *PurePath(path).parents))


def beside_git(path: str, modes: dict[str, str]) -> list[str]:
    """Files of a path that DVC sees and git does not track; other repositories count as files."""
    if modes.get(path, REPOSITORY) != REPOSITORY:
        return []
    hidden = [name for name, mode in modes.items() if mode == REPOSITORY and within(name, path)]
    ignored = "--exclude-from=.dvcignore"
    listed = git("ls-files", "--others", "-z", ignored, "--", path)
    return [*hidden, *filter(None, listed.split("\0"))]


def missing(path: str, absent: list[str], modes: dict[str, str]) -> str:
    """That git lacks some files of a path, and what to do."""
    shown = ", ".join(absent[:2]) + (f" and {len(absent) - 2} more" if len(absent) > 2 else "")
    word = shlex.quote(path)
    has_repository = any(name.endswith("/") or modes.get(name) == REPOSITORY for name in absent)
    ways = [] if has_repository else [f"`git add -f {word}` and commit"]
    if os.path.exists(f"{path}.dvc"):
        ways = [f"`git add -f {word}.dvc` and commit"]
    elif not os.path.islink(path) and not any(within(name, path) for name in modes):
        ways.insert(0, f"`dvc add {word}`, `git add -f {word}.dvc` and commit")
    return f"not in git ({shown}), but {CLEAN}: {', or '.join([*ways, ABSOLUTE])}"
