"""What the variants of a sweep gave: one row a variant and model, confusion matrices summed."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from jaxtyping import Int
from scipy import stats

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import parse_yaml
from guess_or_recall.statistics.compare import Votes
from guess_or_recall.statistics.f1 import normalised, scores
from guess_or_recall.statistics.repeats import t_interval
from guess_or_recall.sweep.declare import SEED, VARIANT, Setting
from guess_or_recall.sweep.experiments import flat

PAPER = {  # what a value must share with the published one to be comparable
    "sequences.source": "semantic-filters",
    "samples.train": 4000,
    "samples.eval": 2000,
    "train.grid.kernel": [6, 8],
    "train.grid.features": [10, 16],
    "train.epochs": 3,
}


@dataclass(frozen=True)
class Result:
    """One variant, trained with one seed, on one model."""

    setting: Setting
    model: str
    params: dict  # dotted keys of its params.yaml
    evaluate: dict
    label: dict
    confusion: Int[np.ndarray, "classes classes"]
    classes: list[str]
    votes: Votes

    @property
    def samples(self) -> tuple[int, int]:
        """Training and evaluation sequences of each class."""
        part = next(iter(self.label["sampled"].values()))
        return part["train"], part["eval"]


def read_result(setting: Setting, read: Callable[[str], bytes]) -> Result:
    """Read a result from the files of an experiment; `read` gives their bytes.

    Its model is called by the prefix of its name, or by the folder that it lies in.
    """
    params = flat(parse_yaml(read("params.yaml").decode(), "params.yaml"))
    evaluate = json.loads(read("metrics/evaluate.json"))
    table = pd.read_csv(
        io.BytesIO(read("data/evaluate/confusion.csv")), dtype=str, keep_default_na=False
    )
    label = json.loads(read("metrics/label.json"))
    classes = list(label["corpus"])
    every = table[table["epoch"] == "all"].set_index(["actual", "predicted"])["count"].astype(int)
    confusion = np.array([[every[one, other] for other in classes] for one in classes])
    votes = pq.read_table(io.BytesIO(read("data/evaluate/votes.parquet"))).to_pandas()
    counts = votes.filter(like="votes_").to_numpy()
    return Result(
        setting,
        setting.prefix.strip("-") or model_name(params),
        params,
        evaluate,
        label,
        confusion,
        classes,
        Votes(votes["sequence_id"].to_numpy(), votes["label"].to_numpy(), counts),
    )


def model_name(params: dict) -> str:
    """The last part of the model's folder, or of its name on the hub."""
    of_hub = params.get("model.source") == "hub"
    return Path(str(params["model.hub.name" if of_hub else "model.path"])).name


def require_alike(results: list[Result]) -> None:
    """Refuse to put results of different settings into one table.

    Raises:
        UserError: two differ in a parameter that is not the variant's, the seed's or the model's.
    """
    free = {*VARIANT, SEED, "model.path", "model.hub.name"}
    for one in results[1:]:
        first = results[0]
        for key in {**first.params, **one.params}:
            mine, other = first.params.get(key), one.params.get(key)
            if key not in free and mine != other:
                raise UserError(
                    f"{first.setting.name} and {one.setting.name} differ in {key} ({mine}, "
                    f"{other}): one table must not mix them; choose by --prefix"
                )


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
    found = pd.DataFrame([row(model, members) for (model, _), members in groups.items()])
    found["normalised_f1"] = [
        100 * normalised(f1 / 100, classes)
        for f1, classes in zip(found["min_f1"], found["classes"], strict=True)
    ]
    found = found.sort_values(["model", "min_f1"], ascending=[True, False], kind="stable")
    found.insert(0, "rank", found.groupby("model").cumcount() + 1)
    return found.reset_index(drop=True)


def row(model: str, members: list[Result]) -> dict:
    """One row: everything in percent but the loss, which is in nats."""
    first = members[0]
    confusion = np.sum([each.confusion for each in members], 0)
    summary = {key: 100 * value for key, value in scores(confusion).summary().items()}
    low, high = (mean_of(members, key) for key in ("min_f1_low", "min_f1_high"))
    seeds = [100 * each.evaluate["min_f1"] for each in members]
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
        "seeds": len({each.params[SEED] for each in members}),
        **seed_interval(seeds),
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
    return float(np.mean([each.evaluate[key] for each in members]))


def seed_interval(values: list[float]) -> dict[str, float | None]:
    """95% t-interval of a mean over seeds; empty for one."""
    if len(values) < 2:
        return {"min_f1_seed_low": None, "min_f1_seed_high": None}
    low, high = t_interval(np.array(values))
    return {"min_f1_seed_low": low, "min_f1_seed_high": high}


def comparable(result: Result) -> bool:
    """Whether the published value was measured on the same model, corpus, sizes and grid."""
    alike = all(result.params.get(key) == value for key, value in PAPER.items())
    return alike and not result.label["shortage"] and "pythia" in result.model


def read_published(folder: Path = Path("published")) -> pd.DataFrame:
    """The paper's tables, in percent: one row for each model size and variant.

    Source: arXiv 2508.02573, its benchmark and ρ study (published/README.md).
    """
    benchmark = pd.read_csv(folder / "benchmark.csv").rename(
        columns={"model_size": "model", "duplicates_threshold": "delta"}
    )
    at_half = benchmark["taxonomy"].str.contains("guess")
    benchmark["rho_l"] = benchmark["rho_3"] = np.where(at_half, 0.5, np.nan)
    rho = pd.read_csv(folder / "rho.csv").assign(taxonomy="guess", model="all", delta=np.nan)
    for key, used in (("rho_l", "rouge_l"), ("rho_3", "rouge_3")):
        rho[key] = rho["rho"].where(rho[used])
    kept = ["model", "taxonomy", "delta", "rho_l", "rho_3", "min_f1", "mean_f1"]
    both = pd.concat([benchmark[kept], rho[kept]])
    return both.drop_duplicates(["model", "taxonomy", "delta", "rho_l", "rho_3"])


def with_published(found: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Put the published minimum F1, its rank and the difference beside each row.

    A model that the paper did not study stands beside the paper's sum over its three models.
    """
    keys = ["taxonomy", "delta", "rho_l", "rho_3"]
    sizes = set(published["model"])
    left = found.assign(size=[model if model in sizes else "all" for model in found["model"]])
    right = published.rename(columns={"model": "size", "min_f1": "published_min_f1"})
    for key in keys[1:]:
        left[key], right[key] = left[key].astype(float), right[key].astype(float)
    merged = left.merge(right[["size", *keys, "published_min_f1"]], how="left", on=["size", *keys])
    merged["difference"] = merged["min_f1"] - merged["published_min_f1"]
    ranks = merged.groupby("model")["published_min_f1"].rank(ascending=False, method="min")
    return merged.drop(columns="size").assign(published_rank=ranks)


def rank_correlation(found: pd.DataFrame) -> dict[str, float]:
    """Spearman's correlation of our minimum F1 with the published one, over their variants."""
    both = found.dropna(subset=["published_min_f1"])
    if len(both) < 3:
        return {"variants": len(both)}
    rho, p = stats.spearmanr(both["min_f1"], both["published_min_f1"])
    return {"variants": len(both), "spearman": float(rho), "p": float(p)}
