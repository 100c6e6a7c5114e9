"""One YAML dialect: this project and DVC see the same values in the same text."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import dump_yaml, parse_yaml, read_yaml
from tests.conftest import ROOT

SHIPPED = sorted([*ROOT.glob("*.yaml"), *ROOT.glob("profiles/*.yaml")])


def as_dvc_reads(text: str) -> Any:
    """What ruamel.yaml gives, with which DVC reads params.yaml."""
    return YAML(typ="safe").load(text)


def same(first: Any, second: Any) -> bool:
    """Equality of values and types; NaN equals itself."""
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    both_nan = isinstance(first, float) and isinstance(second, float) and math.isnan(first)
    return type(first) is type(second) and (first == second or (both_nan and math.isnan(second)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_are_read_as_dvc_reads_them(path):
    assert same(read_yaml(path), as_dvc_reads(path.read_text()))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        ("~", None),
        ("", None),
        ("true", True),
        ("12b", "12b"),
        ("1.4b", "1.4b"),
        ("'1e-3'", "1e-3"),
    ],
)
def test_the_core_rules(text, value):
    parsed = parse_yaml(f"key: {text}", "text")["key"]
    assert same(parsed, value)
    assert same(as_dvc_reads(f"key: {text}")["key"], value)


def test_a_key_may_be_off():
    assert parse_yaml("off: [1]", "text") == as_dvc_reads("off: [1]") == {"off": [1]}


@pytest.mark.parametrize(
    "text", ["1_000", "0b11", "2026-11-25", "2026-11-25 10:00:00", "+0b1", "="]
)
def test_what_dvc_would_read_differently_is_refused(text):
    with pytest.raises(UserError, match="quote a text, write a number plainly"):
        parse_yaml(f"key: {text}", "params.yaml")
    assert parse_yaml(f"key: '{text}'", "params.yaml") == {"key": text}


def test_a_key_given_twice_is_refused():
    with pytest.raises(UserError, match=r"params\.yaml is not valid YAML: key 'a' is given twice"):
        parse_yaml("a: 1\nb: 2\na: 3", "params.yaml")


@pytest.mark.parametrize(
    "text", ["a: [", "!!python/name:os.system", "a: !thing 1", "\0", "[" * 9999]
)
def test_other_nonsense_is_one_line(text):
    with pytest.raises(UserError, match="text is not valid YAML") as caught:
        parse_yaml(text, "text")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path):
    (tmp_path / "params.yaml").write_bytes("a: ä".encode("latin-1"))
    with pytest.raises(UserError, match=r"params\.yaml is not UTF-8"):
        read_yaml(tmp_path / "params.yaml")


WORDS = "off on no yes y n true null ~ 1:30 1e-3 .5 5. 010 0x1 +3 -0 .inf rho"
PLAIN = st.one_of(
    st.sampled_from(WORDS.split()),
    st.from_regex(r"[-+]?[0-9]{1,4}(\.[0-9]{1,3})?(e[-+][0-9])?", fullmatch=True),
    st.from_regex(r"[a-z][a-z0-9_.-]{0,6}", fullmatch=True),
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.text(max_size=8),
        st.floats(allow_nan=False), PLAIN,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(PLAIN, VALUES, max_size=5))
def test_generated_files_are_read_as_dvc_reads_them(content):
    text = dump_yaml(content)
    try:
        expected = as_dvc_reads(text)
    except Exception:  # such as a control character
        with pytest.raises(UserError):
            parse_yaml(text, "text")
        return
    assert same(parse_yaml(text, "text"), expected)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_generated_plain_values_are_read_as_dvc_reads_them(words):
    text = "\n".join(f"k{place}: {word}" for place, word in enumerate(words))
    assert same(parse_yaml(text, "text"), as_dvc_reads(text))
