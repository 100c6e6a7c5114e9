"""Write params.yaml from a profile, or list the profiles where none is named.

`gor profile micro`, then `dvc repro`, runs the smallest study. A star marks the current profile.
"""

from pathlib import Path
from typing import Annotated

import typer

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.profiles import FOLDER, changed_settings, names, render
from guess_or_recall.settings.section import PARAMS
from guess_or_recall.settings.yaml import read_utf8, read_yaml

NAME = typer.Argument(
    metavar="NAME", help="A file of profiles/, without .yaml.", autocompletion=names
)


def main(name: Annotated[str | None, NAME] = None) -> None:
    """Write params.yaml from the profile that is named, or list the profiles.

    Raises:
        UserError: there is no such profile, or what it sets is not allowed.
    """
    if name is None:
        print(listing())
        return
    text = render(name)
    parse_params(text, f"profile '{name}'")
    with atomic(PARAMS) as temporary:
        temporary.write_text(text)
    print(f"params.yaml now holds profile '{name}': `dvc repro` runs it")


def listing() -> str:
    """One line for each profile: a star for the current one, its name, its first comment."""
    params = read_yaml(PARAMS) if PARAMS.exists() else {}
    if not isinstance(params, dict):
        raise UserError(f"{PARAMS} is not a mapping of settings: `gor profile NAME` writes it anew")
    current = params.get("profile")
    lines = [
        f"{'*' if name == current else ' '} {name:<12} {first_comment(FOLDER / f'{name}.yaml')}"
        for name in names()
    ]
    if current in names() and (changed := changed_settings(current, params)):
        lines.append(f"params.yaml has changed since, in {', '.join(changed)}")
    return "\n".join(lines)


def first_comment(path: Path) -> str:
    """The comment that opens a file."""
    return read_utf8(path).partition("\n")[0].lstrip("# ")
