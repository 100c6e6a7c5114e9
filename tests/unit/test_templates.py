"""Templates on hand-computed cases, one clause each."""

import numpy as np
import pytest

from guess_or_recall.features.templates import (
    is_incrementing,
    is_repeating,
    templates,
    words_and_numbers,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a1b 2", ["a", 1, "b", 2]),
        ("  a\n\t b  ", ["a", "b"]),
        ("0x1F 0b101 0o17", [31, 5, 15]),
        ("x 0x1F, y", ["x", 0, "x", 1, "F,", "y"]),  # the comma keeps int() from parsing it
        ("1_000 1_", [1000, 1, "_"]),
        ("+5 -7", [5, "-", 7]),
        ("007 00", [7, 0]),
        ("1.25", [1, ".", 25]),
        ("٣ ٤x", [3, "٤x"]),  # digits of any script parse as a word, only 0-9 are cut out
        ("x ٤'", ["x", 4]),  # the quote goes before the piece is parsed
        (r"a\nb", ["ab"]),  # backslash-n in the text itself: shown as \\n, both go
        (r"1\n2", [12]),
        (r"\x41", [41]),
        (r"\\nx5", [5]),  # deletion in order: once \n has gone, \x stands there
        ("a\x00b", ["a", 0, "b"]),  # shown as \x00
        ("a\u200bb", ["au", 200, "bb"]),  # shown as \u200b
        ('it\'s "3"', ["its", 3]),
        ("'1' '2'", [1, 2]),
        ("' \" \\", []),
        ("", []),
    ],
)
def test_tokens(text, tokens):
    parts = words_and_numbers(text)
    assert parts == tokens and [type(part) for part in parts] == [type(part) for part in tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("1", False),
        ("1 2", False),  # fewer than three
        ("1 2 3", True),
        ("3 2 1", True),
        ("1 5 2", True),  # three: no absolute value
        ("1 2 4", False),  # bends up: 1 - 4 + 4 > 0
        ("1 2 2", False),  # c equals b, though 1 - 4 + 2 <= 0
        ("5 5 5", False),
        ("1 2 a", False),
        ("a 1 2", False),
        ("a1b", False),
        ("1 2 3 4", True),  # four: all are used
        ("1 2 3 5", False),
        ("9 2 3 4", False),
        ("1 2 3 9", False),
        ("9 2 3 4 0", True),  # more than four: first and last are dropped
        ("9 2 3 5 0", False),
        ("9 2 3 4 6 0", False),
        ("x 1 y 2 z", False),
        ("a 1 a 2", False),  # period 2 steps, but one difference confirms nothing
        ("a1a2a3a", True),  # 1 a 2 a 3: period 2, 1 2 3
        ("1 a 2 a 3 a 4 a", True),
        ("1, 2, 3, 4, 5, 6", True),
        ("item 10\nitem 20\nitem 30\nitem 40", True),
        ("item 10\nitem 20\nitem 31\nitem 40 item 50", False),
        ("0x1F 0x20 0x21 0x22 0x23 0x24", True),
        ("0x1F, 0x20, 0x21, 0x22, 0x23, 0x24", False),  # cut as 0 x 1 F, 0 x 20 , ...
        ("10 9 8 7 6 5 4", True),
        ("7 7 7 7 7 7 7", False),  # passes without a step
        ("1 2 1 2 1 2 1 2 1", False),  # period 1 fails and leaves no step; period 2 has none
        ("a b a b a b a b", False),
        ("one two three four five", False),
        ("0 x 1 5 x 2 5 x 3 5 x 9", True),  # a constant number column beside a stepping one
        ("0 1 a 2 3 4 5", False),  # a column of numbers and words fails
    ],
)
def test_incrementing(text, expected):
    assert is_incrementing(text) is expected


def test_step_of_a_passing_column_is_kept_for_longer_periods():
    # Inner tokens 1 a 2 b 1 a 2 b 1 a: at period 2, the column 1 2 1 2 1 fails: no step.
    assert not is_incrementing("0 1 a 2 b 1 a 2 b 1 a 0")
    # Inner 1 5 2 9 3 5 4 9 5 5 6 9: at period 2, 1 2 3 4 5 6 steps before 5 9 5 9 fails; at
    # period 4, 1 3 5 and 2 4 6 step and confirm.
    assert is_incrementing("0 1 5 2 9 3 5 4 9 5 5 6 9 0")
    # Inner a 1 a 3 a 1 a 3 a 1 a 3: nothing passes with a step, period 4 has none.
    assert not is_incrementing("0 a 1 a 3 a 1 a 3 a 1 a 3 0")
    # Inner 1 5 2 9, twice 3 5 4 9: step at period 2, where period 4 gives it two tokens a column.
    assert not is_incrementing("0 1 5 2 9 3 5 4 9 0")


def test_confirmation_is_forgotten_between_periods():
    # Inner 1 a 2 b 3 a 4 b: period 2 confirms in its first column and fails in its second; at
    # period 4 every column passes with one difference only.
    assert not is_incrementing("0 1 a 2 b 3 a 4 b 0")
    assert is_incrementing("0 1 a 2 b 3 a 4 b 5 0")  # period 4: 1 3 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("aaa", False),  # three characters or fewer
        ("aaaa", True),
        ("abab", True),  # four: all are used
        ("xaba", False),
        ("abcd", False),
        ("xababy", True),  # more: first and last are dropped
        ("xabay", False),  # aba: period 2 is more than half of 3
        ("xaay", False),
        ("xaaay", True),
        ("xabcabcay", True),  # a partial last round
        ("xabcabcby", False),
        ("xabcdabcy", False),  # period 4 of length 7
        ("\nab\nab\nab\n", True),
        ("xaabaabaacaabaabaay", False),  # the half appears again, the rest does not fit
    ],
)
def test_repeating(text, expected):
    assert is_repeating(text) is expected


def test_repeating_only_where_not_incrementing():
    both = "111 111 11"  # three numbers that bend down; inner characters of period 4
    texts = ["1 2 3 4", "abababab", both, "nothing at all", "1 1 1 1 1 1 1 1"]
    assert is_incrementing(both) and is_repeating(both)
    incrementing, repeating = templates(texts)
    assert incrementing.tolist() == [True, False, True, False, False]
    assert repeating.tolist() == [False, True, False, False, True]


def test_no_texts():
    incrementing, repeating = templates([])
    assert incrementing.shape == repeating.shape == (0,)
    assert incrementing.dtype == repeating.dtype == np.bool_
