"""The one way in which this project reads YAML: PyYAML with the core rules of YAML 1.2.

DVC reads the same files with ruamel.yaml, which follows YAML 1.2 too, while PyYAML alone follows
1.1: there `off` and `no` are false, `1:30` is 90 and `1e-3` is text. What the two would still read
differently (`1_000`, `0b1`, an unquoted date) is refused. What a key holds decides how its value
is read: `revision: 0123` is text (see TEXTS), and `rho: "1e-1"` a number (see `values.number`).
"""

import re
from pathlib import Path
from typing import Any, NoReturn

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


TEXTS = {  # keys that hold text, or lists of text, whatever it looks like
    *("profile", "taxonomy", "taxonomies", "others", "flow_from", "packages"),
    *("path", "name", "revision", "text", "encoding"),
}
NAMING = {"taxonomies", "nodes", "planted", "studied"}  # keys below which a user's names stand
STR, INT, FLOAT, MERGE = (f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "merge"))
LARGEST = 2**20  # bytes of a file
MOST, DEEPEST = 100_000, 20  # values of a file, and levels of them
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, written as an escape


class CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the core rules, which refuses a key that is given twice."""

    yaml_implicit_resolvers: dict = {}  # noqa: RUF012  (filled below, as PyYAML does)

    def get_single_node(self) -> yaml.Node | None:
        """Read the tree of the text, and check it before values are made of it."""
        root = super().get_single_node()
        if root is not None:
            check(root)
        return root

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        """Read a mapping."""
        keys = [
            key.value if key.tag == STR else self.construct_object(key, deep=True)
            for key, _ in node.value
            if key.tag != MERGE
        ]
        for key in keys:
            if keys.count(key) > 1:
                refuse(node, f"key '{key}' is given twice")
        return super().construct_mapping(node, deep)

    def read_int(self, node: yaml.ScalarNode) -> int:
        """Read an integer; 010 is ten."""
        text = str(self.construct_scalar(node))
        value = int(text, 0) if text[:2] in ("0o", "0x") else int(text) if len(text) < 30 else 2**99
        if not -(2**63) <= value < 2**63:
            refuse(node, f"{text[:20]}... has more digits than a number of 64 bits")
        return value

    def read_text(self, node: yaml.ScalarNode) -> str:
        """Read a text, unless DVC would take it for a number or a date."""
        text = str(self.construct_scalar(node))
        if node.style is None and AMBIGUOUS.fullmatch(text):
            refuse(node, f"{text[:40]} is read in two ways: quote a text, write a number plainly")
        if SURROGATE.search(text):
            refuse(node, f"{text[:40]!r} holds half of a character")
        return text


def refuse(node: yaml.Node, why: str) -> NoReturn:
    """Raise PyYAML's own error about a place of the text."""
    raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)


def check(root: yaml.Node) -> None:
    """Refuse a tree that is no settings, and make text of what stands where text belongs.

    That is a tree of too many values or levels (as one that holds itself, by an anchor), and a
    value whose tag it does not fit.
    """
    level = [root]
    for _ in range(DEEPEST):
        below = []
        for node in level:
            if isinstance(node, yaml.ScalarNode):
                check_tag(node)
            elif isinstance(node, yaml.MappingNode):
                below += parts_of(node)
            else:
                below += node.value
        if len(below) > MOST:
            refuse(root, f"more than {MOST:,} values")
        level = below
    if level:
        refuse(level[0], f"nested more than {DEEPEST} levels deep")


def check_tag(node: yaml.ScalarNode) -> None:
    """Refuse a value with a tag that is not its own, such as `!!int x`, or that DVC has not."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind != "str" and not re.fullmatch(CORE.get(kind, "(?!)"), node.value):
        refuse(node, f"{node.value[:40]!r} cannot be read by the tag {node.tag}")


def parts_of(mapping: yaml.MappingNode) -> list[yaml.Node]:
    """Keys and values of a mapping, those that are to be text made so."""
    for position, (key, value) in enumerate(mapping.value):
        name = str(key.value).rpartition(".")[2]
        if name in NAMING and isinstance(value, yaml.MappingNode):
            value.value = [(as_text(part), below) for part, below in value.value]
        if name in TEXTS and isinstance(value, yaml.SequenceNode):
            value.value = list(map(as_text, value.value))
        mapping.value[position] = key, as_text(value) if name in TEXTS else value
    return [node for pair in mapping.value for node in pair]


def as_text(node: yaml.Node) -> yaml.Node:
    """A number as the text that it is written with, as if it had quotes; all else as it is."""
    if isinstance(node, yaml.ScalarNode) and node.tag in (INT, FLOAT):
        return yaml.ScalarNode(STR, node.value, node.start_mark, node.end_mark, style="'")
    return node


for name, pattern in CORE.items():
    CoreLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{name}", re.compile(f"^(?:{pattern})$"), None
    )
CoreLoader.add_constructor(INT, CoreLoader.read_int)
CoreLoader.add_constructor(STR, CoreLoader.read_text)


def parse_yaml(text: str, origin: str) -> Any:
    """Read a text in YAML; `origin` is named in errors.

    Raises:
        UserError: it is no YAML, gives a key twice, or holds a value that DVC would read
            differently.
    """
    if re.search(r"^%(YAML|TAG)\b", text, re.MULTILINE):
        raise UserError(f"{origin}: leave the line %YAML or %TAG out: DVC reads by it, we do not")
    try:
        return yaml.load(text, CoreLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{origin} is not valid YAML: {' '.join(str(error).split())}") from None


def read_yaml(path: Path) -> Any:
    """Read a YAML file; UserError as `parse_yaml` or `read_utf8`."""
    return parse_yaml(read_utf8(path), str(path))


def read_utf8(path: Path) -> str:
    """Read a file of settings; UserError where it is none that can be read."""
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file: `git checkout {path}` brings it back")
    if not path.exists():
        raise UserError(f"{path} is missing: run from the repository's root")
    try:
        if path.stat().st_size > LARGEST or not path.is_file():
            raise UserError(f"{path} is no file of settings: it has more than {LARGEST:,} bytes")
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error}): save it in that encoding") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def dump_yaml(content: Any) -> str:
    """Text of plain values in YAML that `parse_yaml` and DVC read back as they are."""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=4096)
