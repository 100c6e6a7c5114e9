"""The card of a trained model: what it was made from, for people."""

from pathlib import Path

from guess_or_recall.io.files import atomic

CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
tags: [memorization, gpt_neox]
---
# A small GPT-NeoX that memorizes on purpose

{parameters:,} parameters, trained by the stage `model` of guess-or-recall on {windows:,} windows of
{length} tokens (text of pinned Python packages, some windows repeated), {epochs} times. It exists
to be studied for verbatim memorization; it is not a useful language model.

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
