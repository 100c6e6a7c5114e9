"""params.yaml: what is refused, and in which words."""

import math

import pytest

from benchmarks import fuzz_params
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import parse_params, read_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.settings import DEFAULT, params, yaml_of


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sequences__tokenizer__vocabulary": 10**9}, "at most 1,048,576: the largest vocab"),
        ({"sequences__background": 10**12}, "at most 100,000,000: a study holds"),
        ({"sequences__prefix": 10**6}, "at most 2,048: a pattern has a cell for each pair"),
        ({"model__train__layers": 10**5}, "at most 200: the deepest models"),
        ({"model__train__width": 10**9}, "at most 65,536"),
        ({"ablate__cuts": {"off": [1, 999]}}, "at most 200: the deepest"),
        ({"evaluate__bootstrap": 10**12}, "at most 1,000,000: more resamples"),
        ({"pool__deltas": list(range(101))}, "at most 100 items"),
        ({"train__grid__kernel": list(range(1, 99))}, "at most 20 items"),
        ({"score__batch": 10**9}, "at most 1,000,000"),
        ({"sequences__files__path": "a\0b"}, "on one line, without control characters"),
        ({"model__path": "x" * 10**4}, "at most 1000 characters"),
        ({"taxonomies__own": {"nodes": {f"n{i}": "is_code" for i in range(101)}}}, "at most 100"),
        (
            {"model__source": "train", "model__train__layers": 2, "ablate__cuts": {"off": [1, 99]}},
            "ablate.cuts = 99 layers in a row: the model will have model.train.layers = 2",
        ),
    ],
)
def test_sizes_have_bounds_with_reasons(changes, said):
    with pytest.raises(UserError, match=said) as caught:
        params(**changes)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("key", ["rho", "rho_l", "rho_3", "train__learning_rate"])
@pytest.mark.parametrize("written", ["1e-1", "0.1", "1E-1", ".1"])
def test_a_number_is_a_number_with_quotes_and_without(key, written):
    plain = parse_params(yaml_of(**{key: "NUMBER"}).replace("NUMBER", written), "params.yaml")
    assert params(**{key: written}) == params(**{key: 0.1}) == plain


@pytest.mark.parametrize("written", ["1_0", "1:30", "0b1", "ten", "", "0.1 # x", "[1]", "true"])
def test_text_that_is_no_number(written):
    for key in ("rho", "rho_l", "delta", "train__batch", "score__batch"):
        with pytest.raises(UserError, match=key.replace("__", ".")):
            params(**{key: written})


@pytest.mark.parametrize("revision", ["1234567", "0123456", "12e4567", "1e3", "0x12", "1.10", "-1"])
def test_a_revision_may_look_like_a_number(revision):
    text = yaml_of(model__hub__revision="REVISION").replace("REVISION", revision)
    assert parse_params(text, "params.yaml").model.hub.revision == revision


def test_an_encoding_may_look_like_a_number():
    text = yaml_of(sequences__files__encoding="NAME").replace("NAME", "437")
    assert parse_params(text, "params.yaml").sequences.files.encoding == "437"


def test_a_revision_that_is_a_truth_value_needs_quotes():
    with pytest.raises(UserError, match=r"hub\.revision = True: give a text: put it into quotes"):
        params(model__hub__revision=True)


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
    ("text", "read"),
    [("magika", "magika"), ("fasttext", "fasttext"), ("off", "off")],
)
def test_code_detectors(text, read):
    assert params(features__is_code=text).features.is_code == read


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


def test_files_made_at_random_are_read_or_refused_in_one_line():
    """The first of the 500 of `python benchmarks/fuzz_params.py`."""
    counts = fuzz_params.main(50)
    assert counts["read"] and counts["read"] + counts["refused"] == 50


@pytest.mark.parametrize("kind", ["folder", "utf-16", "large", "loop"])
def test_a_file_that_is_none(tmp_path, kind):
    path = tmp_path / "params.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        path.write_text("a: 1\n" * (10**6 if kind == "large" else 1), "utf-16")
    with pytest.raises(UserError, match=r"params\.yaml is (a folder|not UTF-8|no file|missing)"):
        read_params(path)
