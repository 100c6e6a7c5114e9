"""Say what a reader must know of this study: `gor notes`.

What of the corpus was studied, what is unusual about the model and its attention, which variants
and classes have too few sequences, and whether the CNNs are above chance. The stages say it when
they run; this command reads it from data/ and metrics/, also where DVC had a stage in its cache.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from guess_or_recall import remarks
from guess_or_recall.errors import UserError
from guess_or_recall.io import paths
from guess_or_recall.io.files import read_json
from guess_or_recall.io.schemas import VARIANTS
from guess_or_recall.io.tables import read_csv
from guess_or_recall.settings.params import read_params


def main() -> None:
    """Print the notes on the stages, in their order; a stage that has not run has none.

    Raises:
        UserError: a file is damaged, or nothing was run yet.
    """
    known = 0
    for path, lines in NOTES.items():
        if not path.exists():
            print(f"({path} is not here: no notes on it)", file=sys.stderr)
            continue
        known += 1
        for line in lines():
            print(line)
    if not known:
        raise UserError("nothing was run here: `make repro`, or `dvc pull` (docs/sharing.md)")


def on_sequences() -> Iterable[str]:
    """Coverage of the corpus."""
    return remarks.of_sequences(read_json(paths.COVERAGE, "statement"))


def on_model() -> Iterable[str]:
    """Layers, weights and tokens of the model."""
    pointer = read_json(paths.MODEL_POINTER, "source", "attention_layers", "layers", "vocabulary")
    named = remarks.name_of(pointer)
    yield from remarks.of_bos(named, pointer.get("bos", []))
    yield from remarks.of_model(named, pointer)


def on_score() -> Iterable[str]:
    """Published scores."""
    return remarks.of_score(read_json(paths.metrics_of("score")))


def on_pool() -> Iterable[str]:
    """Variants that cannot be filled."""
    return remarks.of_pool(
        read_csv(paths.VARIANTS, VARIANTS, keep_default_na=False).to_dict("records")
    )


def on_attention() -> Iterable[str]:
    """Rows of the stored attention, by metrics alone: a light clone has no shards."""
    from guess_or_recall.attention.store import NOTES as NOTED
    from guess_or_recall.attention.store import TOLERANCE

    metrics = read_json(paths.metrics_of("attention"), "sequences", *NOTED)
    pointer = read_json(paths.MODEL_POINTER) if paths.MODEL_POINTER.exists() else {}
    return remarks.of_attention(metrics | {"bos": pointer.get("bos")}, TOLERANCE)


def on_label() -> Iterable[str]:
    """The sample."""
    samples = read_params().samples
    counts = read_json(paths.metrics_of("label"), "shortage", "sampled")
    return remarks.of_label(counts, samples.train, samples.eval)


def on_evaluation() -> Iterable[str]:
    """The CNNs."""
    return remarks.of_evaluation(read_json(paths.metrics_of("evaluate"), "above_chance"))


NOTES: dict[Path, Callable[[], Iterable[str]]] = {
    paths.COVERAGE: on_sequences,
    paths.MODEL_POINTER: on_model,
    paths.metrics_of("score"): on_score,
    paths.VARIANTS: on_pool,
    paths.metrics_of("attention"): on_attention,
    paths.metrics_of("label"): on_label,
    paths.metrics_of("evaluate"): on_evaluation,
}
