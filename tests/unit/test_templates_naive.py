"""Templates of random texts against a naive reading of the rules."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from guess_or_recall.features.templates import (
    is_incrementing,
    is_repeating,
    words_and_numbers,
)


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
