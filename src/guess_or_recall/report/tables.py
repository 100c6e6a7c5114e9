"""Tables and figures of one sweep: SWEEP.csv, .md, .tex, the verdict beside them, and pictures."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from guess_or_recall.io.files import atomic, write_csv
from guess_or_recall.io.schemas import SWEEP
from guess_or_recall.report.benchmark import min_f1_against_rho, min_f1_bars
from guess_or_recall.report.confusion import taxonomy_panels
from guess_or_recall.report.rows import rows, with_published
from guess_or_recall.report.style import save
from guess_or_recall.report.verdict import verdict
from guess_or_recall.statistics.f1 import scores
from guess_or_recall.sweep.results import Result

CHOSEN = ("recite-then-reconstruct-delta5", "recollect-then-code-delta50", "guess-rho0.5")
PAGE = 10  # confusion matrices in one figure; of more, each δ has its own
SHOWN = {  # columns of the Markdown and LaTeX tables, in the paper's order
    "rank": "rank",
    "variant": "taxonomy",
    "classes": "classes",
    "train": "train",
    "min_f1": "min F1",
    "interval": "95% interval",
    "mean_f1": "mean F1",
    "min_precision": "min prec.",
    "mean_precision": "mean prec.",
    "min_recall": "min rec.",
    "mean_recall": "mean rec.",
    "eval_loss": "eval loss",
    "normalised_f1": "norm. F1",
    "published_min_f1": "published",
    "difference": "diff.",
    "comparable": "comparable",
}


def write_sweep(
    name: str, results: list[Result], holes: list[str], published: pd.DataFrame, out: Path
) -> None:
    """Write the tables, the verdict and the figures of one sweep."""
    table = with_published(rows(results), published)
    write_csv(out / f"{name}.csv", table, SWEEP, "%.4f")
    text = printed(table)
    missing = f"\nMissing: {', '.join(holes)}.\n" if holes else ""
    write_text(out / f"{name}.md", text.to_markdown(index=False, disable_numparse=True) + missing)
    write_text(out / f"{name}.tex", text.to_latex(index=False).replace("%", r"\%"))
    write_text(out / f"{name}_verdict.md", "\n".join(verdict(table, results, holes)) + "\n")
    for figure_name, figure in figures(table, results):
        save(figure, out, f"{name}_{figure_name}")
    print(f"{out}/{name}.csv, .md, .tex: {len(table)} rows, {len(holes)} missing")


def write_text(path: Path, text: str) -> None:
    """Write a text, atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text)


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """The columns to be read, as text; the model only where there are several."""
    shown = table.assign(
        interval=[f"{low:.1f}–{high:.1f}" for low, high in intervals(table)],
        comparable=np.where(table["comparable"], "yes", "no"),
        eval_loss=table["eval_loss"].map("{:.3f}".format),
        train=table["train"].astype(str) + np.where(table["balanced"], "*", ""),
    )
    several = {"model": "model"} if table["model"].nunique() > 1 else {}
    columns = {**several, **SHOWN}
    numbers = shown[list(columns)].select_dtypes("float").columns
    text = {key: shown[key].map(lambda value: f"{value:.1f}") for key in numbers}
    return (
        shown.assign(**text)[list(columns)].astype(str).replace("nan", "").rename(columns=columns)
    )


def intervals(table: pd.DataFrame) -> Iterator[tuple[float, float]]:
    """The interval over seeds where there are several, else over evaluation sequences."""
    for row in table.itertuples():
        over_seeds = row.min_f1_seed_low, row.min_f1_seed_high
        yield over_seeds if row.seeds > 1 else (row.min_f1_low, row.min_f1_high)


def figures(table: pd.DataFrame, results: list[Result]) -> Iterator[tuple[str, Figure]]:
    """The figures of a sweep: bars, the study of ρ, the paper's three, and all matrices."""
    model = table["model"].iloc[0]
    rows = table[table["model"] == model]
    yield "min_f1", min_f1_bars(rows)
    swept = rows[rows["taxonomy"] == "guess"]
    if len(swept) > 2:
        yield "rho", min_f1_against_rho(swept)
        return
    panels = panels_of(rows, results)
    chosen = {name: panels[name] for name in CHOSEN if name in panels}
    if chosen:
        yield "confusion_chosen", taxonomy_panels(titled(chosen))
    for classes, same in rows.groupby("classes"):
        by_delta = same.groupby("delta", dropna=False) if len(same) > PAGE else [(np.nan, same)]
        for delta, group in by_delta:
            ending = "" if np.isnan(delta) else f"_delta{delta:g}"
            shown = {name: panels[name] for name in group["variant"]}
            yield f"confusion_{classes}_classes{ending}", taxonomy_panels(titled(shown))


Panel = tuple[list[str], np.ndarray]


def panels_of(rows: pd.DataFrame, results: list[Result]) -> dict[str, Panel]:
    """Classes and summed confusion matrix of every variant, the best first."""
    panels = {}
    for variant in rows["variant"]:
        members = [result for result in results if result.setting.variant == variant]
        confusion = np.sum([result.confusion for result in members], 0)
        panels[variant] = (members[0].classes, confusion)
    return panels


def titled(panels: dict[str, Panel]) -> dict[str, Panel]:
    """The same under titles that tell the minimum F1."""
    return {
        f"{name}\nmin F1 {100 * scores(panel[1]).f1.min():.1f}": panel
        for name, panel in panels.items()
    }
