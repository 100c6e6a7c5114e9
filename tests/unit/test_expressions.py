"""Expressions of taxonomies: they mean what Python means, and bad ones are told in one line."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Tree
from guess_or_recall.taxonomy.trees import classify, tree
from tests.frames import frame


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
