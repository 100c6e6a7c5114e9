"""The one way in which this project reads YAML: PyYAML with the core rules of YAML 1.2.

DVC reads the same files with ruamel.yaml, which follows YAML 1.2 too, while PyYAML alone follows
1.1: there `off` and `no` are false, `1:30` is 90 and `1e-3` is text. What the two would still read
differently (`1_000`, `0b1`, an unquoted date) is refused.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from guess_or_recall.errors import UserError

CORE = {  # YAML 1.2.2, section 10.3.2
    "bool": r"true|True|TRUE|false|False|FALSE",
    "null": r"null|Null|NULL|~|",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",
}
AMBIGUOUS = re.compile(  # numbers and dates to ruamel.yaml, text to YAML 1.2
    r"[-+]?0b[01_]+|[-+]?0[ox][0-9a-fA-F_]+|[-+]?\.?[0-9][0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?"
    r"|=|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"
)


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the core rules, which refuses a key that is given twice."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (filled below, as PyYAML does)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Read a mapping."""
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep)

    def read_int(self, node: yaml.ScalarNode) -> int:
        """Read an integer; 010 is ten."""
        text = str(self.construct_scalar(node))
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)

    def read_text(self, node: yaml.ScalarNode) -> str:
        """Read a text, unless DVC would take it for a number or a date."""
        text = str(self.construct_scalar(node))
        if node.style is None and AMBIGUOUS.fullmatch(text):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{text} is read in two ways: quote a text, write a number plainly",
                node.start_mark,
            )
        return text


for name, pattern in CORE.items():
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{name}", re.compile(f"^(?:{pattern})$"), None
    )
CoreLoader.add_constructor("tag:yaml.org,2002:int", CoreLoader.read_int)
CoreLoader.add_constructor("tag:yaml.org,2002:str", CoreLoader.read_text)


def parse_yaml(text: str, origin: str) -> Any:
    """Read a text in YAML; `origin` is named in errors.

    Raises:
        UserError: it is no YAML, gives a key twice, or holds a value that DVC would read
            differently.
    """
    try:
        return yaml.load(text, CoreLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{origin} is not valid YAML: {' '.join(str(error).split())}") from None


def read_yaml(path: Path) -> Any:
    """Read a YAML file; UserError as `parse_yaml`, or where it is missing or not UTF-8."""
    if not path.is_file():
        raise UserError(f"{path} is missing: run from the repository's root")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}): save it in that encoding") from None
    return parse_yaml(text, str(path))


def dump_yaml(content: Any) -> str:
    """Text of plain values in YAML that `parse_yaml` and DVC read back as they are."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=4096)
