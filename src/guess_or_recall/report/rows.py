"""What the variants of a sweep gave: one row a variant and model, the published value beside it."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from guess_or_recall.io.tables import read_csv
from guess_or_recall.statistics.f1 import normalised, scores
from guess_or_recall.statistics.repeats import t_interval
from guess_or_recall.sweep.declare import SEED
from guess_or_recall.sweep.results import Result

PAPER = {  # what a value must share with the published one to be comparable
    "sequences.source": "semantic-filters",
    "samples.train": 4000,
    "samples.eval": 2000,
    "train.grid.kernel": [6, 8],
    "train.grid.features": [10, 16],
    "train.grid.pooling": ["mean", "max"],
    "train.epochs": 3,
}


def rows(results: Iterable[Result]) -> pd.DataFrame:
    """One row for each variant and model, and one for each variant over all models.

    Results of one variant and model with several seeds become one row: their matrices are summed,
    and `min_f1_seed_*` is the 95% t-interval of the mean of their minimum F1.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.model, result.setting.variant), []).append(result)
    models = list(dict.fromkeys(model for model, _ in groups))
    if len(models) > 1:
        for (_, variant), members in list(groups.items()):
            groups.setdefault(("all", variant), []).extend(members)
    table = pd.DataFrame([row(model, members) for (model, _), members in groups.items()])
    table["normalised_f1"] = [
        100 * normalised(f1 / 100, classes)
        for f1, classes in zip(table["min_f1"], table["classes"], strict=True)
    ]
    table = table.sort_values(["model", "min_f1"], ascending=[True, False], kind="stable")
    table.insert(0, "rank", table.groupby("model").cumcount() + 1)
    return table.reset_index(drop=True)


def row(model: str, members: list[Result]) -> dict:
    """One row: everything in percent but the loss, which is in nats."""
    first = members[0]
    confusion = np.sum([result.confusion for result in members], 0)
    summary = {key: 100 * value for key, value in scores(confusion).summary().items()}
    low, high = (mean_of(members, key) for key in ("min_f1_low", "min_f1_high"))
    f1 = np.array([100 * result.evaluate["min_f1"] for result in members])
    seed_low, seed_high = t_interval(f1) if len(members) > 1 else (None, None)
    return {
        "model": model,
        "variant": first.setting.variant,
        **variant_columns(first),
        "classes": len(first.classes),
        "train": first.samples[0],
        "eval": first.samples[1],
        "balanced": bool(first.label["shortage"]),
        "min_f1": summary.pop("min_f1"),
        "min_f1_low": 100 * low,
        "min_f1_high": 100 * high,
        **summary,
        "eval_loss": mean_of(members, "eval_loss"),
        "seeds": len({result.params[SEED] for result in members}),
        "min_f1_seed_low": seed_low,
        "min_f1_seed_high": seed_high,
        "comparable": comparable(first),
    }


def variant_columns(result: Result) -> dict:
    """Tree, δ and ρ of a result; empty where they do not matter."""
    changes = dict(result.setting.changes)
    rho = {"rho_l": None, "rho_3": None}
    if "rho" in changes:
        rho = {key: changes["rho"] if changes[key] == "rho" else None for key in rho}
    return {
        "taxonomy": result.setting.params.taxonomy,
        "delta": changes.get("delta"),
        **(rho | {key: changes[key] for key in rho if isinstance(changes.get(key), float)}),
    }


def mean_of(members: list[Result], key: str) -> float:
    """Mean of a metric."""
    return float(np.mean([result.evaluate[key] for result in members]))


def comparable(result: Result) -> bool:
    """Whether the published value was measured on the same model, corpus, sizes and grid."""
    alike = all(result.params.get(key) == value for key, value in PAPER.items())
    return alike and not result.label["shortage"] and "pythia" in result.model


def read_published(folder: Path = Path("published")) -> pd.DataFrame:
    """The paper's tables, in percent: one row for each model size and variant.

    Source: arXiv 2508.02573, its benchmark and ρ study (published/README.md).
    """
    benchmark = read_csv(folder / "benchmark.csv", ["model_size", "duplicates_threshold"]).rename(
        columns={"model_size": "model", "duplicates_threshold": "delta"}
    )
    at_half = benchmark["taxonomy"].str.contains("guess")
    benchmark["rho_l"] = benchmark["rho_3"] = np.where(at_half, 0.5, np.nan)
    rho = read_csv(folder / "rho.csv", ["rho", "rouge_l", "rouge_3"]).assign(
        taxonomy="guess", model="all", delta=np.nan
    )
    for key, used in (("rho_l", "rouge_l"), ("rho_3", "rouge_3")):
        rho[key] = rho["rho"].where(rho[used])
    kept = ["model", "taxonomy", "delta", "rho_l", "rho_3", "min_f1", "mean_f1"]
    both = pd.concat([benchmark[kept], rho[kept]])
    return both.drop_duplicates(["model", "taxonomy", "delta", "rho_l", "rho_3"])


def with_published(table: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put the published minimum F1, its rank and the difference beside each row.

    A model that the paper did not study stands beside the paper's sum over its three models.
    """
    keys = ["taxonomy", "delta", "rho_l", "rho_3"]
    sizes = set(published["model"])
    left = table.assign(size=[model if model in sizes else "all" for model in table["model"]])
    right = published.rename(columns={"model": "size", "min_f1": "published_min_f1"})
    for key in keys[1:]:
        left[key], right[key] = left[key].astype(float), right[key].astype(float)
    merged = left.merge(right[["size", *keys, "published_min_f1"]], how="left", on=["size", *keys])
    merged["difference"] = merged["min_f1"] - merged["published_min_f1"]
    ranks = merged.groupby("model")["published_min_f1"].rank(ascending=False, method="min")
    return merged.drop(columns="size").assign(published_rank=ranks)
