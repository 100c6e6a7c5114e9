"""What the model still extracts when attention is cut, layer by layer: `python src/run.py ablate`.

Makes data/ablate/: sequences.parquet (a row a sequence and cut), ablation.csv (a row a class and
cut, with 95% intervals) and agreement.csv (do the Δ profiles predict the damage?); and
metrics/ablate.json.
"""

from pathlib import Path

from guess_or_recall.io.files import write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.localization.ablate import (
    DATA,
    OUTPUT,
    WHOLE,
    agreements,
    chosen,
    every_sequence,
    read_tokens,
    summary,
    summed_up,
    write_csv,
)
from guess_or_recall.localization.ablation import ablate
from guess_or_recall.localization.cuts import plan
from guess_or_recall.model.load import load_model
from guess_or_recall.settings.ablate import AblateSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Measure some evaluation sequences of each class, with the model whole and cut."""
    params = read_settings(AblateSettings)
    settings, labels = params.ablate, read_labels(DATA / "label" / "labels.parquet")
    rows = chosen(labels, settings.sequences, params.seed)
    ids, own = labels.sequence_ids[rows], labels.labels[rows]
    model = load_model(DATA / "model")
    layers = model.config.get_text_config().num_hidden_layers
    cuts = plan(settings.cuts, layers, settings.random, params.seed)
    found = ablate(model, read_tokens(ids), cuts, settings.diagonal, settings.batch)
    cuts = [WHOLE, *cuts]
    write_table(OUTPUT / "sequences.parquet", every_sequence(ids, own, cuts, found))
    table = summed_up(cuts, found, own, labels.classes, params)
    write_csv(OUTPUT / "ablation.csv", table)
    agreement = agreements(cuts, found, own, labels.classes, params)
    write_csv(OUTPUT / "agreement.csv", agreement)
    write_json(Path("metrics/ablate.json"), summary(table, agreement, own, labels.classes))
