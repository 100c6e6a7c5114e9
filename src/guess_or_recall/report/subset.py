"""The figures that need attention, of the sequences of a subset (`gor draw`)."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.reading import layers_of
from guess_or_recall.attention.subset import Subset
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.localization.delta import deltas_in
from guess_or_recall.localization.delta_profiles import class_profiles
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.notice import notice_page
from guess_or_recall.settings.params import Params


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
