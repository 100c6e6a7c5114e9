"""Parameter files made at random from seeds: each is read, or refused in one line.

    python benchmarks/fuzz_params.py [FILES]

500 of them by default, none of which may give anything but settings or a UserError of one line
(0 tracebacks); tests/unit/test_params.py reads a part of them.
"""

import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params

DEFAULT = Path(__file__).parents[1] / "profiles" / "default.yaml"
SCALARS = [
    *("0", "-1", "1e-3", "1e999", "9" * 5000, "0x" + "f" * 5000, "0o17", "1_000", "1:30", ".inf"),
    *(".nan", "true", "off", "null", "~", "", "2026-11-25", "2026-11-25T10:00:00Z", "=", "'1e-1'"),
    *('"\\0"', '"\\ud800"', '"\\u202e"', "λ", "../../x", "a/b", "'a b'", "x" * 10_000, "${rho}"),
    *("!!int x", "!!float x", "!!timestamp x", "!!bool x", "!!binary x", "!!python/name:os.system"),
    *("!!set {a, b}", "!!omap [a: 1]", "!thing x", "&a [*a]", "*nobody", "<<", "[]", "{}"),
    *("[1, [2]]", "{a: {b: {c: d}}}", "{1: 2, 0x1: 3}", "{[a]: b}", "{? {a: b} : c}", "{off: off}"),
    *("[" * 40 + "]" * 40, "[" * 3000, "{a: " * 40 + "}" * 40, "&b [1, 1, *b]", "'", '"', "%", "@"),
    "|\n  a # b",
]
ODD = "\0\t\n:{}[]&*!|>'\"%@`#,-?λ\u2028\ufeff0"
EXPRESSIONS = [
    *("is_code", "is_code # or", "not " * 400 + "is_code", "(" * 150 + "is_code" + ")" * 150),
    *("rouge_l > rho_l", "rouge_9 > 1", "1 > " + "9" * 400, "-" * 1000 + "1 > 0", "lambda: 0"),
    *("is_code and " * 500 + "is_code", "[x for x in y]", "a.b.c == 1", "f'{is_code}'", "\\", "\t"),
]


def scalar(text: str, chance: random.Random) -> str:
    """Put a value of another kind behind a key."""
    lines = text.split("\n")
    keyed = [number for number, line in enumerate(lines) if ":" in line.partition("#")[0]]
    number = chance.choice(keyed)
    key = lines[number].partition(":")[0]
    lines[number] = f"{key}: {chance.choice(SCALARS)}"
    return "\n".join(lines)


def inner(text: str, chance: random.Random) -> str:
    """Put a value of another kind into a mapping or list on one line."""
    place = chance.choice([match.end() for match in re.finditer(r"[{,\[] ?(\w+: )?", text)])
    end = re.compile(r"[],}]|\Z").search(text, place)
    return text[:place] + chance.choice(SCALARS) + text[end.start() if end else place :]


def tree(text: str, chance: random.Random) -> str:
    """Declare a tree with a name, classes and expressions of any kind."""
    names = [name for name in SCALARS if "\n" not in name]
    nodes = ", ".join(
        f"{chance.choice(names)}: {chance.choice([*map(repr, EXPRESSIONS), *names])}"
        for _ in range(chance.randint(0, 3))
    )
    declared = f"taxonomies:\n  {chance.choice(['x', *names])}: {{nodes: {{{nodes}}}}}\n"
    return text.replace("taxonomies:\n", declared, 1)


def cut(text: str, chance: random.Random) -> str:
    """Take a part out, or put it in a second time."""
    start, end = sorted(chance.choices(range(len(text)), k=2))
    return text[:end] + text[start:] if chance.random() < 0.5 else text[:start] + text[end:]


def garbled(text: str, chance: random.Random) -> str:
    """Put some characters in the place of others."""
    letters = list(text)
    for _ in range(chance.randint(1, 8)):
        letters[chance.randrange(len(letters))] = chance.choice(
            "\0\t\n:{}[]&*!|>'\"%@`#,-?λ\u2028\ufeff0"
        )
    return "".join(letters)


CHANGES: list[Callable[[str, random.Random], str]] = [scalar, scalar, inner, tree, cut, garbled]


def content(seed: int) -> bytes:
    """The bytes of one file."""
    chance = random.Random(seed)
    text = DEFAULT.read_text("utf-8")
    for _ in range(chance.choice([0, 1, 1, 1, 1, 2, 5])):
        text = chance.choice(CHANGES)(text, chance)
    encoding = chance.choice(["utf-8"] * 12 + ["utf-16", "utf-8-sig", "latin-1"])
    return text.encode(encoding, "replace")


def outcome(path: Path) -> str:
    """What became of a file: read or refused; an error of any other kind is raised."""
    try:
        params = read_params(path)
    except UserError as error:
        said = str(error)
    else:
        params.model_dump_json()
        return "read"
    assert "\n" not in said and len(said) < 4000, said
    return "refused"


def main(files: int) -> dict[str, int]:
    """Read files of the seeds 0, 1, ...: how many were read, and how many refused."""
    counts = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        for seed in range(files):
            path.write_bytes(content(seed))
            try:
                counts[outcome(path)] += 1
            except Exception:
                print(f"seed {seed}", file=sys.stderr)
                raise
    return counts


if __name__ == "__main__":
    start = time.perf_counter()
    counted = main(int(sys.argv[1]) if sys.argv[1:] else 500)
    print(f"{counted}, 0 tracebacks, in {time.perf_counter() - start:.0f} s")
