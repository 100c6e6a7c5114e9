"""The results of a study in Python: `guess_or_recall.Study("path/to/checkout")`.

Tables come as data frames and attention as NumPy arrays, read by the functions that the stages
read them with. Nothing is computed, and the data/attention of a study is needed by
`Study.attention` alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float16, Float32, Int, Int32, Int64

from guess_or_recall.attention.gallery import one_head, read_gallery
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.io import paths
from guess_or_recall.io.checksums import NAME as CHECKSUMS
from guess_or_recall.io.checksums import read_sums
from guess_or_recall.io.files import existing, read_json
from guess_or_recall.io.tables import read_whole
from guess_or_recall.io.tensors import read_tensors
from guess_or_recall.localization.delta_profiles import layers_of_delta_profiles
from guess_or_recall.settings.params import Params
from guess_or_recall.settings.section import PARAMS, read_settings
from guess_or_recall.taxonomy.candidates import candidates
from guess_or_recall.taxonomy.labels import read_labels


class Gallery(NamedTuple):
    """A few sequences with the attention patterns of every head."""

    sequence_ids: Int64[np.ndarray, " g"]
    attention: Float16[np.ndarray, "g layers heads query key"]
    tokens: Int32[np.ndarray, "g length"]


@dataclass(frozen=True)
class Study:
    """The results that lie in a checkout; each method raises UserError where a file is missing.

    Args:
        path: folder of params.yaml and data/.

    Example:
        >>> study = Study(".")
        >>> labels = study.labels()
        >>> study.attention(labels.index[:10]).shape
    """

    path: Path | str = "."

    def file(self, path: Path) -> Path:
        """Where a file of the study lies, such as `guess_or_recall.io.paths.SCORE`."""
        return Path(self.path) / path

    def table(self, path: Path) -> pd.DataFrame:
        """A parquet table of the study as a data frame, a row a sequence, by sequence_id."""
        return read_whole(self.file(path)).to_pandas().set_index("sequence_id")

    def params(self) -> Params:
        """The settings in params.yaml."""
        return read_settings(Params, self.file(PARAMS))

    def sequences(self) -> pd.DataFrame:
        """Tokens, text and origin of every sequence, and how often it occurs in training."""
        return self.table(paths.SEQUENCES)

    def candidates(self) -> pd.DataFrame:
        """All that a taxonomy may use of every sequence: duplicates, scores and features."""
        return candidates(Path(self.path)).set_index("sequence_id")

    def labels(self) -> pd.DataFrame:
        """Class, its number, and part (train or eval) of every sampled sequence."""
        return self.table(paths.LABELS)

    def classes(self) -> list[str]:
        """Names of the classes, in the order of their numbers."""
        return read_labels(self.file(paths.LABELS)).classes

    def attention(
        self, sequence_ids: Int[np.ndarray, " n"] | pd.Index, pooling: str = "mean"
    ) -> Float16[np.ndarray, "n layers query key"]:
        """Attention patterns of some sequences, pooled over heads, in the order asked for.

        Args:
            sequence_ids: of sequences in the pool, such as the index of `labels()`.
            pooling: `mean` or `max`.
        """
        packed = read_pooled(self.file(paths.ATTENTION), np.asarray(sequence_ids), pooling)
        return one_head(packed, self.params().sequences.total)[:, :, 0]

    def gallery(self) -> Gallery:
        """The attention patterns of every head, of a few sequences of each class."""
        return Gallery(*read_gallery(self.file(paths.GALLERY)))

    def delta(self) -> dict[str, Float32[np.ndarray, "layers query key"]]:
        """Δ of each class: the mean over its sequences and over the CNNs."""
        maps = read_tensors(self.file(paths.DELTA), "delta")["delta"]
        return dict(zip(self.classes(), maps, strict=True))

    def profiles(self) -> pd.DataFrame:
        """Mean Δ of a sequence in each layer: a row a sequence, a column a layer."""
        values = self.table(paths.DELTA_PROFILES)["delta"]
        columns = layers_of_delta_profiles(self.file(paths.DELTA_PROFILES))
        return pd.DataFrame(np.stack(values.to_list()), values.index, columns)

    def predictions(self) -> pd.DataFrame:
        """The class of each evaluation sequence, and the one that each CNN gives it."""
        return self.table(paths.PREDICTIONS)

    def metrics(self) -> dict[str, dict]:
        """The metrics of each stage, as metrics/STAGE.json holds them."""
        stages = {file.stem for file in existing(self.file(paths.METRICS)).glob("*.json")}
        for sums in self.file(paths.DATA).glob(f"*/{CHECKSUMS}"):
            stages |= {Path(name).stem for name in read_sums(sums) if name.startswith("..")}
        return {stage: read_json(self.file(paths.metrics_of(stage))) for stage in sorted(stages)}
