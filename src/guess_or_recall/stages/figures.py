"""Every figure, as PNG and PDF: `python src/run.py figures`."""

from pathlib import Path

from tqdm import tqdm

from guess_or_recall.report.study import COUNT, study_figures
from guess_or_recall.report.style import save
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write figures/NAME.png and figures/NAME.pdf."""
    for name, figure in tqdm(
        study_figures(read_settings(FiguresSettings)), total=COUNT, desc="figures"
    ):
        save(figure, Path("figures"), name)
