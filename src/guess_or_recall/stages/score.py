"""Memorization score and perplexities of every sequence: `python src/run.py score`."""

from guess_or_recall.errors import say_all
from guess_or_recall.io.files import content_hash, read_json, write_json
from guess_or_recall.io.paths import MODEL, MODEL_POINTER, SCORE, SEQUENCES, metrics_of
from guess_or_recall.io.schemas import published_sequences, select
from guess_or_recall.io.scratch import scratch
from guess_or_recall.io.tables import read_rows, read_table, token_matrix, write_parts, write_table
from guess_or_recall.model import published
from guess_or_recall.model.load import identity, load_model
from guess_or_recall.model.shards import score_in_shards
from guess_or_recall.model.shares import memorized_shares
from guess_or_recall.remarks import of_score
from guess_or_recall.settings.score import ScoreSettings
from guess_or_recall.settings.section import read_settings

KINDS = ("sequence_duplicates", "planted")


def main() -> None:
    """Write data/score and metrics/score.json."""
    settings = read_settings(ScoreSettings)
    run = take_over if settings.score.source == "published" else measure
    report = run(settings)
    write_json(metrics_of("score"), report)
    say_all(of_score(report))


def measure(settings: ScoreSettings) -> dict:
    """Score every sequence with the model; give what to report."""
    prefix, length = settings.sequences.prefix, settings.sequences.total
    columns = select(published_sequences(length), "sequence_id", "tokens", *KINDS)
    sequences, model = read_table(SEQUENCES, columns), load_model(MODEL)
    ids, tokens = sequences["sequence_id"], token_matrix(sequences["tokens"])
    inputs = prefix, content_hash(SEQUENCES), identity(read_json(MODEL_POINTER))
    with scratch("score", settings.score.decode, *inputs, str(model.device)) as folder:
        scores = score_in_shards(model, ids, tokens, prefix, settings.score, folder)
        write_table(SCORE, scores)
    memorized = scores["memorization_score"].to_numpy() == 1
    report = memorized_shares(sequences, scores["memorization_score"])
    return report | published.agreement(SEQUENCES, length, memorized)


def take_over(settings: ScoreSettings) -> dict:
    """Take the published scores over and recheck some with the model; give what to report."""
    prefix, columns = settings.sequences.prefix, published_sequences(settings.sequences.total)
    names = ("sequence_id", *KINDS, *published.COLUMNS)
    sequences = read_table(SEQUENCES, select(columns, *names))
    scores = sequences["published_memorization_score"]
    memorized = sequences["sequence_id"].to_numpy()[scores.to_numpy() == 1]
    ids = published.drawn_for_recheck(memorized, settings.score.recheck, settings.seed)
    share = None
    if len(ids):
        rows = read_rows(SEQUENCES, select(columns, "sequence_id", "tokens"), ids)
        tokens, model = token_matrix(rows["tokens"]), load_model(MODEL)
        share = published.reextracted_share(model, tokens, prefix, settings.score)
    write_parts(SCORE, published.published_scores(sequences, settings.sequences.suffix))
    report = memorized_shares(sequences, scores)
    return report | {"rechecked": len(ids), "reextracted_share": share}
