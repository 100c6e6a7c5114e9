"""Tables and figures of sweeps: `python src/run.py tables benchmark rho`.

Reads the experiments of a commit (or a folder that `sweep --folder` wrote) and writes,
for each sweep, SWEEP.csv, .md and .tex, the figures, and verdict.md below results/.
"""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm import tqdm

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, existing, output_folder
from guess_or_recall.report.benchmark import min_f1_against_rho, min_f1_bars
from guess_or_recall.report.confusion import taxonomy_panels
from guess_or_recall.report.style import save
from guess_or_recall.statistics.compare import Votes, paired_difference, summed
from guess_or_recall.statistics.f1 import scores
from guess_or_recall.statistics.repeats import paired_t
from guess_or_recall.sweep import experiments
from guess_or_recall.sweep.declare import SEED, Setting, expand, read_sweeps
from guess_or_recall.sweep.results import (
    Result,
    rank_correlation,
    read_published,
    read_result,
    require_alike,
    rows,
    with_published,
)

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


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py tables", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("names", nargs="*", metavar="SWEEP", help="of sweeps.yaml (default: all)")
    made.add_argument(
        "--prefix",
        nargs="*",
        default=[""],
        help="of the experiments' names; several: one a model, which are also summed",
    )
    made.add_argument("--folder", type=Path, help="that `sweep --folder` wrote, not experiments")
    made.add_argument("--rev", default="HEAD", help="commit of the experiments (default: HEAD)")
    made.add_argument("--out", type=output_folder, default=Path("results"), help="default: results")
    return made


def main(*arguments: str) -> None:
    """Write the tables and figures of some sweeps.

    Raises:
        UserError: no variant of a sweep is there, or results of different settings are.
    """
    given = parser().parse_args(arguments)
    base, published = existing(Path("params.yaml")).read_text(), read_published()
    sweeps = {
        name: [own for prefix in given.prefix for own in expand({name: grids}, base, prefix)]
        for name, grids in read_sweeps(given.names).items()
    }
    settings = list({each.name: each for own in sweeps.values() for each in own}.values())
    there = {} if given.folder else experiments.existing(given.rev)
    results = read_results(settings, given.folder, there)
    require_alike(list(results.values()))
    for name, own in sweeps.items():
        found = [results[each.name] for each in own if each.name in results]
        holes = [each.name for each in own if each.name not in results]
        if not found:
            raise UserError(f"no result of sweep {name}: run `python src/run.py sweep {name}`")
        write_sweep(name, found, holes, published, given.out)


def read_results(
    settings: list[Setting], folder: Path | None, there: dict[str, str]
) -> dict[str, Result]:
    """Read the results that are in a folder, or among some experiments, by name."""
    found = {}
    for setting in tqdm(settings, desc="read", unit="variant"):
        if folder and (folder / setting.name / "metrics" / "label.json").exists():
            found[setting.name] = read_result(setting, reader(folder / setting.name))
        elif setting.name in there:
            with experiments.files_of(there[setting.name]) as files:
                found[setting.name] = read_result(setting, files.cat_file)
    return found


def reader(folder: Path) -> Callable[[str], bytes]:
    """Give what reads a file of a folder."""
    return lambda path: existing(folder / path).read_bytes()


def write_sweep(
    name: str, results: list[Result], holes: list[str], published: pd.DataFrame, out: Path
) -> None:
    """Write the tables, the verdict and the figures of one sweep."""
    table = with_published(rows(results), published)
    with atomic(out / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f")
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
        seeds = row.seeds > 1
        yield (
            (row.min_f1_seed_low, row.min_f1_seed_high)
            if seeds
            else (row.min_f1_low, row.min_f1_high)
        )


def verdict(table: pd.DataFrame, results: list[Result], holes: list[str]) -> list[str]:
    """Which taxonomy ranks first, whether that means something, and the paper's order."""
    lines = []
    for model, own in table.groupby("model", sort=False):
        members = [each for each in results if model in (each.model, "all")]
        lines += [f"**{model}**: {len(own)} variants.", ""]
        for classes, rest in own.groupby("classes"):
            lines.append(f"- {best_of(rest, members, classes)}")
        lines.append(f"- {agreement(own)}")
    if any(table["balanced"]):
        count = int(table["balanced"].sum())
        lines.append(
            f"- {count} of {len(table)} are marked `*`: a class has too few sequences, and all "
            "shrink to it. Their scores differ in sample size too."
        )
    if holes:
        lines.append(f"- Missing: {', '.join(holes)}.")
    return lines


def best_of(table: pd.DataFrame, results: list[Result], classes: int) -> str:
    """The best variant of one number of classes, and a paired test against the second."""
    ranked = table.sort_values("min_f1", ascending=False)
    first = ranked.iloc[0]
    text = (
        f"Best with {classes} classes: {first['variant']}, min F1 {first['min_f1']:.1f} "
        f"({first['normalised_f1']:.1f} above chance)"
    )
    if len(ranked) < 2:
        return text + "."
    second = ranked.iloc[1]
    pair = [votes_of(one["variant"], results) for one in (first, second)]
    test = paired_difference(*pair, resamples=2000, seed=0)
    return (
        f"{text}; second {second['variant']}, {second['min_f1']:.1f}: difference "
        f"{100 * test['difference']:.1f} ({100 * test['low']:.1f} to {100 * test['high']:.1f}, "
        f"p = {test['p']:.3g}, paired bootstrap over evaluation sequences, these CNNs given)"
        f"{over_seeds(first['variant'], second['variant'], results)}."
    )


def over_seeds(first: str, second: str, results: list[Result]) -> str:
    """The same difference over trainings, where both variants have several in common."""
    one, other = (by_seed(variant, results) for variant in (first, second))
    common = sorted(one.keys() & other.keys())
    if len(common) < 2:
        return "; one training each, so not over trainings"
    test = paired_t(*(np.array([side[seed] for seed in common]) for side in (one, other)))
    return (
        f"; over {len(common)} trainings {test['difference']:.1f} "
        f"({test['low']:.1f} to {test['high']:.1f}, p = {test['p']:.3g}, paired t-test)"
    )


def by_seed(variant: str, results: list[Result]) -> dict[int, float]:
    """Minimum F1 of a variant, in percent, by the seed of its training."""
    own = [each for each in results if each.setting.variant == variant]
    return {each.params[SEED]: 100 * each.evaluate["min_f1"] for each in own}


def votes_of(variant: str, results: list[Result]) -> Votes:
    """Predictions of a variant, summed over its seeds and models."""
    return summed([each.votes for each in results if each.setting.variant == variant])


def agreement(table: pd.DataFrame) -> str:
    """How the order of the variants agrees with the published one."""
    found = rank_correlation(table)
    if "spearman" not in found:
        return f"{found['variants']} published values: too few for a rank correlation."
    return (
        f"Order against the published one ({found['variants']} variants): Spearman "
        f"{found['spearman']:.2f} (p = {found['p']:.2g})."
    )


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
    for classes, own in rows.groupby("classes"):
        by_delta = own.groupby("delta", dropna=False) if len(own) > PAGE else [(np.nan, own)]
        for delta, group in by_delta:
            ending = "" if np.isnan(delta) else f"_delta{delta:g}"
            shown = {name: panels[name] for name in group["variant"]}
            yield f"confusion_{classes}_classes{ending}", taxonomy_panels(titled(shown))


Panel = tuple[list[str], np.ndarray]


def panels_of(rows: pd.DataFrame, results: list[Result]) -> dict[str, Panel]:
    """Classes and summed confusion matrix of every variant, the best first."""
    found = {}
    for variant in rows["variant"]:
        own = [each for each in results if each.setting.variant == variant]
        found[variant] = (own[0].classes, np.sum([each.confusion for each in own], 0))
    return found


def titled(panels: dict[str, Panel]) -> dict[str, Panel]:
    """The same under titles that tell the minimum F1."""
    return {
        f"{name}\nmin F1 {100 * scores(panel[1]).f1.min():.1f}": panel
        for name, panel in panels.items()
    }
