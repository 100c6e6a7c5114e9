"""ROUGE, templates and code, from tokens and text alone: `python src/run.py features`."""

import pyarrow as pa

from guess_or_recall.features.columns import features, summary
from guess_or_recall.features.detectors import DETECTORS
from guess_or_recall.features.published import PUBLISHED, disagreement, published_templates
from guess_or_recall.io import schemas
from guess_or_recall.io.files import write_json
from guess_or_recall.io.paths import FEATURES, SEQUENCES, metrics_of
from guess_or_recall.io.tables import read_parts, read_schema, read_whole, write_parts
from guess_or_recall.settings.features import FeaturesSettings
from guess_or_recall.settings.section import read_settings


def main() -> None:
    """Write data/features and metrics/features.json."""
    settings = read_settings(FeaturesSettings)
    columns = schemas.select(
        schemas.sequences(settings.sequences.total), "sequence_id", "tokens", "text"
    )
    takes_over = settings.features.templates == "published"
    has_published = {*PUBLISHED.names} <= {*read_schema(SEQUENCES).names}
    if takes_over or has_published:
        columns = pa.schema([*columns, *PUBLISHED])
    detector = DETECTORS[settings.features.is_code](settings.features)
    prefix = settings.sequences.prefix
    write_parts(
        FEATURES,
        (
            features(part, prefix, detector, published_templates(part) if takes_over else None)
            for part in read_parts(SEQUENCES, columns)
        ),
    )
    report = summary(read_whole(FEATURES)) | {"code_detector": detector.description}
    if has_published:
        report["templates"] = settings.features.templates
        report["published_against_computed"] = disagreement(read_parts(SEQUENCES, columns))
    write_json(metrics_of("features"), report)
