"""Variants: a tree together with the thresholds that matter to it, and its one name."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int8

from guess_or_recall.settings.taxonomy import VariantSettings
from guess_or_recall.taxonomy.trees import THRESHOLDS, TaxonomyTree, classify, tree


@dataclass(frozen=True)
class Variant:
    """A tree and the thresholds that its expressions name; infinity is a ρ that is off."""

    tree: TaxonomyTree
    thresholds: dict[str, float]

    @property
    def name(self) -> str:
        """Its name in tables and of its wandb run, such as `recite-then-guess delta=50 rho=0.5`."""
        shown = [f"{key}={value:g}" for key, value in self.named_thresholds().items()]
        return " ".join([self.tree.name, *shown])

    @property
    def slug(self) -> str:
        """The same for names of files and experiments, such as `recite-then-guess-delta50-rho0.5`.

        `rho_3` is set off by a hyphen: rho_30.5 would be read as 30.5.
        """
        parts = [
            f"{key}-{value:g}" if key == "rho_3" else f"{key}{value:g}"
            for key, value in self.named_thresholds().items()
        ]
        return "-".join([self.tree.name, *parts])

    def named_thresholds(self) -> dict[str, float]:
        """Thresholds as names show them: equal ρ as one, those that are off left out."""
        shown = dict(self.thresholds)
        if "rho_l" in shown and shown["rho_l"] == shown.get("rho_3"):
            shown["rho"] = shown.pop("rho_l")
            del shown["rho_3"]
        return {key: value for key, value in shown.items() if value != math.inf}

    def classify(self, frame: pd.DataFrame) -> Int8[np.ndarray, " n"]:
        """Give every sequence its class (see `trees.classify`)."""
        return classify(frame, self.tree, **(dict.fromkeys(THRESHOLDS, math.inf) | self.thresholds))


def variants(
    tree: TaxonomyTree, deltas: Iterable[int], rhos: Iterable[tuple[float, float]]
) -> list[Variant]:
    """List the distinct variants of a tree: thresholds that its expressions do not name drop out.

    Args:
        tree: the taxonomy.
        deltas: values of δ.
        rhos: pairs of ρ_l and ρ_3, each crossed with every δ.
    """
    distinct = {}
    for delta in deltas:
        for rho_l, rho_3 in rhos:
            thresholds = {"delta": delta, "rho_l": rho_l, "rho_3": rho_3}
            used = {key: value for key, value in thresholds.items() if key in tree.depends_on}
            distinct[tuple(used.items())] = Variant(tree, used)
    return list(distinct.values())


def current_variant(settings: VariantSettings) -> Variant:
    """The variant that params.yaml sets by taxonomy, delta, rho, rho_l and rho_3."""
    pair = (settings.threshold("rho_l"), settings.threshold("rho_3"))
    [variant] = variants(tree(settings.taxonomy, settings.taxonomies), [settings.delta], [pair])
    return variant
