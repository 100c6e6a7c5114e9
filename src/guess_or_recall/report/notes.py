"""What a reader must know of this study, of its files (`gor notes`)."""

from collections.abc import Callable, Iterable
from pathlib import Path

from guess_or_recall import remarks
from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io import paths
from guess_or_recall.io.checksums import damaged
from guess_or_recall.io.files import read_json
from guess_or_recall.io.schemas import VARIANTS
from guess_or_recall.io.tables import read_csv
from guess_or_recall.settings.params import read_params


def on_model(path: Path) -> Iterable[str]:
    """Layers, weights and tokens of the model."""
    pointer = read_json(path, "source", "attention_layers", "layers", "vocabulary")
    named = remarks.name_of(pointer)
    yield from remarks.of_bos(named, pointer.get("bos", []))
    yield from remarks.of_model(named, pointer)


def on_pool(path: Path) -> Iterable[str]:
    """Variants that cannot be filled."""
    return remarks.of_pool(read_csv(path, VARIANTS, keep_default_na=False).to_dict("records"))


def on_attention(path: Path) -> Iterable[str]:
    """Rows of the stored attention, by metrics alone: a light clone has no shards."""
    from guess_or_recall.attention.store import NOTES as NOTED  # slow to import: with torch
    from guess_or_recall.attention.store import TOLERANCE

    metrics = read_json(path, "sequences", *NOTED)
    pointer = read_json(paths.MODEL_POINTER) if paths.MODEL_POINTER.exists() else {}
    return remarks.of_attention(metrics | {"bos": pointer.get("bos")}, TOLERANCE)


def on_label(path: Path) -> Iterable[str]:
    """The sample."""
    samples = read_params().samples
    return remarks.of_label(read_json(path, "shortage", "sampled"), samples.train, samples.eval)


def notes_of(path: Path) -> list[str]:
    """The notes that a file of `NOTES` tells; UserError where its values make no sense."""
    try:
        return list(NOTES[path](path))
    except UserError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        raise damaged(path, f"its values are none of its stage ({said})") from None


NOTES: dict[Path, Callable[[Path], Iterable[str]]] = {  # in the order of the stages
    paths.COVERAGE: lambda path: remarks.of_sequences(read_json(path, "statement")),
    paths.MODEL_POINTER: on_model,
    paths.metrics_of("score"): lambda path: remarks.of_score(read_json(path)),
    paths.VARIANTS: on_pool,
    paths.metrics_of("attention"): on_attention,
    paths.metrics_of("label"): on_label,
    paths.metrics_of("evaluate"): lambda path: remarks.of_evaluation(
        read_json(path, "above_chance")
    ),
}
