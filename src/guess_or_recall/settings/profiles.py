"""Profiles: groups of settings from which params.yaml is written.

profiles/default.yaml is the whole params.yaml as shipped; every other file in profiles/ holds only
the settings that it changes, from those of its `base` if it names one.
"""

import io
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import parse_yaml, read_utf8

FOLDER = Path("profiles")
DEFAULT = "default"
USERS_KEYS = ("taxonomies", "planted", "studied")  # their keys are the user's: replaced whole


def names() -> list[str]:
    """Names of the profiles, the default first."""
    stems = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    return sorted(stems, key=DEFAULT.__ne__)


def render(name: str) -> str:
    """Text of params.yaml under a profile: the default with the profile's settings laid over it."""
    if not names():
        raise UserError(f"{FOLDER}/ holds no profiles: run from the repository's root")
    for needed in (name, DEFAULT):
        if needed not in names():
            raise UserError(f"unknown profile '{needed}': there are {', '.join(names())}")
    default = read_utf8(FOLDER / f"{DEFAULT}.yaml")
    if name == DEFAULT:
        return default
    merged = load(default, DEFAULT)
    for changes in layers(name):
        overlay(merged, changes)
    merged["profile"] = name
    written = io.StringIO()
    editor().dump(merged, written)
    return written.getvalue()


def layers(name: str) -> list[CommentedMap]:
    """The settings of a profile, those of the profiles that it is based on before them."""
    changes = load(read_utf8(FOLDER / f"{name}.yaml"), name)
    base = changes.pop("base", None)
    if base is None:
        return [changes]
    if base not in names():
        raise UserError(f"profile '{name}': no base '{base}': there are {', '.join(names())}")
    return [*layers(base), changes]


def overlay(base: dict, changes: dict) -> None:
    """Lay settings over others, in place: sections are merged, everything else is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict) and key not in USERS_KEYS:
            overlay(base[key], value)
        else:
            base[key] = value


def load(text: str, name: str) -> CommentedMap:
    """Read a profile with its comments."""
    try:
        settings = editor().load(text)
    except YAMLError as error:
        raise UserError(f"profile '{name}' is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(settings, CommentedMap):
        raise UserError(f"profile '{name}' is not a mapping of settings")
    return settings


def editor() -> YAML:
    """A YAML reader and writer that keeps comments, quotes and long lines."""
    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    return yaml


def require_written(name: str, params: dict) -> None:
    """Raise UserError where params.yaml bears the name of a profile and none of its settings.

    That is what `dvc exp run -S profile=NAME` makes: it changes the word alone.
    """
    if name == DEFAULT:
        return
    if name not in names():
        raise UserError(f"params.yaml: profile = '{name}': there are {', '.join(names())}")
    default, present = settings_of(DEFAULT), leaves(params)
    changed = {
        key: value
        for key, value in settings_of(name).items()
        if key != "profile" and default.get(key) != value
    }
    if not any(present.get(key) == value for key, value in changed.items()):
        raise UserError(
            f"params.yaml: profile = '{name}', but it has none of its settings: write them with "
            f"`gor profile {name}` (-S profile={name} changes the name alone)"
        )


def settings_of(name: str) -> dict[str, object]:
    """All settings under a profile, by their dotted keys."""
    return leaves(parse_yaml(render(name), f"profile '{name}'"))


def leaves(settings: object, prefix: str = "") -> dict[str, object]:
    """Values of nested mappings by their dotted keys."""
    if not isinstance(settings, dict):
        return {prefix.removeprefix("."): settings}
    values = {}
    for key, value in settings.items():
        values |= leaves(value, f"{prefix}.{key}")
    return values


def changed_settings(name: str, params: dict) -> list[str]:
    """Keys of params.yaml whose value is not the profile's."""
    present, written = leaves(params), settings_of(name)
    return sorted(key for key in present | written if present.get(key) != written.get(key))
