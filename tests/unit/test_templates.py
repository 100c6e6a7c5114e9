"""Templates on hand-computed cases, one clause each, and against a naive reading of the rules."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# A second reading of the rules: character by character, every column in full.


def naive_pieces(text):
    words = []
    for word in "".join(" " if char.isspace() else char for char in text).split(" "):
        if word == "":
            continue
        try:
            words.append(f"{int(word, 0):d}")
        except ValueError:
            words.append(word)
    pieces = []
    for word in repr(" ".join(words)).split(" "):
        for gone in [r"\n", r"\x", "\\", chr(39), chr(34)]:
            word = "".join(word.split(gone))
        run = ""
        for char in word:
            if run and (char in "0123456789") != (run[-1] in "0123456789"):
                pieces.append(run)
                run = ""
            run += char
        pieces.append(run)
    return [parsed(piece) for piece in pieces if piece.strip()]


def parsed(piece):
    try:
        return int(piece)
    except ValueError:
        return piece


def naive_incrementing(text):
    tokens = naive_pieces(text)
    if len(tokens) == 3 and {type(token) for token in tokens} == {int}:
        a, b, c = tokens
        return (c - b) <= (b - a) and c != b
    if len(tokens) <= 3:
        return False
    if len(tokens) > 4:
        del tokens[0], tokens[-1]
    step = None
    for period in range(1, len(tokens) // 2 + 1):
        good, confirmed = True, False
        for residue in range(period):
            rows = [i for i in range(len(tokens)) if i % period == residue]
            kinds = {type(tokens[i]) for i in rows}
            if kinds == {str}:
                good = len({tokens[i] for i in rows}) == 1
            elif kinds == {int}:
                gaps = [tokens[j] - tokens[i] for i, j in pairwise(rows)]
                good = len(set(gaps)) == 1
                if good and step is None and gaps[0] != 0:
                    step = gaps[0]
                confirmed = confirmed or len(gaps) >= 2
            else:
                good = False
            if not good:
                break
        if good and step is None:
            return False
        if good and confirmed:
            return True
    return False


def naive_repeating(text):
    if len(text) <= 3:
        return False
    inner = text[1:-1] if len(text) > 4 else text
    border = [0]  # the prefix function
    for i in range(1, len(inner)):
        length = border[-1]
        while length and inner[i] != inner[length]:
            length = border[length - 1]
        border.append(length + (inner[i] == inner[length]))
    return 2 * (len(inner) - border[-1]) <= len(inner)


WORDS = st.sampled_from(
    ["a", "b", "0x1F", "0b1", "007", "\\n", "\\x", "\\", "'", '"', "\n", "٣", "-1"]
)
MESS = st.lists(WORDS | st.integers(0, 12).map(str) | st.just(" "), max_size=24).map("".join)
SPACED = st.lists(WORDS | st.integers(0, 3).map(str), max_size=14).map(" ".join)


@st.composite
def lists_of_items(draw):
    """Text that steps through columns, now and then disturbed at one place."""
    rounds, period = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    column = st.tuples(st.integers(0, 9), st.integers(-2, 2)) | st.sampled_from(["a", "b,", "x."])
    columns = draw(st.lists(column, min_size=period, max_size=period))
    words = [
        number if isinstance(number, str) else str(abs(number[0] + turn * number[1]))
        for turn in range(rounds)
        for number in columns
    ]
    words = words[draw(st.integers(0, 2)) : len(words) - draw(st.integers(0, 2))]
    if words and draw(st.booleans()):
        words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(["a", "1", "7"]))
    return draw(st.sampled_from([" ", "\n"])).join(words)


@settings(deadline=None, max_examples=600)
@given(MESS | SPACED | lists_of_items() | st.text(max_size=30))
def test_incrementing_as_the_naive_reading(text):
    assert words_and_numbers(text) == naive_pieces(text)
    assert is_incrementing(text) == naive_incrementing(text)


@settings(deadline=None, max_examples=400)
@given(
    st.text("ab", max_size=20)
    | st.builds(
        lambda unit, times, tail: (unit * times)[: len(unit) * times - tail],
        st.text("abc ", min_size=1, max_size=6),
        st.integers(1, 6),
        st.integers(0, 5),
    )
)
def test_repeating_as_the_prefix_function_says(text):
    assert is_repeating(text) == naive_repeating(text)
