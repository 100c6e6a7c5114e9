"""Δ maps of the current variant's CNNs: `python src/run.py localize`.

Makes data/localize/: delta.safetensors (delta [classes, layers, query, key], the mean over
sequences and CNNs), profiles.parquet (a row a sequence: its mean Δ in each layer) and
profile.csv (the mean of each class and layer, with its interval); and metrics/localize.json.
"""

from pathlib import Path

from safetensors.numpy import save_file

from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.device import device
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import atomic, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.localization.localize import (
    DATA,
    OUTPUT,
    chosen,
    located,
    profile,
    profiles,
    summary,
)
from guess_or_recall.settings.localize import LocalizeSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Compute the maps of some evaluation sequences of each class."""
    params = read_settings(LocalizeSettings)
    settings, labels = params.localize, read_labels(DATA / "label" / "labels.parquet")
    cnns, classes = load_cnns(DATA / "train", device())
    if classes != labels.classes:
        raise UserError(f"data/train is of {classes}, the labels of {labels.classes}: dvc repro")
    rows = chosen(labels, labels.is_eval, settings.sequences, params.seed)
    own = labels.labels[rows]
    found = located(cnns, DATA / "attention", labels.sequence_ids[rows], own, settings)
    with atomic(OUTPUT / "delta.safetensors") as temporary:
        save_file({"delta": found.maps}, temporary)
    write_table(OUTPUT / "profiles.parquet", profiles(found, labels, rows))
    table = profile(found, own, classes, settings.bootstrap, params.seed)
    with atomic(OUTPUT / "profile.csv") as temporary:
        table.to_csv(temporary, index=False)
    write_json(Path("metrics/localize.json"), summary(table, own, classes, len(cnns)))
