"""Trees and classes against a row-by-row reading of the paper's definitions."""

import math

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.taxonomy.trees import TREES, classify, tree
from guess_or_recall.taxonomy.variants import Variant, variants
from tests.frames import GRID, frame

# every tree, by hand: its nodes, each as the alternatives of which one has to hold
BY_HAND = {
    "reconstruct": [["reconstruct"]],
    "guess": [["guess"]],
    "code": [["code"]],
    "recite": [["recite"]],
    "recollect": [["recollect"]],
    "recite-or-reconstruct": [["recite", "reconstruct"]],
    "recite-or-guess": [["recite", "guess"]],
    "recite-or-code": [["recite", "code"]],
    "reconstruct-or-recollect": [["reconstruct", "recollect"]],
    "guess-or-recollect": [["guess", "recollect"]],
    "code-or-recollect": [["code", "recollect"]],
    "recite-then-reconstruct": [["recite"], ["reconstruct"]],
    "recite-then-guess": [["recite"], ["guess"]],
    "recite-then-code": [["recite"], ["code"]],
    "reconstruct-then-recite": [["reconstruct"], ["recite"]],
    "guess-then-recite": [["guess"], ["recite"]],
    "code-then-recite": [["code"], ["recite"]],
    "recollect-then-reconstruct": [["recollect"], ["reconstruct"]],
    "recollect-then-guess": [["recollect"], ["guess"]],
    "recollect-then-code": [["recollect"], ["code"]],
}


DELTAS = (5, 50, 1000)


RHOS = [pair for rho in GRID for pair in ((rho, rho), (rho, math.inf), (math.inf, rho))]


def naive(row, name, delta, rho_l, rho_3):
    """Class of one sequence, as the paper says it."""
    if row.memorization_score < 1:
        return 0
    reconstruct = row.is_incrementing or row.is_repeating
    holds = {
        "recite": row.sequence_duplicates > delta,
        "recollect": row.sequence_duplicates <= delta,
        "reconstruct": reconstruct,
        "guess": reconstruct or row.rouge_l >= rho_l or row.rouge_3 >= rho_3,
        "code": row.is_code,
    }
    for label, alternatives in enumerate(BY_HAND[name], start=1):
        if any(holds[node] for node in alternatives):
            return label
    return len(BY_HAND[name]) + 1


def test_there_are_exactly_the_twenty_trees():
    assert len(TREES) == 20
    assert set(TREES) == set(BY_HAND)


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_every_tree_delta_and_rho_agrees_with_the_naive_reading(name):
    table = frame(seed=len(name))
    rows = list(table.itertuples())
    built = tree(name, {})
    for delta in DELTAS:
        for rho_l, rho_3 in RHOS:
            got = classify(table, built, delta=delta, rho_l=rho_l, rho_3=rho_3)
            assert got.dtype == np.int8
            assert got.tolist() == [naive(row, name, delta, rho_l, rho_3) for row in rows]


def test_the_random_frame_reaches_every_class():
    for name in TREES:
        built = tree(name, {})
        got = classify(frame(), built, delta=5, rho_l=0.5, rho_3=0.5)
        assert set(got) == set(range(len(built.classes)))


def test_class_names():
    assert tree("guess", {}).classes == ("non-memorized", "guess", "recall")
    assert tree("code", {}).classes == ("non-memorized", "code", "others")
    assert tree("recite-or-guess", {}).classes == ("non-memorized", "recite-or-guess", "others")
    assert tree("guess-then-recite", {}).classes == ("non-memorized", "guess", "recite", "others")


def test_the_benchmark_has_54_variants_and_the_rho_study_27():
    benchmark = [len(variants(tree(name, {}), DELTAS, [(0.5, 0.5)])) for name in TREES]
    assert sum(benchmark) == 54
    assert [name for name, number in zip(TREES, benchmark, strict=True) if number == 1] == [
        "reconstruct",
        "guess",
        "code",
    ]
    assert len(variants(tree("guess", {}), DELTAS, RHOS)) == 27
    code, recite = tree("code", {}), tree("recite", {})
    assert variants(code, DELTAS, RHOS) == [Variant(code, {})]
    assert variants(recite, [5], RHOS) == [Variant(recite, {"delta": 5})]


def test_thresholds_that_a_tree_names():
    assert tree("recite-or-guess", {}).depends_on == {"delta", "rho_l", "rho_3"}
    assert tree("code", {}).depends_on == set()
    declared = Tree(nodes={"like": "rouge_l >= rho_l"})
    assert tree("own", {"own": declared}).depends_on == {"rho_l"}
    assert len(variants(tree("own", {"own": declared}), DELTAS, RHOS)) == 10  # nine and off


def test_a_declared_tree_takes_the_first_node_that_holds():
    declared = Tree(
        nodes={"famous": "sequence_duplicates > 8", "template": "is_incrementing or is_repeating"},
        others="rare",
    )
    table = pd.DataFrame(
        {
            "memorization_score": [1.0, 1.0, 1.0, 0.5, 1.0],
            "sequence_duplicates": [9, 8, 8, 9, 9],
            "is_incrementing": [True, True, False, True, False],
            "is_repeating": [False, False, False, False, False],
        }
    )
    built = tree("mine", {"mine": declared})
    assert built.classes == ("non-memorized", "famous", "template", "rare")
    got = classify(table, built, delta=5, rho_l=0.5, rho_3=0.5)
    assert got.tolist() == [1, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("recite-then-gues", "did you mean .*recite-then-guess"),
        ("code-then-guess", "unknown taxonomy 'code-then-guess'"),
        ("minee", "did you mean mine"),
        ("xyzzy", r"unknown taxonomy 'xyzzy': use one of recite-then-reconstruct, .*, mine, or"),
    ],
)
def test_unknown_trees_are_told_with_what_is_close(name, said):
    with pytest.raises(UserError, match=said):
        tree(name, {"mine": Tree(nodes={"a": "is_code"})})


@pytest.mark.parametrize(
    ("name", "declared", "said"),
    [
        ("mine", Tree(nodes={"non-memorized": "is_code"}), "'non-memorized' is reserved"),
        ("mine", Tree(nodes={"a": "is_code"}, others="non-memorized"), "is reserved"),
        ("mine", Tree(nodes={"others": "is_code"}), "'others' is used twice"),
        ("guess", Tree(nodes={"a": "is_code"}), "'guess' is taken"),
        ("all", Tree(nodes={"a": "is_code"}), "'all' is taken"),
    ],
)
def test_reserved_names(name, declared, said):
    with pytest.raises(UserError, match=said):
        tree(name, {name: declared})


@pytest.mark.parametrize(
    ("rho_l", "rho_3", "name", "slug"),
    [
        (0.5, 0.5, "recite-or-guess delta=5 rho=0.5", "recite-or-guess-delta5-rho0.5"),
        (0.5, math.inf, "recite-or-guess delta=5 rho_l=0.5", "recite-or-guess-delta5-rho_l0.5"),
        (math.inf, 0.5, "recite-or-guess delta=5 rho_3=0.5", "recite-or-guess-delta5-rho_3-0.5"),
        (
            *(0.3, 0.6, "recite-or-guess delta=5 rho_l=0.3 rho_3=0.6"),
            "recite-or-guess-delta5-rho_l0.3-rho_3-0.6",
        ),
        (math.inf, math.inf, "recite-or-guess delta=5", "recite-or-guess-delta5"),
    ],
)
def test_names_of_variants(rho_l, rho_3, name, slug):
    thresholds = {"delta": 5, "rho_l": rho_l, "rho_3": rho_3}
    variant = Variant(tree("recite-or-guess", {}), thresholds)
    assert (variant.name, variant.slug) == (name, slug)
