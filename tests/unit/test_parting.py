"""Where a model leaves a text, in words and on the figure; and that texts are printed as they are.

What a user has made, such as the name of a class, goes through no markup of rich.
"""

# the stubs of matplotlib take a value for any of several types
# pyright: reportArgumentType=false

import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from rich.table import Table

from guess_or_recall.audit.describe import chances_table
from guess_or_recall.audit.parting import Parting, on_one_line, parting, suffixes
from guess_or_recall.commands._console import plain_console
from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.report.sequence import Words, sequence_figure, shown
from guess_or_recall.report.style import PALETTE
from tests.conftest import ROOT
from tests.dependencies import PACKAGE

MARKUP = "[bold]a[/x] :book: [red]"
TOKENIZER = train_tokenizer(["abc"], 257)  # a token for each byte


def ids(text: str) -> np.ndarray:
    return np.array(TOKENIZER.backend_tokenizer.encode(text).ids, np.int32)


def test_both_suffixes_are_shown_and_where_they_part():
    lines = list(suffixes(parting(TOKENIZER, ids("x = 1\nüb"), ids("x = 1\nya!")), 32))
    assert lines == [
        "suffix of the text:       x = 1⏎üb",
        "the model's continuation: x = 1⏎ya!",
        "they part at token 7 of the suffix (39 of the sequence), ‹�› in the text and ‹y› of the "
        "model, and at character 7 of the suffix",
    ]


def test_a_memorized_sequence_never_parts():
    compared = parting(TOKENIZER, ids("abc"), ids("abc"))
    assert compared == Parting("abc", "abc", None)
    assert compared.rest == ""
    assert parting(TOKENIZER, ids("abcd"), ids("abxd")).rest == "cd"
    assert list(suffixes(compared, 3))[1:] == [
        "the model's continuation: the same, they never part"
    ]


def test_other_tokens_of_the_same_characters_are_said():
    last = list(suffixes(Parting("ab", "ab", 0, ("a", "ab")), 3))[-1]
    assert last.endswith("‹a› in the text and ‹ab› of the model, in the same characters")


def test_no_character_of_a_text_moves_the_cursor():
    assert on_one_line("a\x1b[2J\tb\r\u200b c") == "a□[2J→b␍□ c"
    assert shown("\x1b[2J") == "□[2J"


@pytest.mark.parametrize(("place", "first"), [(None, 8), (0, 5), (2, 7)])
def test_the_figure_tells_the_models_tokens_from_those_of_the_text(place, first):
    """On both axes, and in the title."""
    values = np.zeros((2, 8, 8), np.float32)
    words = Words(list("abcdefgh"), 5, place, "xy\n日 \x1bz")
    figure = sequence_figure(values, values, words, 0, "7: recall", range(2))
    axes = figure.axes[0]
    figure.savefig(BytesIO())  # warns of a letter that the font lacks
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        is_own = [to_hex(label.get_color()) == PALETTE[5].lower() for label in labels]
        assert is_own == [number >= first for number in range(8)]
    said = (
        f"from token {first + 1} on (orange) the model's own continuation, not the text the text "
        "goes on: ‹xy⏎□·□z›"
    )
    assert (said in axes.get_title().replace("\n", " ")) == (place is not None)


def test_markup_in_the_name_of_a_class_is_text(capsys):
    chances = {"k6": np.array([0.5, 0.5], np.float32)}
    console = plain_console(soft_wrap=True)
    console.print(chances_table(chances, (MARKUP, "b")))
    console.print(f"7: {MARKUP}", style="bold")
    console.print(Table(MARKUP, title=MARKUP))
    assert capsys.readouterr().out.count(MARKUP) == 4


def test_no_command_makes_a_console_that_reads_markup():
    documents = [
        str(file.relative_to(ROOT))
        for file in [*PACKAGE.rglob("*.py"), *(ROOT / "src").glob("*.py")]
        if re.search(r"\b(Console\(|rich import print|rich\.print)", file.read_text())
    ]
    assert documents == ["src/guess_or_recall/commands/_console.py"]
