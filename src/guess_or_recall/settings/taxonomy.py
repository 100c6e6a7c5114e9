"""Settings of the stages `pool` and `label`: which variants there are, and the current one."""

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from guess_or_recall.settings.names import FileName, Label
from guess_or_recall.settings.section import Part, Section
from guess_or_recall.settings.values import (
    Delta,
    OwnThreshold,
    Rows,
    Seed,
    Text,
    Threshold,
    Together,
    listed,
    rho_setting,
)


class Tree(Section):
    """A taxonomy that the user declares."""

    nodes: dict[Label, str] = Field(min_length=1, max_length=100)
    others: Label = "others"


class Samples(Section):
    """The section `samples`: sequences of each class."""

    train: Rows
    eval: Rows
    shortage: Literal["balance", "stop"]


class Pool(Section):
    """The section `pool`: variants whose attention is kept ready."""

    taxonomies: Annotated[list[Text], Field(min_length=1), BeforeValidator(listed)]
    deltas: list[Delta] = Field(min_length=1, max_length=100)
    rhos: list[Annotated[float | list, PlainValidator(rho_setting)]] = Field(
        min_length=1, max_length=100
    )

    def thresholds(self) -> list[tuple[float, float]]:
        """Pairs of ρ_l and ρ_3 (infinity is off): each number for both, then for one alone.

        The paper's 0.5 comes first, wherever it stands: the gallery shows the first variant.
        """
        numbers = sorted((rho for rho in self.rhos if isinstance(rho, float)), key=(0.5).__ne__)
        pairs = [
            [in_force(entry, math.nan) for entry in rho]
            for rho in self.rhos
            if isinstance(rho, list)
        ]
        alone = [(rho, math.inf) for rho in numbers] + [(math.inf, rho) for rho in numbers]
        return [(rho, rho) for rho in numbers] + alone + [(rho_l, rho_3) for rho_l, rho_3 in pairs]


class GallerySize(Part):
    """`attention.gallery`: sequences of each class, with all heads."""

    gallery: Together


class DeclaredSettings(Part):
    """The variants that params.yaml declares."""

    pool: Pool
    taxonomies: dict[FileName, Tree]


class PoolSettings(DeclaredSettings):
    """What the stage `pool` reads."""

    seed: Seed
    samples: Samples
    attention: GallerySize


class VariantSettings(Part):
    """The current variant: a taxonomy and its thresholds."""

    taxonomy: Text
    delta: Delta
    rho: Threshold
    rho_l: OwnThreshold
    rho_3: OwnThreshold
    taxonomies: dict[FileName, Tree]

    def threshold(self, which: Literal["rho_l", "rho_3"]) -> float:
        """The ROUGE threshold in force; infinity where it is switched off."""
        return in_force(getattr(self, which), self.rho)

    def thresholds(self) -> dict[str, float]:
        """The thresholds in force, by the name that expressions use."""
        return {
            "delta": self.delta,
            "rho_l": self.threshold("rho_l"),
            "rho_3": self.threshold("rho_3"),
        }


class LabelSettings(VariantSettings, DeclaredSettings):
    """What the stage `label` reads; `pool` alone to say how a sample comes into it."""

    seed: Seed
    samples: Samples


def in_force(setting: float | str, rho: float) -> float:
    """Resolve a threshold: a number, `rho` (the common one) or `off` (infinity)."""
    if setting == "off":
        return math.inf
    return rho if setting == "rho" else float(setting)
