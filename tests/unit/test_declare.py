"""Sweeps: what a grid expands to."""

import pytest
from dvc.utils.hydra import apply_overrides

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import read_yaml
from guess_or_recall.sweep.declare import expand, overlaid, read_sweeps, settle
from guess_or_recall.sweep.overrides import override
from guess_or_recall.taxonomy.trees import TREES
from tests.conftest import ROOT

BASE = read_yaml(ROOT / "profiles" / "default.yaml")
SWEEPS = read_sweeps([], ROOT / "sweeps.yaml")


def names(sweep):
    return [declared.name for declared in expand({sweep: SWEEPS[sweep]}, BASE)]


def test_the_benchmark_is_the_papers_54():
    variants = names("benchmark")
    assert len(variants) == len(set(variants)) == 54
    assert {
        declared.params.taxonomy for declared in expand({"benchmark": SWEEPS["benchmark"]}, BASE)
    } == set(TREES)
    assert [name for name in variants if "delta" not in name] == [
        "reconstruct",
        "guess-rho0.5",
        "code",
    ]
    assert {"recite-then-code-delta5", "recite-or-guess-delta1000-rho0.5"} <= set(variants)


def test_the_study_of_rho_is_the_papers_27():
    variants = names("rho")
    assert len(variants) == len(set(variants)) == 27
    assert variants[:2] == ["guess-rho0.1", "guess-rho0.2"]
    assert {"guess-rho_l0.4", "guess-rho_3-0.9"} <= set(variants)


def test_both_together_share_one_variant():
    settings = expand({name: SWEEPS[name] for name in ("benchmark", "rho")}, BASE, "x-")
    assert len(settings) == 80
    groups = {declared.name: declared.sweep for declared in settings}
    assert groups["x-guess-rho0.5"] == "x-benchmark"  # the first that has it
    assert groups["x-guess-rho0.4"] == "x-rho"


def test_repeats_differ_in_their_seed_alone():
    settings = expand({"repeats": SWEEPS["repeats"]}, BASE)
    assert len(settings) == 15
    assert {declared.params.train.seed for declared in settings} == {42, 43, 44, 45, 46}
    assert len({declared.variant for declared in settings}) == 3


def test_thresholds_have_one_form():
    """However both thresholds are given, it is the same variant, with the same changes."""
    ways = [{"rho": 0.4}, {"rho_l": 0.4, "rho_3": 0.4}, {"rho": 0.4, "rho_l": "rho", "delta": 7}]
    settings = [settle({"taxonomy": "guess", **way}, BASE, "") for way in ways]
    assert (
        len({declared.name for declared in settings})
        == len({declared.changes for declared in settings})
        == 1
    )
    assert dict(settings[0].changes) == {
        "taxonomy": "guess",
        "rho": 0.4,
        "rho_l": "rho",
        "rho_3": "rho",
    }


@pytest.mark.parametrize(
    ("rho_l", "rho_3", "expected"),
    [(0.5, 0.4, {"rho_l": 0.5, "rho_3": 0.4}),
     (0.4, "off", {"rho": 0.4, "rho_l": "rho", "rho_3": "off"}),
     ("off", 0.4, {"rho": 0.4, "rho_l": "off", "rho_3": "rho"}),
     ("off", "off", {"rho_l": "off", "rho_3": "off"})],
)  # fmt: skip
def test_thresholds_that_differ(rho_l, rho_3, expected):
    setting = settle({"taxonomy": "guess", "rho_l": rho_l, "rho_3": rho_3}, BASE, "")
    assert dict(setting.changes) == {"taxonomy": "guess", **expected}


def test_names_do_not_depend_on_params_that_are_swept():
    changed = overlaid(BASE, {"delta": 1000, "taxonomy": "code"})
    assert changed != BASE
    assert [
        declared.name for declared in expand({"benchmark": SWEEPS["benchmark"]}, changed)
    ] == names("benchmark")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"taxonomy": "gues"}, r"unknown taxonomy 'gues' \(did you mean guess"),
        ({"taxonomy": "guess", "rho": 1.5}, r"rho = 1\.5"),
        ({"taxonomie": "guess"}, "no key 'taxonomie'"),
        ({"taxonomy": "guess", "train.seeds": 1}, "no key 'train.seeds'"),
        ({"taxonomy": "recite", "delta": "many"}, "delta = 'many'"),
        ({"rho": []}, "a grid gives a key one value or several"),
        ({1: 2}, "no key '1'"),
        (
            {"train.seed": list(range(200)), "train.batch": list(range(1, 200))},
            "sweep one has 39,800 variants: at most 10,000",
        ),
        (
            {"model.path": ["a/b", "a b"]},
            r"two variants would be called guess-rho0.5-patha_b: .*'a b'.*'a/b'.*leave one out",
        ),
        ({"sequences.files.text": "a" * 190}, "has 207 characters: give at most 200"),
    ],
)
def test_wrong_grids(grid, message):
    with pytest.raises(UserError, match=message):
        expand({"one": [grid]}, BASE)


def test_unknown_sweep_names_those_that_are_there():
    with pytest.raises(UserError, match="no sweep 'bench': there are benchmark, rho, repeats"):
        read_sweeps(["bench"], ROOT / "sweeps.yaml")


@pytest.mark.parametrize("prefix", ["../", "a b-", "δ-", "a=", "a,", "-", "..", "a~", ".x"])
def test_a_prefix_that_no_experiment_can_bear(prefix):
    with pytest.raises(UserError, match="a name of files and experiments has letters a to z"):
        expand({"one": [{"taxonomy": "guess"}]}, BASE, prefix)


@pytest.mark.parametrize("name", ["../x", "a/b", "long tail (v2)", "μ", "a,b", "a=b", "x.lock"])
def test_a_sweep_whose_name_is_no_name_of_files(tmp_path, name):
    (tmp_path / "sweeps.yaml").write_text(f"'{name}': [{{taxonomy: guess}}]\n")
    with pytest.raises(UserError, match="a name of files and experiments has letters a to z"):
        read_sweeps([], tmp_path / "sweeps.yaml")


@pytest.mark.parametrize("written", [0.001, "1e-3", "0.001", "1E-3"])
def test_a_value_is_the_same_in_whatever_way_it_is_written(written):
    [setting] = expand({"one": [{"taxonomy": "guess", "train.learning_rate": written}]}, BASE)
    assert setting.name == "guess-rho0.5-learning_rate0.001"
    assert dict(setting.changes)["train.learning_rate"] == 0.001


VALUES = [
    0.001, 1e-05, 3, -1, True, None, [6, 8], ["mean", "max"], "guess", "step143000", "0123", "1e3",
    "null", "True", "nan", "a b", "a,b=c", "ελληνικά/α", "it's", "C:\\x\\", "\\'", "'\\'",
    "${rho}", "[x]",
    "a#b", "", " a ", {"train": 5, "eval": 3},
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_dvc_writes_the_very_value_of_a_variant(tmp_path, value):
    (tmp_path / "params.yaml").write_text("train: {key: before}\n")
    apply_overrides(tmp_path / "params.yaml", [override("train.key", value)])
    assert read_yaml(tmp_path / "params.yaml") == {"train": {"key": value}}


@pytest.mark.parametrize(
    "text",
    ["a: {taxonomy: all}", "a: [1]", "a: [", "a: []\na: []", "", "- a", "a", "1", "a: [{x: 1}, 2]"],
)
def test_wrong_sweeps_file(tmp_path, text):
    (tmp_path / "sweeps.yaml").write_text(text)
    with pytest.raises(UserError, match=r"sweeps\.yaml"):
        read_sweeps([], tmp_path / "sweeps.yaml")


def test_overlaid_leaves_its_input():
    assert overlaid(BASE, {"train.seed": 7})["train"]["seed"] == 7
    assert BASE["train"]["seed"] == 42
