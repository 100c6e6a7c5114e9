"""params.yaml: what is refused, in which words, and what the thresholds resolve to."""

import math
from pathlib import Path

import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import parse_params, read_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml

DEFAULT = Path(__file__).parents[2] / "profiles" / "default.yaml"


def params(**changes):
    """The default with some dotted keys changed ('samples__train' is samples.train)."""
    content = read_yaml(DEFAULT)
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    return parse_params(dump_yaml(content), "params.yaml")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delta": -1}, "delta = -1: Input should be greater than or equal to 0"),
        ({"delta": True}, "delta = True: give a number"),
        ({"rho": 0}, "rho = 0: Input should be greater than 0"),
        ({"rho": 1.5}, "rho = 1.5: Input should be less than or equal to 1"),
        ({"rho": -0.1}, "rho = -0.1: Input should be greater than 0"),
        ({"rho": math.nan}, "rho = nan"),
        ({"rho": True}, "rho = True: give a number"),
        ({"rho": "off"}, "rho = 'off'"),
        ({"rho_l": 0}, r"rho_l = 0: give rho \(to follow it\), off, or a number in \(0, 1\]"),
        ({"rho_l": 1.5}, "rho_l = 1.5: give rho"),
        ({"rho_3": True}, "rho_3 = True: give rho"),
        ({"rho_3": "on"}, "rho_3 = 'on': give rho"),
        ({"rho_3": math.nan}, "rho_3 = nan: give rho"),
        ({"rhoo": 0.5}, "unknown key rhoo"),
        ({"samples__size": 3}, "unknown key samples.size"),
        ({"samples__train": 0}, "samples.train = 0"),
        ({"samples__shortage": "ignore"}, "samples.shortage = 'ignore': .*'balance' or 'stop'"),
        ({"seed": 2**32}, "seed = 4294967296"),
        ({"taxonomies__own": {"nodes": {}}}, "taxonomies.own.nodes = {}"),
        ({"taxonomies__own": {"others": "a"}}, "taxonomies.own.nodes is missing"),
        ({"taxonomies__own": {"nodes": {"a": 5}}}, "taxonomies.own.nodes.a = 5"),
        ({"sequences__studied": {"odd": 5}}, "sequences: studied: no kind odd"),
        ({"pool__taxonomies": []}, r"pool.taxonomies = \[\]"),
        ({"pool__deltas": [5, -1]}, "pool.deltas.1 = -1"),
        ({"pool__rhos": [0.5, 0]}, "pool.rhos.1 = 0: give rho"),
        ({"pool__rhos": ["off"]}, "pool.rhos.0 = 'off': give a number in .*, or a pair"),
        ({"pool__rhos": [[0.5, "rho"]]}, "or a pair"),
        ({"pool__rhos": [[0.5]]}, "or a pair"),
        ({"rho": 2, "delta": -3}, "delta = -3: .*; rho = 2: "),
        (
            {"sequences__planted__similar__rouge_l": [0.9, 0.1]},
            r"planted.similar.rouge_l = \[0.9, 0.1\]: give \[low, high\]",
        ),
        ({"sequences__planted__similar__rouge_l": [0.5, 0.5]}, "low < high"),
        (
            {"features__is_code": "regex"},
            "is_code = 'regex': Input should be 'magika', 'fasttext' or 'off'$",
        ),
        (
            {"features__is_code": True},
            "is_code = True: Input should be 'magika', 'fasttext' or 'off'$",
        ),
        (
            {"model__train__width": 100, "model__train__heads": 8},
            "model.train: width = 100 is not a multiple of heads = 8",
        ),
    ],
)
def test_values_that_are_refused(changes, said):
    with pytest.raises(UserError, match=said) as caught:
        params(**changes)
    assert "\n" not in str(caught.value)


NUMBERS = {
    "train__learning_rate",
    "train__weight_decay",
    "train__dropout",
    "model__train__learning_rate",
    "model__train__weight_decay",
    "sequences__tokenizer__train_mb",
}
WHOLE = {
    "sequences__tokenizer__vocabulary",
    "model__train__width",
    "train__epochs",
    "evaluate__bootstrap",
}


@pytest.mark.parametrize("value", [True, False, math.inf, -math.inf, math.nan, "much", None])
@pytest.mark.parametrize("key", sorted(NUMBERS | WHOLE))
def test_numbers_are_finite_and_no_booleans(key, value):
    named = key.replace("__", ".")
    with pytest.raises(UserError, match=f"params.yaml: {named} = {value!r}: ") as caught:
        params(**{key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [("magika", "magika"), ("fasttext", "fasttext"), ("off", "off")],
)
def test_code_detectors(given, read):
    assert params(features__is_code=given).features.is_code == read


def test_a_missing_key_is_named():
    content = read_yaml(DEFAULT)
    del content["rho"]
    with pytest.raises(UserError, match=r"params.yaml: rho is missing$"):
        parse_params(dump_yaml(content), "params.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "params.yaml is not valid YAML"),
        ("", "params.yaml: the file = None"),
        ("- a", "params.yaml: the file = "),
        ("rho: 0.5\nrho: 0.6", "key 'rho' is given twice"),
        ("samples: {train: 1, eval: 1, train: 2}", "key 'train' is given twice"),
    ],
)
def test_text_that_is_no_params_file(text, said):
    with pytest.raises(UserError, match=said):
        parse_params(text, "params.yaml")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="run from the repository's root"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("own", "expected"),
    [("rho", 0.3), ("off", math.inf), (0.7, 0.7), (1, 1.0)],
)
def test_thresholds_in_force(own, expected):
    got = params(rho=0.3, rho_l=own, rho_3="rho")
    assert (got.threshold("rho_l"), got.threshold("rho_3")) == (expected, 0.3)
    assert params(rho=0.3, rho_3=own).threshold("rho_3") == expected


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
