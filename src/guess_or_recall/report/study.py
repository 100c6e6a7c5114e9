"""Every figure, as PNG and PDF: `python src/run.py figures`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int, Int8
from matplotlib.figure import Figure
from safetensors.numpy import load_file

from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import existing
from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.confusion import confusion_panels
from guess_or_recall.report.curves import learning_curves
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.duplicates import memorized_by_duplicates
from guess_or_recall.report.flow import taxonomy_flow
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.planting import class_by_planting
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.tree import condition_text, decision_tree
from guess_or_recall.settings.figures import FiguresSettings
from guess_or_recall.statistics.f1 import scores
from guess_or_recall.taxonomy.candidates import candidates, planted_kinds
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify, tree

GALLERY = Path("data/gallery/gallery.h5")
CONFUSION = Path("data/evaluate/confusion.csv")
HISTORY = Path("data/train/history.csv")
LOCALIZE, ABLATE = Path("data/localize"), Path("data/ablate")
COUNT = 12


def study_figures(params: FiguresSettings) -> Iterator[tuple[str, Figure]]:
    """Every figure of the current variant, by its name."""
    frame = candidates().assign(planted=planted_kinds())
    current = tree(params.taxonomy, params.taxonomies)
    labels = classify(frame, current, **params.thresholds())
    yield from corpus_figures(params, frame, current, labels)
    yield from taxonomy_figures(params, frame, current, labels)
    yield from classifier_figures(current.classes)
    yield from localization_figures(current.classes)


def corpus_figures(
    params: FiguresSettings,
    frame: pd.DataFrame,
    current: TaxonomyTree,
    labels: Int8[np.ndarray, " n"],
) -> Iterator[tuple[str, Figure]]:
    """Figures of the sequences alone."""
    frame = frame.assign(memorized=labels > 0)
    yield "memorized_by_duplicates", memorized_by_duplicates(frame)
    rouge_l, rho = frame["rouge_l"].to_numpy(), params.threshold("rho_l")
    yield "rouge_distribution", rouge_distribution(rouge_l, labels > 0, rho)
    planted = frame.loc[:, "planted"]
    yield "class_by_planting", class_by_planting(labels, current.classes, planted)


def taxonomy_figures(
    params: FiguresSettings,
    frame: pd.DataFrame,
    current: TaxonomyTree,
    labels: Int8[np.ndarray, " n"],
) -> Iterator[tuple[str, Figure]]:
    """Figures of the current taxonomy's classes."""
    bound = params.thresholds()
    source = tree(params.figures.flow_from, params.taxonomies)
    titles, classes = (source.name, current.name), (source.classes, current.classes)
    yield (
        "taxonomy_flow",
        taxonomy_flow(classify(frame, source, **bound), labels, *classes, titles),
    )
    expressions = ["memorization_score < 1", *(text for _, text in current.nodes)]
    conditions = [condition_text(text, bound) for text in expressions]
    counts = np.bincount(labels, minlength=len(current.classes))
    yield "decision_tree", decision_tree(conditions, current.classes, counts)
    ids, attention, _ = read_gallery(GALLERY)
    shown = labels_of(ids, frame["sequence_id"].to_numpy(), labels)
    yield "attention_gallery", attention_gallery(attention, shown, ids, current.classes)


def classifier_figures(classes: tuple[str, ...]) -> Iterator[tuple[str, Figure]]:
    """Figures of the CNNs."""
    history = pd.read_csv(existing(HISTORY))
    yield "learning_curves", learning_curves(history, len(classes))
    matrices = read_confusion(classes)
    titles = {"all": "all CNNs, all epochs", "last": "all CNNs, last epoch"}
    panels = {
        f"{title}\nmin F1 {scores(matrices[epoch]).f1.min():.2f}": matrices[epoch]
        for epoch, title in titles.items()
    }
    yield "confusion", confusion_panels(panels, classes)


def localization_figures(classes: tuple[str, ...]) -> Iterator[tuple[str, Figure]]:
    """Figures of Δ and of the ablations."""
    delta = load_file(existing(LOCALIZE / "delta.safetensors"))["delta"]
    profile, table, agreement = (
        pd.read_csv(
            existing(path),
            dtype={"class": str, "layers": str},
            keep_default_na=False,
            na_values=[""],
        )
        for path in (LOCALIZE / "profile.csv", ABLATE / "ablation.csv", ABLATE / "agreement.csv")
    )
    for name, found in (("localize", profile), ("ablate", table)):
        require_classes(f"data/{name}", found["class"].unique().tolist(), classes)
    yield "delta_maps", delta_maps(delta, classes)
    yield "delta_profile", delta_profile(profile, classes)
    yield "ablation_curves", ablation_curves(table, classes)
    yield "delta_against_ablation", delta_against_ablation(profile, table, agreement, classes)


def require_classes(what: str, found: list[str], classes: tuple[str, ...]) -> None:
    """Raise UserError where results are about other classes than the current taxonomy's."""
    if {*found} != {*classes}:
        raise UserError(
            f"{what} has the classes {', '.join(sorted({*found}))}, the current taxonomy has "
            f"{', '.join(classes)}: dvc repro"
        )


def labels_of(
    wanted: Int[np.ndarray, " g"], ids: Int[np.ndarray, " n"], labels: Int8[np.ndarray, " n"]
) -> Int8[np.ndarray, " g"]:
    """Look up the classes of the gallery's sequences; `ids` are sorted."""
    missing = np.setdiff1d(wanted, ids)
    if len(missing):
        raise UserError(f"{GALLERY} shows sequence {missing[0]}, which is not studied: dvc repro")
    return labels[np.searchsorted(ids, wanted)]


def read_confusion(classes: tuple[str, ...]) -> dict[str, Int[np.ndarray, "classes classes"]]:
    """Read the confusion matrices [actual, predicted] of "all" epochs and of the "last".

    Raises:
        UserError: the file is about other classes than the current taxonomy's.
    """
    # a class may be called "NA" or "1", so all is text first
    table = pd.read_csv(existing(CONFUSION), dtype=str, keep_default_na=False)
    table = table.astype({"count": np.int64})
    require_classes(str(CONFUSION), [*table["actual"], *table["predicted"]], classes)
    crossed = table.pivot_table(
        values="count", index=["epoch", "actual"], columns="predicted", aggfunc="sum", fill_value=0
    )
    return {
        epoch: crossed.loc[epoch].reindex(index=classes, columns=classes, fill_value=0).to_numpy()
        for epoch in ("all", "last")
    }
