"""Changes of params.yaml as `dvc exp run --set-param` reads them: by the grammar of Hydra."""

import re
from collections.abc import Mapping

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # words that need no quotes
LITERALS = {"null", "true", "false", "nan", "inf"}


def override(key: str, value: object) -> str:
    """KEY=VALUE, from which DVC writes just this value."""
    return f"{key}={literal(value)}"


def literal(value: object) -> str:
    """A value of params.yaml in Hydra's grammar."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{literal(key)}:{literal(part)}' for key, part in value.items())}}}"
    if not isinstance(value, str):
        return repr(value)
    if PLAIN.fullmatch(value) and value.lower() not in LITERALS:
        return value
    # a backslash is itself, but where a quote follows; ${ would begin a reference to another key
    text = re.sub(r"(\\*)('|$)", lambda end: 2 * end[1] + ("\\'" if end[2] else ""), value)
    return f"'{text}'".replace("${", "\\${")
