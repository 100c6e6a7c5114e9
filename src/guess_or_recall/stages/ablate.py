"""What the model still extracts when attention is cut, layer by layer: `python src/run.py ablate`.

Makes data/ablate/: sequences.parquet (a row a sequence and cut), ablation.csv (a row a class and
cut, with 95% intervals) and agreement.csv (do the Δ profiles predict the damage?); and
metrics/ablate.json.
"""

import numpy as np
from jaxtyping import Int, Int64

from guess_or_recall.io.files import write_csv, write_json
from guess_or_recall.io.paths import (
    ABLATE,
    ABLATION,
    AGREEMENT,
    LABELS,
    MODEL,
    PROFILES,
    SEQUENCES,
    metrics_of,
)
from guess_or_recall.io.schemas import select, sequences
from guess_or_recall.io.tables import read_rows, token_matrix, write_table
from guess_or_recall.localization.ablation import ablate
from guess_or_recall.localization.choice import ABLATED, chosen
from guess_or_recall.localization.cuts import Regions, plan
from guess_or_recall.localization.damage import (
    WHOLE,
    Ablation,
    agreement_table,
    class_table,
    sequence_table,
    summary,
)
from guess_or_recall.localization.profiles import read_profiles
from guess_or_recall.model.load import load_model
from guess_or_recall.settings.ablate import AblateSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Measure some evaluation sequences of each class, with the model whole and cut."""
    params = read_settings(AblateSettings)
    settings, sampled = params.ablate, read_labels(LABELS)
    rows = chosen(sampled, sampled.is_eval, settings.sequences, params.seed, ABLATED)
    sequence_ids = sampled.sequence_ids[rows]
    tokens = read_tokens(sequence_ids, params.sequences.total)
    model = load_model(MODEL)
    layers = model.config.get_text_config().num_hidden_layers
    cuts = plan(settings.cuts, layers, settings.random, params.seed)
    regions = Regions(params.sequences.prefix, settings.diagonal)
    outcomes = ablate(model, tokens, cuts, regions, settings.batch)
    members = sequence_ids, sampled.labels[rows], sampled.classes
    ablation = Ablation(*members, [WHOLE, *cuts], outcomes)
    resampling = settings.bootstrap, params.seed
    write_table(ABLATE / "sequences.parquet", sequence_table(ablation))
    table = class_table(ablation, *resampling)
    write_csv(ABLATION, table)
    agreement = agreement_table(ablation, settings.cuts, read_profiles(PROFILES, layers), *resampling)
    write_csv(AGREEMENT, agreement)
    write_json(metrics_of("ablate"), summary(table, agreement, ablation))


def read_tokens(sequence_ids: Int64[np.ndarray, " n"], length: int) -> Int[np.ndarray, "n length"]:
    """Read the true tokens of some sequences, whether the model extracts them or not."""
    columns = select(sequences(length), "sequence_id", "tokens")
    table = read_rows(SEQUENCES, columns, sequence_ids)
    rows = np.searchsorted(table["sequence_id"].to_numpy(), sequence_ids)
    return token_matrix(table["tokens"])[rows]
