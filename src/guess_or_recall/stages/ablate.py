"""What the model still extracts when attention is cut, layer by layer: `python src/run.py ablate`.

Makes data/ablate/: sequences.parquet (a row a sequence and cut), ablation.csv (a row a class and
cut, with 95% intervals) and agreement.csv (do the Δ profiles predict the damage?); and
metrics/ablate.json.
"""

import numpy as np
from jaxtyping import Int, Int64

from guess_or_recall.io import paths
from guess_or_recall.io.files import write_csv, write_json
from guess_or_recall.io.schemas import ABLATION, AGREEMENT, select, sequences
from guess_or_recall.io.tables import read_rows, token_matrix, write_table
from guess_or_recall.localization import damage
from guess_or_recall.localization.ablation import ablate
from guess_or_recall.localization.choice import ABLATED, chosen
from guess_or_recall.localization.cuts import Regions, plan
from guess_or_recall.localization.delta_profiles import read_delta_profiles
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.load import load_model
from guess_or_recall.settings.ablate import AblateSettings
from guess_or_recall.settings.section import read_settings
from guess_or_recall.taxonomy.labels import read_labels


def main() -> None:
    """Measure some evaluation sequences of each class, with the model whole and cut."""
    params = read_settings(AblateSettings)
    settings, sampled = params.ablate, read_labels(paths.LABELS)
    rows = chosen(sampled, sampled.is_eval, settings.sequences, params.seed, ABLATED)
    sequence_ids = sampled.sequence_ids[rows]
    tokens = read_tokens(sequence_ids, params.sequences.total)
    model = load_model(paths.MODEL)
    layers = list(numbered_modules(model))
    cuts = plan(settings.cuts, layers, settings.random, params.seed)
    regions = Regions(params.sequences.prefix, settings.diagonal)
    outcomes = ablate(model, tokens, cuts, regions, settings.batch)
    members = sequence_ids, sampled.labels[rows], sampled.classes
    ablation = damage.Ablation(*members, [damage.WHOLE, *cuts], outcomes)
    resampling = settings.bootstrap, params.seed
    write_table(paths.ABLATED, damage.sequence_table(ablation))
    table = damage.class_table(ablation, *resampling)
    write_csv(paths.ABLATION, table, ABLATION)
    profiles = read_delta_profiles(paths.DELTA_PROFILES, len(layers))
    agreement = damage.agreement_table(ablation, settings.cuts, profiles, *resampling)
    write_csv(paths.AGREEMENT, agreement, AGREEMENT)
    write_json(paths.metrics_of("ablate"), damage.summary(table, agreement, ablation))


def read_tokens(sequence_ids: Int64[np.ndarray, " n"], length: int) -> Int[np.ndarray, "n length"]:
    """Read the true tokens of some sequences, whether the model extracts them or not."""
    columns = select(sequences(length), "sequence_id", "tokens")
    table = read_rows(paths.SEQUENCES, columns, sequence_ids)
    rows = np.searchsorted(table["sequence_id"].to_numpy(), sequence_ids)
    return token_matrix(table["tokens"])[rows]
