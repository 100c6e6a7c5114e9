"""Write params.yaml from a profile: `python src/run.py profile micro`; without a name, list them.

profiles/default.yaml is the whole params.yaml as shipped; every other file in profiles/ holds only
the settings that it changes.
"""

import io
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from guess_or_recall.errors import UserError
from guess_or_recall.files import atomic, existing
from guess_or_recall.params import parse_params

FOLDER = Path("profiles")
DEFAULT = "default"
PARAMS = Path("params.yaml")
OWN_KEYS = ("taxonomies", "planted", "studied")  # their keys are the user's: replaced whole


def main(*arguments: str) -> None:
    """Write params.yaml from the profile that is named, or list the profiles.

    Raises:
        UserError: there is no such profile, or what it sets is not allowed.
    """
    if len(arguments) > 1:
        raise UserError(f"profile takes one name, not {' '.join(arguments)}")
    if not arguments:
        print(listing())
        return
    [name] = arguments
    text = render(name)
    parse_params(text, f"profile '{name}'")
    with atomic(PARAMS) as temporary:
        temporary.write_text(text)
    print(f"params.yaml now holds profile '{name}': `dvc repro` runs it")


def names() -> list[str]:
    """Names of the profiles, the default first."""
    found = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return sorted(found, key=DEFAULT.__ne__)


def listing() -> str:
    """One line for each profile: a star for the current one, its name, its first comment."""
    current = parse_params(PARAMS.read_text(), str(PARAMS)).profile if PARAMS.exists() else None
    lines = [
        f"{'*' if name == current else ' '} {name:<16} {first_comment(FOLDER / f'{name}.yaml')}"
        for name in names()
    ]
    return "\n".join(lines)


def first_comment(path: Path) -> str:
    """The comment that opens a file."""
    return path.read_text().partition("\n")[0].lstrip("# ")


def render(name: str) -> str:
    """Text of params.yaml under a profile: the default with the profile's settings laid over it."""
    if name not in names():
        raise UserError(f"unknown profile '{name}': there are {', '.join(names())}")
    default = existing(FOLDER / f"{DEFAULT}.yaml").read_text()
    if name == DEFAULT:
        return default
    merged = load(default, DEFAULT)
    overlay(merged, load((FOLDER / f"{name}.yaml").read_text(), name))
    merged["profile"] = name
    written = io.StringIO()
    editor().dump(merged, written)
    return written.getvalue()


def overlay(base: dict, changes: dict) -> None:
    """Lay settings over others, in place: sections are merged, everything else is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key not in OWN_KEYS:
            overlay(base[key], value)
        else:
            base[key] = value


def load(text: str, name: str) -> CommentedMap:
    """Read a profile with its comments."""
    try:
        found = editor().load(text)
    except YAMLError as error:
        raise UserError(f"profile '{name}' is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, CommentedMap):
        raise UserError(f"profile '{name}' is not a mapping of settings")
    return found


def editor() -> YAML:
    """A YAML reader and writer that keeps comments, quotes and long lines."""
    made = YAML()
    made.width = 4096
    made.preserve_quotes = True
    return made
