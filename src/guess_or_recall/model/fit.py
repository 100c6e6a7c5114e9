"""Whether a model fits a corpus: its positions, its tokenizer, and the stream that it has seen."""

from pathlib import Path

from tokenizers import Tokenizer
from transformers import PretrainedConfig

from guess_or_recall.corpus.tokenizer import vocabulary_alone
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import CORPUS

PROBE = "The year 2024, isn't it?\n\n\tdef f(x_1):  return x*10_000 # Ünïcode…  “ok”\r\n"


def check_fit(
    folder: Path, config: PretrainedConfig, sequences: Path, length: int, named: str, front: int
) -> None:
    """Raise UserError where a model cannot be studied on a corpus.

    Args:
        folder: of the model.
        config: of the model.
        sequences: what the stage `sequences` made.
        length: tokens of a sequence.
        named: what errors call the model.
        front: tokens in front of a sequence (BOS).
    """
    check_positions(config, length, named, front)
    check_tokenizer(folder, sequences)
    check_corpus(folder, sequences)


def check_positions(config: PretrainedConfig, length: int, named: str, front: int = 0) -> None:
    """Raise UserError where a model reads fewer tokens than a sequence has, with those in front."""
    needed = length + front
    positions = getattr(config.get_text_config(), "max_position_embeddings", needed)
    if positions < needed:
        counted = " with the BOS token in front (model.bos)" if front else ""
        raise UserError(
            f"{named} reads {positions} tokens, {needed} are needed{counted}: shorten "
            "sequences.prefix or sequences.suffix, or take another model"
        )


def check_tokenizer(model: Path, sequences: Path) -> None:
    """Raise UserError where the model's own tokenizer is not the one of the sequences.

    Tokens that were added to either alone, such as one for padding, make no difference. Sequences
    that come as tokens have none to compare: the score tells whether they fit.
    """
    of_model, of_sequences = model / "tokenizer.json", sequences / "tokenizer" / "tokenizer.json"
    if not of_sequences.exists() or not of_model.exists():
        return
    pair = read_tokenizer(of_model), read_tokenizer(of_sequences)
    vocabularies = [tokenizer.get_vocab(with_added_tokens=False) for tokenizer in pair]
    added = [
        {token.content: number for number, token in tokenizer.get_added_tokens_decoder().items()}
        for tokenizer in pair
    ]
    shared = added[0].keys() & added[1].keys()
    probes = [ids_of(PROBE, tokenizer) for tokenizer in pair]
    if (
        plain(vocabularies[0], added[0]) != plain(vocabularies[1], added[1])
        or any(added[0][token] != added[1][token] for token in shared)
        or probes[0] != probes[1]
    ):
        raise UserError(
            f"the sequences were not made with the tokenizer of '{model}': set "
            f"sequences.tokenizer to {{source: path, path: {model}}}, or train a model on them "
            "(model.source: train)"
        )


def ids_of(text: str, tokenizer: Tokenizer, added: bool = False) -> list[int] | None:
    """Ids of a text, with what a template adds; None where the tokenizer has none for a word."""
    try:
        return tokenizer.encode(text, add_special_tokens=added).ids
    except Exception:  # of no narrower type
        return None


def plain(vocabulary: dict[str, int], added: dict[str, int]) -> dict[str, int]:
    """A vocabulary without its added tokens."""
    return {token: number for token, number in vocabulary.items() if token not in added}


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json without what changes a text's tokens; UserError where it cannot be read."""
    try:
        return vocabulary_alone(Tokenizer.from_file(str(path)))
    except Exception as error:  # of no narrower type
        raise UserError(
            f"{path} cannot be read ({error}): fetch or copy its folder again, or name another"
        ) from None


def check_corpus(model: Path, sequences: Path) -> None:
    """Raise UserError where the corpus of packages is not the one that the model was trained on.

    Planting and counts are part of it: the model has seen exactly the stream whose hash its
    folder records, and its memorization can only be explained by that stream.
    """
    here = read_json(sequences / CORPUS.name)
    if not (model / CORPUS.name).exists() or here["source"] != "packages":
        return
    seen = read_json(model / CORPUS.name)
    if seen["stream_sha256"] == here["stream_sha256"]:
        return
    then, now = seen["packages"], here["packages"]
    differ = [
        f"{name} ({describe(then.get(name))} then, {describe(now.get(name))} now)"
        for name in sorted(then | now)
        if then.get(name) != now.get(name)
    ]
    cause = (
        f"packages differ: {', '.join(differ)}" if differ else "params `sequences` or `seed` differ"
    )
    raise UserError(
        f"the corpus is not the one that '{model}' was trained on: {cause}. Restore it "
        "(pip install -r requirements.txt --force-reinstall; git checkout params.yaml), or train "
        "a model on this corpus (model.source: train)"
    )


def describe(package: dict | None) -> str:
    """Version and hash of a package in an error."""
    return "none" if package is None else f"{package['version']} {package['sha256'][:8]}"
