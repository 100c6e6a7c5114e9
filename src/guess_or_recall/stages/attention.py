"""Attention patterns of the pool, pooled over heads; of the gallery, every head.

    python src/run.py attention

Makes data/attention/ (shards, view.h5, provenance.json), data/gallery/gallery.h5 and
metrics/attention.json. An interrupted run is taken up again at its last finished shard.
"""

from pathlib import Path

from guess_or_recall.attention.extract import Shards, extract, extract_gallery
from guess_or_recall.attention.gallery import read_gallery
from guess_or_recall.attention.reading import layers_of
from guess_or_recall.attention.store import NOTES, TOLERANCE
from guess_or_recall.attention.work import Extraction, working
from guess_or_recall.errors import say_all
from guess_or_recall.io.files import publish, read_json, write_json
from guess_or_recall.io.paths import ATTENTION, GALLERY, GALLERY_FOLDER, PROVENANCE, metrics_of
from guess_or_recall.io.remotes import require_heavy
from guess_or_recall.remarks import of_attention
from guess_or_recall.settings.attention import AttentionSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Extract the attention of the pool and the gallery."""
    require_heavy("attention")
    settings = read_settings(AttentionSettings)
    with working(settings) as work:
        shards = Shards(work.folder / "attention", settings.attention.shard, work.provenance)
        extract(work.model, work.sequence_ids, work.tokens, shards, work.batch)
        gallery = work.folder / "gallery"
        write_pictures(work, gallery / GALLERY.name)
        publish(gallery, GALLERY_FOLDER)
        publish(shards.folder, ATTENTION)
    write_json(metrics_of("attention"), measure())


def write_pictures(work: Extraction, path: Path) -> None:
    """Write the attention of every head for the sequences of the gallery."""
    ids, tokens = work.sequence_ids[work.gallery], work.tokens[work.gallery]
    extract_gallery(work.model, ids, tokens, path, work.provenance)


def measure() -> dict[str, int | float | list[int]]:
    """Size of the store, layers and heads of the model, what the rows add up to; says the last."""
    provenance = read_json(PROVENANCE)
    stored = sum(path.stat().st_size for path in ATTENTION.glob("*.h5"))
    say_all(of_attention(provenance, TOLERANCE))
    return {
        "sequences": provenance["sequences"],
        "bytes": stored,
        "bytes_per_sequence": round(stored / provenance["sequences"], 1),
        "layers": provenance["layers"],
        "attention_layers": layers_of(ATTENTION),
        "heads": read_gallery(GALLERY)[1].shape[2],
        **{name: provenance[name] for name in NOTES},
    }
