"""The figures that need attention, of the sequences of a subset, and what fits it (`gor draw`)."""

import sys
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.reading import layers_of
from guess_or_recall.attention.subset import Subset
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import TRAIN
from guess_or_recall.localization.delta import deltas_in
from guess_or_recall.localization.delta_profiles import class_profiles
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.notice import notice_page
from guess_or_recall.settings.params import Params
from guess_or_recall.taxonomy.variants import current_variant


def figures(
    path: Path, subset: Subset, cnns: list[Cnn], params: Params, notice: str | None = None
) -> Iterator[tuple[str, Figure]]:
    """The figures that need attention, of the classes that have sequences.

    Args:
        path: of the subset.
        subset: what it says of its sequences.
        cnns: of its classes.
        params: of the study.
        notice: what stands in the place of figures of Δ, which then mean nothing.
    """
    labels, classes, prefix = subset.label, subset.classes, params.sequences.prefix
    layers = layers_of(path)
    sequence_ids, attention, _ = read_gallery(path)
    yield (
        "attention_gallery",
        attention_gallery(attention, labels, sequence_ids, classes, prefix, layers),
    )
    if notice:
        yield from ((name, notice_page(notice)) for name in ("delta_maps", "delta_profile"))
        return
    delta = deltas_in(path, subset.sequence_id, cnns, labels, params.localize)
    yield "delta_maps", delta_maps(delta.maps, classes, prefix, layers)
    resampling = params.localize.bootstrap, params.seed
    table = class_profiles(delta.profiles, labels, classes, *resampling, layers)
    yield "delta_profile", delta_profile(table, classes)


def require_fitting(path: Path, subset: Subset, cnns: list[Cnn], classes: list[str]) -> None:
    """Raise UserError where the CNNs were trained for other classes or another model."""
    way_out = f"take the CNNs of its variant, {subset.variant}, or another subset"
    if classes != subset.classes:
        raise UserError(
            f"{TRAIN} is of the classes {', '.join(classes)}, {path} of "
            f"{', '.join(subset.classes)}: {way_out}"
        )
    layers = subset.provenance["layers"]
    if cnns[0].conv1.in_channels != layers:
        raise UserError(
            f"{TRAIN} is of a model of {cnns[0].conv1.in_channels} layers, {path} of one of "
            f"{layers}: {way_out}"
        )


def require_lengths(path: Path, subset: Subset, params: Params) -> None:
    """Raise UserError where the sequences have another length than those of params.yaml."""
    length, total = subset.tokens.shape[1], params.sequences.total
    if length != total:
        raise UserError(
            f"{path} is of sequences of {length} tokens, params.yaml of {total}: set "
            "sequences.prefix and sequences.suffix to those of the file"
        )


def note_variant(path: Path, subset: Subset, params: Params) -> None:
    """Say on stderr where the classes are the same, but of other thresholds."""
    current = current_variant(params).name
    if subset.variant != current:
        print(
            f"note: {path} is of {subset.variant}, params.yaml of {current}: "
            f"{TRAIN} may be of another variant than its classes",
            file=sys.stderr,
        )
