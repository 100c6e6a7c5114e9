"""The union of the sequences that the declared variants sample: `python src/run.py pool`.

Attention is extracted once for this pool. It depends on params.yaml's `pool`, not on the taxonomy,
rho and delta of the moment, so that changing those extracts nothing again.
"""

from pathlib import Path

import pyarrow as pa

from guess_or_recall.io.files import atomic, write_json
from guess_or_recall.io.tables import write_table
from guess_or_recall.settings.section import read_settings
from guess_or_recall.settings.taxonomy import PoolSettings
from guess_or_recall.taxonomy.pool import POOL, candidates, summary, unite


def main() -> None:
    """Write data/pool and metrics/pool.json."""
    params = read_settings(PoolSettings)
    frame = candidates()
    in_pool, gallery, report = unite(frame, params)
    ids = frame["sequence_id"].to_numpy()
    table = pa.table([ids[in_pool], gallery[in_pool]], schema=POOL)
    write_table(Path("data/pool/pool.parquet"), table)
    with atomic(Path("data/pool/variants.csv")) as temporary:
        report.to_csv(temporary, index=False)
    write_json(Path("metrics/pool.json"), summary(report))
