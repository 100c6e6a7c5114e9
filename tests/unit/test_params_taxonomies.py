"""Taxonomies and thresholds in params.yaml: names, expressions, and what they resolve to."""

import math

import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.features.columns import COLUMNS
from guess_or_recall.io import schemas
from guess_or_recall.settings.checking import columns
from guess_or_recall.settings.params import parse_params
from guess_or_recall.taxonomy.candidates import TABLES
from tests.settings import DEFAULT, params, yaml_of

NODES = {"nodes": {"a": "is_code"}}


@pytest.mark.parametrize(
    "name",
    ["../../x", "a/b", "/x", "long tail (v2)", "λ", "a,b", "a=b", "-x", ".x", "x.", "a..b",
     "x.lock", "x~1", "a:b", "a\nb", "", " ", "x" * 61, "${rho}", "a|b", "a\tb", "[a]", "a@{b"],
)  # fmt: skip
def test_a_taxonomy_whose_name_is_no_name_of_files(name):
    with pytest.raises(
        UserError, match=r"^params.yaml: taxonomies: name .*(has letters a to z|give at most 60)"
    ):
        params(taxonomies={name: NODES})


@pytest.mark.parametrize("name", ["long-tail", "v1.2", "Tail_2", "2", "1e3", "null", "true", "off"])
def test_names_of_taxonomies_are_read_as_text(name):
    text = yaml_of(taxonomies={name: NODES}, taxonomy=name).replace("'", "")
    if name in ("null", "true"):  # which are no text without quotes
        text = yaml_of(taxonomies={name: NODES}, taxonomy=name)
    assert parse_params(text, "params.yaml").taxonomy == name


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "_a", "a\nb", "a\0", "$x$", "a\\b", "a" * 61, "\u200b"]
)
def test_classes_whose_name_cannot_be_shown(name):
    with pytest.raises(UserError, match=r"taxonomies.own.nodes: name .*") as caught:
        params(taxonomies={"own": {"nodes": {name: "is_code"}}})
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"taxonomies.own.others = .*: name .*"):
        params(taxonomies={"own": NODES | {"others": name}})


@pytest.mark.parametrize(
    "name", ["long tail (v2)", "μνήμη", "a=b, c/d", "50%", "[red]x[/red]", "1"]
)
def test_classes_may_be_named_in_any_language(name):
    taxonomies = {"own": {"nodes": {name: "is_code"}, "others": "the rest"}}
    assert list(params(taxonomies=taxonomies).taxonomies["own"].nodes) == [name]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("is_coded", "no column 'is_coded' \\(there are .*is_code"),
        ("rouge_l", "'rouge_l' is a number"),
        ("is_code or # no\n is_repeating", "holds a '#'"),
        ("is_code +", "cannot be read"),
        ("sequence_duplicates > dleta", "no column 'dleta'"),
    ],
)
def test_a_typo_in_a_tree_that_is_not_in_use_is_found_when_the_file_is_read(expression, said):
    with pytest.raises(UserError, match=f"params.yaml: taxonomies.own.nodes.a: .*{said}") as caught:
        params(taxonomies={"own": {"nodes": {"a": expression}}})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["taxonomy", "figures__flow_from", "pool__taxonomies"])
def test_a_tree_that_is_not_there_is_found_when_the_file_is_read(key):
    with pytest.raises(UserError, match=r"unknown taxonomy 'gues' \(did you mean guess"):
        params(**{key: "gues"})


def test_expressions_may_name_every_column_that_there_is():
    for name in columns():
        params(taxonomies={"own": {"nodes": {"a": f"{name} > 0.5"}}})
    read = schemas.SEQUENCE_ID.names + [name for table in TABLES.values() for name in table.names]
    assert {*columns()} == {*read, *COLUMNS}


@pytest.mark.parametrize(
    ("change", "expected"),
    [("rho", 0.3), ("off", math.inf), (0.7, 0.7), (1, 1.0)],
)
def test_thresholds_in_force(change, expected):
    got = params(rho=0.3, rho_l=change, rho_3="rho")
    assert (got.threshold("rho_l"), got.threshold("rho_3")) == (expected, 0.3)
    assert params(rho=0.3, rho_3=change).threshold("rho_3") == expected


def test_off_without_quotes_is_off():
    text = DEFAULT.read_text().replace("rho_l: rho ", "rho_l: off ")
    assert parse_params(text, "params.yaml").threshold("rho_l") == math.inf


def test_pool_thresholds_are_both_then_each_alone_with_the_paper_s_first():
    got = params(pool__rhos=[0.4, 0.5, [0.3, 0.6], ["off", "off"]]).pool.thresholds()
    off = math.inf
    assert got == [
        (0.5, 0.5),
        (0.4, 0.4),
        (0.5, off),
        (0.4, off),
        (off, 0.5),
        (off, 0.4),
        (0.3, 0.6),
        (off, off),
    ]


def test_the_nine_rhos_of_the_study_make_27_settings():
    got = params(pool__rhos=[tenth / 10 for tenth in range(1, 10)]).pool.thresholds()
    assert len(got) == len(set(got)) == 27
    assert got[0] == (0.5, 0.5)


def test_one_name_is_a_list_of_one():
    assert params(pool__taxonomies="all").pool.taxonomies == ["all"]
