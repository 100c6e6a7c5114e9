"""Figures of a subset of the attention: `python src/run.py draw FILE`.

FILE is of `python src/run.py subset`. From it and the CNNs of data/train, without data/attention,
it draws attention_gallery, delta_maps and delta_profile, of the classes that the file has.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.subset import Subset, read_subset
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.commands.subset import variant_of
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import output_folder
from guess_or_recall.localization.delta import deltas_in
from guess_or_recall.localization.profiles import class_profiles
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.style import save
from guess_or_recall.settings.params import Params, read_params

TRAIN = Path("data/train")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py draw", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("file", metavar="FILE", type=Path, help="of `python src/run.py subset`")
    made.add_argument("--out", type=output_folder, default=Path("results"), help="default: results")
    return made


def main(*arguments: str) -> None:
    """Draw the figures, and say where they are.

    Raises:
        UserError: the file is no subset, or the CNNs are of other classes or another model.
    """
    given, params = parser().parse_args(arguments), read_params()
    subset = read_subset(given.file)
    cnns, classes = load_cnns(TRAIN, device())
    require_fitting(given.file, subset, cnns, classes)
    note_variant(given.file, subset, params)
    for name, figure in figures(given.file, subset, cnns, params):
        save(figure, given.out, f"{given.file.stem}_{name}")
        print(f"{given.out}/{given.file.stem}_{name}.png and .pdf")


def require_fitting(path: Path, subset: Subset, cnns: list[Cnn], classes: list[str]) -> None:
    """Raise UserError where the CNNs were trained for other classes or another model."""
    way_out = f"take the CNNs of its variant, {said(subset.variant)}, or another subset"
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


def note_variant(path: Path, subset: Subset, params: Params) -> None:
    """Say on stderr where the classes are the same, but of other thresholds."""
    current = variant_of(params)
    if subset.variant != current:
        print(
            f"note: {path} is of {said(subset.variant)}, params.yaml of {said(current)}: "
            f"{TRAIN} may be of another variant than its classes",
            file=sys.stderr,
        )


def said(variant: dict[str, str | float]) -> str:
    """A variant in a few words."""
    return " ".join([str(variant["taxonomy"]), *(f"{k}={v}" for k, v in list(variant.items())[1:])])


def figures(
    path: Path, subset: Subset, cnns: list[Cnn], params: Params
) -> Iterator[tuple[str, Figure]]:
    """The figures that need attention, of the classes that have sequences."""
    found = deltas_in(path, subset.sequence_id, cnns, subset.label, params.localize)
    ids, attention, _ = read_gallery(path)
    prefix = params.sequences.prefix
    shown = subset.label, ids, subset.classes, prefix
    yield "attention_gallery", attention_gallery(attention, *shown)
    yield "delta_maps", delta_maps(found.maps, subset.classes, prefix)
    settings = params.localize.bootstrap, params.seed
    table = class_profiles(found.profiles, subset.label, subset.classes, *settings)
    yield "delta_profile", delta_profile(table, subset.classes)
