"""Every figure, as PNG and PDF: `python src/run.py figures`."""

from tqdm import tqdm

from guess_or_recall.io.paths import FIGURES as FOLDER
from guess_or_recall.report.inputs import Inputs
from guess_or_recall.report.study import FIGURES
from guess_or_recall.report.style import save
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write figures/NAME.png and figures/NAME.pdf."""
    study = Inputs(read_settings(FiguresSettings))
    for name, draw in tqdm(FIGURES.items(), desc="figures"):
        save(draw(study), FOLDER, name)
