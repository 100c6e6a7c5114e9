"""Where everything of a study lies, relative to the repository's root."""

from pathlib import Path

DATA = Path("data")
METRICS = Path("metrics")
FIGURES = Path("figures")
RESULTS = Path("results")

SEQUENCES_FOLDER = DATA / "sequences"
SEQUENCES = SEQUENCES_FOLDER / "sequences.parquet"
STREAM = SEQUENCES_FOLDER / "stream.parquet"  # the training stream, window by window
DOCUMENTS = SEQUENCES_FOLDER / "documents.parquet"  # of a corpus of files: their tokens
TOKENIZER = SEQUENCES_FOLDER / "tokenizer"
CORPUS = SEQUENCES_FOLDER / "corpus.json"
COVERAGE = SEQUENCES_FOLDER / "coverage.json"  # what of the corpus is studied
MANIFEST = SEQUENCES_FOLDER / "manifest.csv"  # every file of the corpus and its hash

MODEL = DATA / "model"
MODEL_POINTER = MODEL / "model.json"
LOSS = MODEL / "loss.csv"  # of a model that was trained here

SCORE = DATA / "score" / "score.parquet"
FEATURES = DATA / "features" / "features.parquet"
POOL = DATA / "pool" / "pool.parquet"
VARIANTS = DATA / "pool" / "variants.csv"

ATTENTION = DATA / "attention"
PROVENANCE = ATTENTION / "provenance.json"
VIEW = ATTENTION / "view.h5"  # all shards as one, for other programs
GALLERY_FOLDER = DATA / "gallery"
GALLERY = GALLERY_FOLDER / "gallery.h5"

LABELS = DATA / "label" / "labels.parquet"

TRAIN = DATA / "train"
CNNS = TRAIN / "cnns.json"  # what they are
WEIGHTS = TRAIN / "cnns.safetensors"
LOGITS = TRAIN / "logits.safetensors"
HISTORY = TRAIN / "history.csv"

EVALUATE = DATA / "evaluate"
CONFUSION = EVALUATE / "confusion.csv"
PREDICTIONS = EVALUATE / "predictions.parquet"
PLOTTED = EVALUATE / "predictions.csv"  # what `dvc plots` draws
VOTES = EVALUATE / "votes.parquet"

LOCALIZE = DATA / "localize"
DELTA = LOCALIZE / "delta.safetensors"
DELTA_PROFILES = LOCALIZE / "profiles.parquet"  # a row a sequence
DELTA_PROFILE = LOCALIZE / "profile.csv"  # a row a class and layer

ABLATE = DATA / "ablate"
ABLATED = ABLATE / "sequences.parquet"  # a row a sequence and cut
ABLATION = ABLATE / "ablation.csv"
AGREEMENT = ABLATE / "agreement.csv"


def metrics_of(stage: str) -> Path:
    """The file of a stage's metrics."""
    return METRICS / f"{stage}.json"
