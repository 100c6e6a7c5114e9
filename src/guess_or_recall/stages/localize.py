"""Δ maps of the current variant's CNNs: `python src/run.py localize`.

Makes data/localize/: delta.safetensors (delta [classes, layers, query, key], the mean over
sequences and CNNs; layers, the numbers of those), profiles.parquet (a row a sequence: its mean Δ in
each layer) and profile.csv (the mean of each class and layer, with its interval); and
metrics/localize.json.
"""

import numpy as np
from safetensors.numpy import save_file

from guess_or_recall.attention.reading import layers_of
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io import schemas
from guess_or_recall.io.files import atomic, write_csv, write_json
from guess_or_recall.io.paths import (
    ATTENTION,
    DELTA,
    DELTA_PROFILE,
    DELTA_PROFILES,
    LABELS,
    TRAIN,
    metrics_of,
)
from guess_or_recall.io.tables import write_table
from guess_or_recall.localization.choice import LOCALIZED, chosen
from guess_or_recall.localization.delta import deltas_in
from guess_or_recall.localization.delta_profiles import class_profiles, sequence_profiles, summary
from guess_or_recall.settings.localize import LocalizeSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Compute the maps of some evaluation sequences of each class."""
    params = read_settings(LocalizeSettings)
    settings, sampled = params.localize, read_labels(LABELS)
    cnns, classes = load_cnns(TRAIN, device())
    if classes != sampled.classes:
        raise UserError(f"{TRAIN} is of {classes}, the labels of {sampled.classes}: dvc repro")
    rows = chosen(sampled, sampled.is_eval, settings.sequences, params.seed, LOCALIZED)
    sequence_ids, labels = sampled.sequence_ids[rows], sampled.labels[rows]
    layers = layers_of(ATTENTION)
    delta = deltas_in(ATTENTION, sequence_ids, cnns, labels, settings)
    with atomic(DELTA) as temporary:
        save_file({"delta": delta.maps, "layers": np.array(layers)}, temporary)
    profiles = sequence_profiles(delta.profiles, sequence_ids, labels, layers)
    write_table(DELTA_PROFILES, profiles)
    resampling = settings.bootstrap, params.seed
    table = class_profiles(delta.profiles, labels, classes, *resampling, layers)
    write_csv(DELTA_PROFILE, table, schemas.DELTA_PROFILE)
    write_json(metrics_of("localize"), summary(table, labels, classes, len(cnns)))
