"""One look for every figure: print sizes, colours, number formats, and saving with fixed bytes.

Figures are built from matplotlib's objects, never from pyplot, so that drawing one leaves no
global state behind. `STYLED` wraps every function that makes one.
"""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from PIL import Image

from guess_or_recall.io.files import atomic

WIDTH = 7.0  # inches: the text width of a two-column page
DPI = 160
SMALL = 8.0  # points: the smallest text at print size
INK = "#333333"
FAINT = "#D9D9D9"
# Okabe and Ito's colours, told apart with every common colour blindness; grey is non-memorized.
PALETTE = ("#999999", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

# The user's own matplotlibrc must not change a byte, so matplotlib's defaults come first.
STYLE: dict[Any, Any] = {
    key: value for key, value in mpl.rcParamsDefault.items() if key != "backend"
} | {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same letters everywhere
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.3,
    "text.parse_math": False,  # a class name may hold dollar signs
    "pdf.fonttype": 42,  # text stays text in the PDF
}
STYLED = mpl.rc_context(STYLE)


def new_figure(height: float, width: float = WIDTH, square: bool = False) -> Figure:
    """Make an empty figure of so many inches, which arranges its (perhaps square) axes itself."""
    figure = Figure(figsize=(width, height), layout="compressed" if square else "constrained")
    FigureCanvasAgg(figure)
    return figure


def drawing(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Make a figure with one blank axes whose data units are inches."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return figure, axes


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write `folder`/`name`.png and .pdf, atomically; the same figure gives the same bytes."""
    with mpl.rc_context(STYLE):
        with atomic(folder / f"{name}.png") as temporary:
            save_png(figure, temporary)
        figure.set_layout_engine("none")  # it is arranged, which takes as long as drawing it
        with atomic(folder / f"{name}.pdf") as temporary:
            figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})


def save_png(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours, a third of the bytes of one of all colours."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    few = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    few.save(path, format="png", optimize=True, dpi=(DPI, DPI))


def class_colors(classes: Sequence[str]) -> list[str]:
    """Give one colour a class; class 0 is grey, and colours repeat only after eight."""
    return [PALETTE[index % len(PALETTE)] for index in range(len(classes))]


def text_color(color: ColorType) -> str:
    """Black or white, whichever reads better on `color` (WCAG relative luminance)."""
    channels = colors.to_rgb(color)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "white" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "black"


def percent(part: float | np.number, whole: float | np.number) -> str:
    """Write a share as "12.3%"; "–" of nothing."""
    return f"{100 * part / whole:.1f}%" if whole else "–"


def compact(number: int | np.integer) -> str:
    """Write a count in at most five characters: 9,999, 12.3k, 412k, 1.87M."""
    if number < 10_000:
        return f"{number:,}"
    power = min(int(math.log10(number)) // 3, 4)
    scaled = number / 1000**power
    if round(scaled) >= 1000 and power < 4:
        power, scaled = power + 1, scaled / 1000
    digits = 0 if round(scaled, 1) >= 100 else 1 if round(scaled, 2) >= 10 else 2
    return f"{scaled:.{digits}f}{' kMGT'[power]}"


def wrapped(text: str, width: int) -> str:
    """Break `text` into lines of at most `width` characters."""
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False)) or text
