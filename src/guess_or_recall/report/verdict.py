"""What a sweep says in words: the best variants, whether they really are, and the paper's order."""

# pandas' stubs take a selected table or column for any of five types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false

import numpy as np
import pandas as pd

from guess_or_recall.statistics.compare import (
    Votes,
    paired_difference,
    rank_correlation,
    summed,
)
from guess_or_recall.statistics.repeats import paired_t
from guess_or_recall.sweep.declare import SEED
from guess_or_recall.sweep.results import Result


def verdict(table: pd.DataFrame, results: list[Result], holes: list[str]) -> list[str]:
    """Which taxonomy ranks first, whether that means something, and the paper's order."""
    lines = []
    for model, variants in table.groupby("model", sort=False):
        members = [result for result in results if model in (result.model, "all")]
        lines += [f"**{model}**: {len(variants)} variants.", ""]
        for classes, comparable in variants.groupby("classes"):
            lines.append(f"- {best_of(comparable, members, classes)}")
        lines.append(f"- {agreement(variants)}")
    if at_chance := int((table["min_f1_low"] <= 100 / table["classes"]).sum()):
        lines.append(
            f"- {at_chance} of {len(table)} are not above chance: the interval of their minimum F1 "
            "over evaluation sequences reaches down to it."
        )
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
        f"({against_chance(first['min_f1'], classes)})"
    )
    if len(ranked) < 2:
        return text + "."
    second = ranked.iloc[1]
    pair = [votes_of(row["variant"], results) for row in (first, second)]
    test = paired_difference(*pair, resamples=2000, seed=0)
    return (
        f"{text}; second {second['variant']}, {second['min_f1']:.1f}: difference "
        f"{100 * test['difference']:.1f} ({100 * test['low']:.1f} to {100 * test['high']:.1f}, "
        f"p = {test['p']:.3g}, paired bootstrap over evaluation sequences, these CNNs given)"
        f"{over_seeds(first['variant'], second['variant'], results)}."
    )


def against_chance(min_f1: float, classes: int) -> str:
    """How far a minimum F1 is from that of an even guess among classes of one size, in percent."""
    points = min_f1 - 100 / classes
    return f"{abs(points):.1f} points {'above' if points >= 0 else 'below'} chance"


def over_seeds(first: str, second: str, results: list[Result]) -> str:
    """The same difference over trainings, where both variants have several in common."""
    scores = [by_seed(variant, results) for variant in (first, second)]
    common = sorted(scores[0].keys() & scores[1].keys())
    if len(common) < 2:
        alone = all(len(by_variant) == 1 for by_variant in scores)
        few = "one training each" if alone else "fewer than two seeds in common"
        return f"; {few}, so not over trainings"
    test = paired_t(*(np.array([by_variant[seed] for seed in common]) for by_variant in scores))
    return (
        f"; over {len(common)} trainings {test['difference']:.1f} "
        f"({test['low']:.1f} to {test['high']:.1f}, p = {test['p']:.3g}, paired t-test)"
    )


def by_seed(variant: str, results: list[Result]) -> dict[int, float]:
    """Minimum F1 of a variant, in percent, by the seed of its training."""
    members = [result for result in results if result.setting.variant == variant]
    return {result.params[SEED]: 100 * result.evaluate["min_f1"] for result in members}


def votes_of(variant: str, results: list[Result]) -> Votes:
    """Predictions of a variant, summed over its seeds and models."""
    return summed([result.votes for result in results if result.setting.variant == variant])


def agreement(table: pd.DataFrame) -> str:
    """How the order of the variants agrees with the published one."""
    both = table.dropna(subset=["published_min_f1"])
    if len(both) < 3:
        return f"{len(both)} published values: too few for a rank correlation."
    rho, p = rank_correlation(both["min_f1"].to_list(), both["published_min_f1"].to_list())
    return (
        f"Order against the published one ({len(both)} variants): Spearman {rho:.2f} (p = {p:.2g})."
    )
