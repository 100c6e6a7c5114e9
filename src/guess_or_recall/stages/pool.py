"""The union of the sequences that the declared variants sample: `python src/run.py pool`.

Attention is extracted once for this pool. It depends on params.yaml's `pool`, not on the taxonomy,
rho and delta of the moment, so that changing those extracts nothing again.
"""

import pyarrow as pa

from guess_or_recall.io import paths, schemas
from guess_or_recall.io.files import write_csv, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.taxonomy import PoolSettings
from guess_or_recall.taxonomy.candidates import candidates
from guess_or_recall.taxonomy.pool import summary, unite


def main() -> None:
    """Write data/pool and metrics/pool.json."""
    settings, frame = read_settings(PoolSettings), candidates()
    in_pool, gallery, variants = unite(frame, settings)
    ids = frame["sequence_id"].to_numpy()
    table = pa.table([ids[in_pool], gallery[in_pool]], schema=schemas.POOL)
    write_table(paths.POOL, table)
    write_csv(paths.VARIANTS, variants, schemas.VARIANTS)
    write_json(paths.metrics_of("pool"), summary(variants))
