"""The pool: the union of the sequences that the declared variants sample.

Attention is extracted once for this pool. It depends on params.yaml's `pool`, not on the taxonomy,
rho and delta of the moment, so that changing those extracts nothing again.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Int8
from tqdm import tqdm

from guess_or_recall.errors import UserError, say_all
from guess_or_recall.remarks import of_pool
from guess_or_recall.settings.taxonomy import PoolSettings, Samples
from guess_or_recall.taxonomy.declared import declared
from guess_or_recall.taxonomy.drawing import Orders, draw, orders
from guess_or_recall.taxonomy.sampling import count, sample
from guess_or_recall.taxonomy.variants import Variant


def unite(
    frame: pd.DataFrame, settings: PoolSettings
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"], pd.DataFrame]:
    """Draw every declared variant.

    Returns:
        Which rows some variant samples; which of them the gallery shows, of each class of the
        first variant that can be filled; one line for each variant.

    Raises:
        UserError: no variant can be filled, or a declared taxonomy is wrong.
    """
    order = orders(frame["sequence_id"].to_numpy(), settings.seed)
    in_pool, gallery, lines = np.zeros(len(frame), bool), np.zeros(len(frame), bool), []
    for variant in tqdm(declared(settings), desc="variants", unit="variant", disable=None):
        labels = variant.classify(frame)
        rows, shortage, reason = attempt(variant, labels, order, settings.samples)
        if len(rows) and not in_pool.any():
            shown = sample(labels[rows], order.sample[rows], settings.attention.gallery)
            gallery[rows[shown]] = True
        counts = count(labels, variant.tree.classes)
        described = line(variant, counts, rows, int((~in_pool[rows]).sum()))
        lines.append(described | {"shortage": shortage, "reason": reason})
        in_pool[rows] = True
    say_all(of_pool(lines))
    if not in_pool.any():
        raise UserError("pool: no declared variant can be filled (see the warnings above)")
    return in_pool, gallery, pd.DataFrame(lines)


def attempt(
    variant: Variant, labels: Int8[np.ndarray, " n"], order: Orders, samples: Samples
) -> tuple[Int[np.ndarray, " sampled"], str, str]:
    """Draw a variant: its rows, whether they are fewer than asked, and why there are none."""
    try:
        drawn = draw(labels, variant.tree.classes, order, samples)
    except UserError as error:
        return np.empty(0, np.int64), "left out", str(error)
    return drawn.rows, "balanced" if drawn.balanced else "no", ""


def line(
    variant: Variant,
    counts: dict[str, int],
    rows: Int[np.ndarray, " sampled"],
    adds: int,
) -> dict:
    """One line of variants.csv, but for what it lacks."""
    return {
        "variant": variant.name,
        "classes": " ".join(f"{name}:{number}" for name, number in counts.items()),
        "sequences": len(rows),
        "adds": adds,
    }


def summary(report: pd.DataFrame) -> dict[str, float]:
    """What the union costs beside the sum of its variants."""
    union, total = report["adds"].to_numpy().sum(), report["sequences"].to_numpy().sum()
    kinds = report["shortage"].to_list()
    return {
        "sequences": int(union),
        "sum_over_variants": int(total),
        "ratio": float(total / union),
        "variants": len(report),
        "balanced": kinds.count("balanced"),
        "left_out": kinds.count("left out"),
    }
