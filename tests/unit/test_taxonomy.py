"""Trees, expressions and classes against a row-by-row reading of the paper's definitions."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.taxonomy.trees import TREES, classify, tree
from guess_or_recall.taxonomy.variants import Variant, variants

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
GRID = [tenth / 10 for tenth in range(1, 10)]
RHOS = [pair for rho in GRID for pair in ((rho, rho), (rho, math.inf), (math.inf, rho))]


def frame(rows=150, seed=0):
    """Random features, with many values that stand exactly on a threshold."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "sequence_id": np.arange(rows) * 3,
            "sequence_duplicates": rng.choice([1, 4, 5, 6, 50, 51, 1000, 1001], rows),
            "memorization_score": rng.choice([0.0, 31 / 32, 1.0, 1.0, 1.0], rows),
            "rouge_l": rng.choice([*GRID, 0.0, 1.0, 16 / 32, 9 / 32], rows),
            "rouge_3": rng.choice([*GRID, 0.0, 1.0, 15 / 30, 9 / 30], rows),
            "is_incrementing": rng.random(rows) < 0.1,
            "is_repeating": rng.random(rows) < 0.1,
            "is_code": rng.random(rows) < 0.4,
        }
    )


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


def evaluated(expression, table):
    declared = Tree(nodes={"yes": expression})
    got = classify(table, tree("own", {"own": declared}), delta=5, rho_l=0.5, rho_3=math.inf)
    return got == 1


atoms = st.sampled_from(
    [
        "is_code",
        "is_repeating",
        "rouge_l >= rho_l",
        "rouge_3 >= rho_3",
        "0.2 <= rouge_l < 0.5 != rouge_3",
        "sequence_duplicates > delta",
        "sequence_duplicates == 50",
        "rouge_3 < rouge_l",
        "is_code == is_repeating",
        "True",
    ]
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(lambda part: f"not ({part})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({parts[0]}) {parts[1]} {parts[2]}"
        ),
    ),
    max_leaves=6,
)


@given(expressions)
def test_expressions_mean_what_python_means(expression):
    table = frame(40).assign(memorization_score=1.0)
    thresholds = {"delta": 5, "rho_l": 0.5, "rho_3": math.inf}
    rows = table.to_dict("records")
    expected = [bool(eval(expression, {}, row | thresholds)) for row in rows]
    assert evaluated(expression, table).tolist() == expected


def test_an_expression_may_span_lines():
    table = frame().assign(memorization_score=1.0)
    folded = evaluated("is_code\n  or is_repeating\n", table)
    assert folded.tolist() == (table["is_code"] | table["is_repeating"]).tolist()


@pytest.mark.parametrize(
    "expression",
    [
        "is_code  # a comment\n or is_repeating",
        "is_code or is_repeating  # at the end",
        "# before\nis_code",
        "(is_code #\n)",
        "#",
    ],
)
def test_a_comment_never_swallows_a_part_of_an_expression(expression):
    with pytest.raises(UserError, match="holds a '#': a comment belongs above it") as caught:
        evaluated(expression, frame())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rouge_9 > 0.5", "no column 'rouge_9' (there are sequence_id, sequence_duplicates"),
        ("is_code or", "expression 'is_code or' cannot be read"),
        ("is_code &", "cannot be read"),
        ("", "cannot be read"),
        ("rouge_l", "'rouge_l' is a number, not true or false"),
        ("is_code and sequence_duplicates", "'sequence_duplicates' is a number"),
        ("not rouge_l", "'rouge_l' is a number"),
        ("is_code & is_repeating", "'is_code & is_repeating' is not allowed"),
        ("abs(rouge_l) > 0.5", "no column 'abs'"),
        ("is_code.any()", "'is_code.any()' is not allowed"),
        ("().__class__ == 1", "'().__class__' is not allowed"),
        ("rouge_l > 'a'", "is not allowed"),
        ("rouge_l in (1, 2)", "is not allowed"),
        ("is_code if is_code else is_repeating", "is not allowed"),
        ("(x := 1) > 0", "no column 'x'"),
        ("is_code\n or rouge_9 > 1", "expression 'is_code or rouge_9 > 1': no column"),
        ("1or is_code", "cannot be read: invalid decimal literal"),
        ("is_code is 1", "is not allowed"),
        ("(" * 300 + "is_code" + ")" * 300, "cannot be read"),
        ("not " * 21 + "is_code", "has more than 20 parts inside one another"),
        ("not (" * 60 + "is_code" + ")" * 60, "has more than 20 parts inside one another"),
        ("-" * 1990 + "1 > 0", "expression '---"),
        ("is_code or " * 400 + "is_code", "has 4,407 characters: at most 2,000 are read"),
        ("rouge_l > " + "9" * 1900, "has a number of more digits than 64 bits hold"),
    ],
)
def test_bad_expressions_are_told_in_one_line(expression, said):
    with pytest.raises(UserError) as caught:
        evaluated(expression, frame())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_of_text_is_no_column_of_an_expression():
    with pytest.raises(UserError, match="no column 'text'"):
        evaluated("text == rouge_l", frame().assign(text="a"))


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
