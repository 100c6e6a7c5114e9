"""Draw figures of a subset of the attention, a file of `gor subset`.

From the file and the CNNs of data/train, without data/attention, it draws attention_gallery,
delta_maps and delta_profile, of the classes that the file has. No Δ is drawn where
metrics/evaluate.json says that the CNNs are not above chance.
"""

from pathlib import Path
from typing import Annotated

import typer

from guess_or_recall.attention.subset import read_subset
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.commands._options import Out
from guess_or_recall.device import device
from guess_or_recall.io.paths import RESULTS, TRAIN
from guess_or_recall.report.notice import notice_of
from guess_or_recall.report.style import save
from guess_or_recall.report.subset import figures, note_variant, require_fitting, require_lengths
from guess_or_recall.settings.params import read_params

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
