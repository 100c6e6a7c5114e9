"""Draw figures of a subset of the attention, a file of `gor subset`.

From the file and the CNNs of data/train, without data/attention, it draws attention_gallery,
delta_maps and delta_profile, of the classes that the file has. No Δ is drawn where
metrics/evaluate.json says that the CNNs are not above chance.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from guess_or_recall.attention.subset import Subset, read_subset
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.commands._options import Out
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import RESULTS, TRAIN
from guess_or_recall.report.notice import notice_of
from guess_or_recall.report.style import save
from guess_or_recall.report.subset import figures
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.variants import current_variant

File = Annotated[Path, typer.Argument(metavar="FILE", help="Of `gor subset`.")]


def main(file: File, out: Out = RESULTS) -> None:
    """Draw the figures, and say where they are.

    Raises:
        UserError: the file is no subset, or the CNNs are of other classes or another model, or
            were not evaluated.
    """
    params, subset = read_params(), read_subset(file)
    cnns, classes = load_cnns(TRAIN, device())
    require_fitting(file, subset, cnns, classes)
    require_lengths(file, subset, params)
    note_variant(file, subset, params)
    if notice := notice_of(classes):
        print(f"delta_maps, delta_profile: {notice}")
    for name, figure in figures(file, subset, cnns, params, notice):
        save(figure, out, f"{file.stem}_{name}")
        print(f"{out}/{file.stem}_{name}.png and .pdf")


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
