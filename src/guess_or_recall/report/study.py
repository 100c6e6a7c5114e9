"""The table of figures: a new one is a new file of this room, one line here, one in dvc.yaml."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.confusion import confusion_panels, with_min_f1
from guess_or_recall.report.curves import learning_curves
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.duplicates import memorized_by_duplicates
from guess_or_recall.report.flow import taxonomy_flow
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.inputs import Inputs
from guess_or_recall.report.notice import not_above_chance, notice_page
from guess_or_recall.report.planting import class_by_planting
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.tree import decision_tree


def if_above_chance(study: Inputs, draw: Callable[[], Figure]) -> Figure:
    """A figure of Δ, or a page that says why it is not drawn."""
    notice = not_above_chance(study.evaluation, len(study.classes))
    return notice_page(notice) if notice else draw()


FIGURES: dict[str, Callable[[Inputs], Figure]] = {
    "memorized_by_duplicates": lambda study: memorized_by_duplicates(
        study.sequences.assign(memorized=study.current.labels > 0)
    ),
    "rouge_distribution": lambda study: rouge_distribution(
        study.sequences["rouge_l"].to_numpy(),
        study.current.labels > 0,
        study.settings.threshold("rho_l"),
        study.settings.sequences.total,
    ),
    "class_by_planting": lambda study: class_by_planting(
        study.current.labels, study.classes, study.sequences.loc[:, "planted"]
    ),
    "decision_tree": lambda study: decision_tree(
        study.conditions,
        study.classes,
        np.bincount(study.current.labels, minlength=len(study.classes)),
    ),
    "taxonomy_flow": lambda study: taxonomy_flow(
        study.classified(study.settings.figures.flow_from), study.current
    ),
    "attention_gallery": lambda study: attention_gallery(
        study.gallery.attention,
        study.gallery.labels,
        study.gallery.sequence_ids,
        study.classes,
        study.prefix,
        study.gallery.layers,
    ),
    "learning_curves": lambda study: learning_curves(study.history, len(study.classes)),
    "confusion": lambda study: confusion_panels(
        with_min_f1(study.confusion, study.evaluation["above_chance"]), study.classes
    ),
    "delta_maps": lambda study: if_above_chance(
        study,
        lambda: delta_maps(
            study.localization.maps, study.classes, study.prefix, study.localization.layers
        ),
    ),
    "delta_profile": lambda study: if_above_chance(
        study, lambda: delta_profile(study.localization.profile, study.classes)
    ),
    "ablation_curves": lambda study: ablation_curves(study.ablation, study.classes, study.prefix),
    "delta_against_ablation": lambda study: if_above_chance(
        study,
        lambda: delta_against_ablation(
            study.localization.profile, study.ablation, study.agreement, study.classes
        ),
    ),
}
