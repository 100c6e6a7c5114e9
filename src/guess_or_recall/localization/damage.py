"""What cuts of the attention cost: tables of an ablation, and whether Δ predicts the damage."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float, Int8, Int64

from guess_or_recall.io.schemas import ABLATED, AGREEMENT
from guess_or_recall.localization.ablation import Outcomes
from guess_or_recall.localization.cuts import Cut
from guess_or_recall.statistics.agreement import rank_agreement
from guess_or_recall.statistics.intervals import mean_interval, wilson

WHOLE = Cut("whole", ())
LOSSES = {"suffix_perplexity": "suffix_loss", "sequence_perplexity": "sequence_loss"}


class Ablation(NamedTuple):
    """Sequences of each class, and what the model does with them under each cut."""

    sequence_ids: Int64[np.ndarray, " n"]
    labels: Int8[np.ndarray, " n"]
    classes: list[str]
    cuts: list[Cut]  # `WHOLE`, then those of the outcomes' other rows
    outcomes: Outcomes

    def of_class(self, label: int) -> Outcomes:
        """Outcomes of one class: a row a sequence, a column a cut."""
        return Outcomes(*(values[:, self.labels == label].T for values in self.outcomes))

    def single_layers(self, how: str) -> list[int]:
        """Rows of the outcomes in which one layer is cut in a way."""
        cuts = enumerate(self.cuts)
        return [row for row, cut in cuts if cut.how == how and len(cut.layers) == 1]


def sequence_table(ablation: Ablation) -> pa.Table:
    """What was measured, a row a sequence and cut."""
    sequences, cuts = len(ablation.sequence_ids), ablation.cuts
    of_cuts = {
        "how": [cut.how for cut in cuts],
        "layers": [cut.name for cut in cuts],
        "drawn": [cut.drawn for cut in cuts],
    }
    return pa.table(
        {
            **{name: pa.array(np.repeat(values, sequences)) for name, values in of_cuts.items()},
            "sequence_id": pa.array(np.tile(ablation.sequence_ids, len(cuts))),
            "label": pa.array(np.tile(ablation.labels, len(cuts))),
            **{
                name: pa.array(values.ravel())
                for name, values in ablation.outcomes._asdict().items()
            },
        },
        schema=ABLATED,
    )


def class_table(ablation: Ablation, resamples: int, seed: int) -> pd.DataFrame:
    """Shares and means, a row a class and cut, with 95% intervals over resampled sequences."""
    of_cuts = {
        "how": [cut.how for cut in ablation.cuts],
        "layers": [cut.name for cut in ablation.cuts],
        "width": [len(cut.layers) for cut in ablation.cuts],
        "drawn": [cut.drawn for cut in ablation.cuts],
    }
    tables = []
    for label, name in enumerate(ablation.classes):
        outcomes = ablation.of_class(label)
        columns = {"class": name, **of_cuts, "sequences": len(outcomes.extractable)}
        tables.append(pd.DataFrame(columns | class_columns(outcomes, resamples, seed)))
    return pd.concat(tables, ignore_index=True)


def class_columns(outcomes: Outcomes, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Values and bounds of each cut, from outcomes with a row a sequence and a column a cut."""
    successes, n = outcomes.extractable.sum(0), len(outcomes.extractable)
    bounds = wilson(successes, np.full(len(successes), n))
    columns = with_bounds("extractable", successes / n, *bounds)
    bounds = mean_interval(outcomes.matched, resamples, seed)
    columns |= with_bounds("matched", outcomes.matched.mean(0), *bounds)
    for name, field in LOSSES.items():
        losses = getattr(outcomes, field)
        bounds = mean_interval(losses, resamples, seed)
        columns |= with_bounds(name, *map(np.exp, (losses.mean(0), *bounds)))
    return columns


def with_bounds(name: str, value: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict:
    """Three columns: a value and its interval."""
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def agreement_table(
    ablation: Ablation,
    hows: Iterable[str],
    profiles: dict[int, Float[np.ndarray, "n layers"]],
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Rank correlation of each class's Δ profile with what each cut of one layer costs.

    Args:
        ablation: the damage is that of its suffix losses.
        hows: ways of cutting; one that cuts no single layer has no rows.
        profiles: mean Δ of the layers, a row a sequence, by class.
        resamples: see `rank_agreement`.
        seed: of the resamples.
    """
    correlations = []
    for how in hows:
        rows = ablation.single_layers(how)
        for label, profile in profiles.items() if rows else ():
            damage = ablation.of_class(label).suffix_loss[:, rows]
            result = rank_agreement(profile, damage, resamples, seed)
            name = ablation.classes[label]
            correlations.append({"how": how, "class": name, "layers": len(rows), **result})
    return pd.DataFrame(correlations, columns=[*AGREEMENT])


def summary(table: pd.DataFrame, agreement: pd.DataFrame, ablation: Ablation) -> dict:
    """The model whole; the layer whose silence costs each class most; agreement with Δ.

    Args:
        table: see `class_table`.
        agreement: see `agreement_table`.
        ablation: what both are of.
    """
    counts = np.bincount(ablation.labels).tolist()
    silent = agreement[(agreement["how"] == "off") & agreement["spearman"].notna()]
    return {
        "sequences": dict(zip(ablation.classes, counts, strict=True)),
        "classes": {
            name: class_summary(table[table["class"] == name]) for name in ablation.classes
        },
        "spearman_of_delta_and_off": {
            row["class"]: {key: row[key] for key in ("spearman", "low", "high")}
            for row in silent.to_dict("records")
        },
    }


def class_summary(table: pd.DataFrame) -> dict[str, float]:
    """One class: the model whole, and without each layer's attention in turn."""
    whole = table[table["how"] == "whole"].iloc[0]
    silenced = table[(table["how"] == "off") & (table["width"] == 1)].reset_index(drop=True)
    worst = silenced["suffix_perplexity"].idxmax()
    return {
        "extractable": float(whole["extractable"]),
        "suffix_perplexity": float(whole["suffix_perplexity"]),
        "mean_extractable_without_a_layer": float(silenced["extractable"].mean()),
        "worst_layer": int(silenced.loc[worst, "layers"]),
        "suffix_perplexity_without_it": float(silenced["suffix_perplexity"].max()),
    }
