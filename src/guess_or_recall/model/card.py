"""What a trained model was made from: its card, and the check that a corpus is the one it saw."""

from pathlib import Path

from tokenizers import Tokenizer

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, read_json

CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [memorization, gpt_neox]
---
# A small GPT-NeoX that memorizes on purpose

{parameters:,} parameters, trained by the stage `model` of guess-or-recall on {windows:,} windows of
64 tokens (text of pinned Python packages, some windows repeated), {epochs} times. It exists to be
studied for verbatim memorization; it is not a useful language model.

| made from | value |
| --- | --- |
| manifest of the corpus (sha256) | `{manifest}` |
| training stream (sha256) | `{stream}` |
| tokenizer (sha256) | `{tokenizer}` |
| seed | {seed} |
| settings (`model.train`) | `{settings}` |
| device, torch | {device}, {torch} |
| loss of the last 100 steps | {loss:.4f} nats a token |

Packages and their hashes: `corpus.json`. To rebuild it, on a GPU:

    dvc exp run -S model.source=train model

The weights are float16 safetensors. The texts belong to their authors under the packages' licences.
"""


def write_card(folder: Path, corpus: dict, **facts: object) -> None:
    """Write README.md of a trained model."""
    card = CARD.format(
        windows=corpus["stream_windows"],
        manifest=corpus["manifest_sha256"],
        stream=corpus["stream_sha256"],
        tokenizer=corpus["tokenizer_sha256"],
        **facts,
    )
    with atomic(folder / "README.md") as temporary:
        temporary.write_text(card)


def check_tokenizer(model: Path, sequences: Path) -> None:
    """Raise UserError where the model's own tokenizer is not the one of the sequences.

    Sequences that come as tokens have none to compare: the score tells whether they fit.
    """
    own = model / "tokenizer.json"
    if not (sequences / "tokenizer").exists():
        return
    if own.exists() and vocabulary(own) != vocabulary(sequences / "tokenizer" / "tokenizer.json"):
        raise UserError(
            f"the sequences were not made with the tokenizer of '{model}': set "
            f"sequences.tokenizer to {{source: path, path: {model}}}, or train a model on them "
            "(model.source: train)"
        )


def vocabulary(path: Path) -> dict[str, int]:
    """Token -> id of a tokenizer.json; UserError where it cannot be read."""
    try:
        return Tokenizer.from_file(str(path)).get_vocab()
    except Exception as error:  # of no narrower type
        raise UserError(
            f"{path} cannot be read ({error}): fetch or copy its folder again, or name another"
        ) from None


def check_corpus(model: Path, sequences: Path) -> None:
    """Raise UserError where the corpus of packages is not the one that the model was trained on.

    Planting and counts are part of it: the model has seen exactly the stream whose hash its
    folder records, and its memorization can only be explained by that stream.
    """
    here = read_json(sequences / "corpus.json")
    if not (model / "corpus.json").exists() or here["source"] != "packages":
        return
    seen = read_json(model / "corpus.json")
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
