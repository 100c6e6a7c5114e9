"""The sequence that is asked about, at lengths of its own, and what is said of it."""

import re
from string import ascii_lowercase

import numpy as np
import pyarrow as pa
import pytest
import torch
from rich.console import Console
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast

from guess_or_recall.attention.pooling import pooled_attention
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.audit import describe, examine
from guess_or_recall.audit.examine import Examination
from guess_or_recall.audit.lookup import Subject, look_up
from guess_or_recall.audit.parting import Parting
from guess_or_recall.classifier.cnn import Architecture, Cnn
from guess_or_recall.corpus.tokenizer import train_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths, schemas
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.localization.delta import Pooled, deltas
from guess_or_recall.model.scoring import score
from guess_or_recall.model.training import new_model
from guess_or_recall.settings.lengths import Lengths
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from guess_or_recall.taxonomy.trees import TaxonomyTree
from tests.conftest import ROOT

KINDS = ("guided", "plain")  # of gradients
LENGTHS = Lengths(prefix=3, suffix=2)
TREE = TaxonomyTree("mine", (("often", "sequence_duplicates > delta"), ("code", "is_code")), "rest")

PARTING = Parting("de", "de", None)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """A token for each letter: its place in the alphabet."""
    letters = Tokenizer(WordLevel({letter: i for i, letter in enumerate(ascii_lowercase)}))
    letters.pre_tokenizer = Split(Regex("."), "isolated")  # pyright: ignore[reportAttributeAccessIssue]
    return PreTrainedTokenizerFast(tokenizer_object=letters)


@pytest.fixture(autouse=True)
def corpus(workspace):
    """Two sequences of five tokens, and a stream of six windows."""
    rows = np.arange(10, dtype=np.int32).reshape(2, 5)
    unknown = {
        name: pa.nulls(2, kind.type)
        for name, kind in zip(schemas.sequences(5).names, schemas.sequences(5), strict=True)
    }
    table = pa.table(
        unknown | {"sequence_id": pa.array([7, 9]), "tokens": token_column(rows)}
        | {"sequence_duplicates": pa.array([4, 1])},
        schema=schemas.sequences(5),
    )  # fmt: skip
    write_table(paths.SEQUENCES, table)


def stream(windows: np.ndarray) -> None:
    write_table(paths.STREAM, pa.table({"tokens": token_column(windows.astype(np.int32))}))


def test_a_sequence_is_found_by_its_id(tokenizer):
    subject = look_up("9", tokenizer, LENGTHS)
    assert subject.name == "9" and subject.duplicates == 1
    assert subject.tokens.tolist() == [[5, 6, 7, 8, 9]]


def test_other_ids_are_refused(tokenizer):
    with pytest.raises(
        UserError, match="no sequence has the id 8: the 2 studied have ids such as 7"
    ):
        look_up("8", tokenizer, LENGTHS)


def test_sequences_of_other_lengths_are_refused(tokenizer):
    with pytest.raises(UserError, match="column 'tokens' is"):
        look_up("9", tokenizer, Lengths(prefix=3, suffix=3))


def test_a_text_is_cut_to_the_length(tokenizer, capsys):
    subject = look_up("abcdefg", tokenizer, LENGTHS)
    assert subject.duplicates is None
    assert subject.tokens.tolist() == [[0, 1, 2, 3, 4]]
    assert "the first 5 of 7 tokens are taken" in capsys.readouterr().err


def test_each_text_has_a_name_of_its_own(tokenizer):
    names = [look_up(text, tokenizer, LENGTHS).name for text in ("abcde", "abcdf", "abcdefg")]
    assert names[0] == names[2] != names[1]
    assert all(re.fullmatch("text-[0-9a-f]{12}", name) for name in names)


def test_a_short_text_is_refused(tokenizer):
    message = "the text has 4 tokens, 5 are needed: a prefix of 3 and a suffix of 2"
    with pytest.raises(UserError, match=message):
        look_up("abcd", tokenizer, LENGTHS)


def test_digits_too_many_for_an_id_are_a_text(tokenizer):
    with pytest.raises(UserError, match=r"cannot encode a text \(WordLevel error: Missing"):
        look_up("1" * 5000, tokenizer, LENGTHS)


def test_bytes_that_are_no_text_are_read_as_the_replacement_character():
    tokenizer = train_tokenizer(["abc"], 257)
    tokens = look_up("ab\udcff", tokenizer, LENGTHS).tokens
    assert tokenizer.decode(tokens[0]) == "ab\ufffd"


def test_a_suffix_is_counted_within_every_window(tokenizer):
    lengths = Lengths(prefix=3, suffix=32)
    patterns = [np.resize(pattern, 35) for pattern in ([0], [0, 1], [0, 1, 2], [1, 0])]
    windows = np.stack([patterns[i] for i in (0, 1, 2, 3, 1, 0, 0)])
    stream(windows)
    for pattern in patterns:
        text, suffix = "".join(ascii_lowercase[i] for i in pattern), pattern[3:].tolist()
        expected = sum(row[i : i + 32].tolist() == suffix for row in windows for i in range(4))
        assert expected > 0
        assert look_up(text, tokenizer, lengths).duplicates == expected


@pytest.mark.parametrize("gradients", KINDS)
def test_the_map_of_a_sequence_is_made_as_those_of_the_study(monkeypatch, gradients):
    content = read_yaml(ROOT / "params.yaml")
    content["sequences"] |= {"prefix": 16, "suffix": 16}
    content["features"]["is_code"] = "off"
    content["localize"]["gradients"] = gradients
    params = parse_params(dump_yaml(content), "here")
    torch.manual_seed(0)
    cnns = [Cnn(Architecture(6, 4, pooling), 2, 3, 32).eval() for pooling in ("mean", "max")]
    monkeypatch.setattr(examine, "load_current", lambda tree, device: cnns)
    model = new_model(vocabulary=300, layers=2, width=16, heads=2, length=32, seed=0).eval()
    tokens = np.arange(32, dtype=np.int32)[None] + 60
    seen = examine.examine(Subject("7", tokens, 1), model, train_tokenizer(["abc"], 300), params)
    continued = score(model, tokens, 16, 1, 1).continuation
    studied = torch.from_numpy(np.concatenate([tokens[:, :16], continued], 1).astype(np.int64))
    pooled: Pooled = dict(zip(POOLINGS, pooled_attention(model, studied).numpy(), strict=True))
    label = np.array([seen.label], np.int8)
    both = {name: deltas(cnns, pooled, label, name, 1, True).maps[seen.label] for name in KINDS}
    np.testing.assert_array_equal(seen.delta, both[gradients])
    assert not np.array_equal(*both.values())


def examination(label: int, **features: float | bool) -> Examination:
    zeros = np.zeros((1, 5, 5), np.float32)
    letters = list("abcde")
    return Examination(features, TREE, label, letters, PARTING, zeros, zeros, {})


@pytest.mark.parametrize(
    ("label", "steps"),
    [
        (0, ["memorization score < 1?  yes → non-memorized"]),
        (2, ["memorization score < 1?  no", "duplicates > 5?  no", "code?  yes → code"]),
        (
            3,
            ["memorization score < 1?  no", "duplicates > 5?  no", "code?  no", "none → rest"],
        ),
    ],
)
def test_the_way_ends_at_the_class(label, steps):
    assert list(describe.way_through(examination(label), {"delta": 5.0})) == steps


def test_memorized_means_all_of_it():
    whole, part = (examination(1, memorization_score=score) for score in (1.0, 0.996))
    assert describe.memorization(whole, 3) == "memorized (3-extractable), memorization score 1.00"
    assert describe.memorization(part, 3).startswith("not memorized")


def test_the_bar_stands_before_the_suffix_and_the_key_of_most_delta_is_darkest():
    delta = np.zeros((2, 5, 5), np.float32)
    delta[1, 4, 2] = 0.5
    text = describe.looked_at(list("abcde"), delta, prefix=3)
    assert text.plain.splitlines()[1].split() == ["a", "b", "c", "‖", "d", "e"]
    colors = {text.plain[span.start : span.end]: str(span.style) for span in text.spans}
    assert colors["c"].endswith("rgb(255,110,0)") and colors["d"].endswith("rgb(255,255,255)")


def test_chances_end_with_their_mean():
    chances = {"k6": np.array([0.2, 0.8], np.float32), "k8": np.array([0.6, 0.4], np.float32)}
    console = Console(width=80)
    with console.capture() as captured:
        console.print(describe.chances_table(chances, ("guess", "recall")))
    rows = [line.split("│")[1:-1] for line in captured.get().splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["k6", "0.20", "0.80"],
        ["k8", "0.60", "0.40"],
        ["mean", "0.40", "0.60"],
    ]
