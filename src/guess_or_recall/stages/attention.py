"""Attention patterns of the pool, pooled over heads; of the gallery, every head.

    python src/run.py attention

Makes data/attention/ (shards, view.h5, provenance.json), data/gallery/gallery.h5 and
metrics/attention.json. An interrupted run is taken up again at its last finished shard.
"""

from pathlib import Path

from guess_or_recall.attention.extract import extract, extract_gallery
from guess_or_recall.attention.pool import DATA, measure, working
from guess_or_recall.io.files import publish, write_json
from guess_or_recall.io.remotes import require_heavy
from guess_or_recall.settings.attention import AttentionSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Extract the attention of the pool and the gallery."""
    require_heavy("attention")
    settings = read_settings(AttentionSettings).attention
    with working(settings) as (model, pool, folder, sizes):
        shards, pictures = folder / "attention", folder / "gallery"
        extract(model, pool.sequence_ids, pool.tokens, shards, **sizes)
        marked = pool.sequence_ids[pool.gallery], pool.tokens[pool.gallery]
        extract_gallery(model, *marked, pictures / "gallery.h5", sizes["provenance"])
        publish(pictures, DATA / "gallery")
        publish(shards, DATA / "attention")
    write_json(Path("metrics/attention.json"), measure())
