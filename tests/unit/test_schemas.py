"""Columns of the tables: those of io/schemas.py are written, and one that is missing is named."""

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.classifier import assessment
from guess_or_recall.classifier.assessment import Evaluated, plotted, predictions, votes
from guess_or_recall.errors import UserError
from guess_or_recall.io import schemas
from guess_or_recall.io.files import write_csv
from guess_or_recall.io.tables import read_csv


def test_features_beyond_those_of_the_trees_keep_their_types():
    columns = {"rouge_3": np.zeros(2), "length": np.zeros(2, np.int32)}
    schema = schemas.features(columns)
    assert schema.names == ["sequence_id", *schemas.FEATURES.names, "length"]
    assert str(schema.field("length").type) == "int32"


def test_predictions_and_votes_name_cnns_and_classes():
    logits = np.random.default_rng(0).random((2, 3, 4, 3), np.float32)
    labels = np.array([0, 1, 2, 0], np.int8)
    evaluated = Evaluated(["a", "b"], logits, np.arange(4), labels, ["x", "y", "z"])
    assert predictions(evaluated).schema == schemas.predictions(["a", "b"])
    assert votes(evaluated).schema == schemas.votes(3)
    counts = [votes(evaluated)[f"votes_{label}"].to_numpy() for label in range(3)]
    assert np.sum(counts, 0).tolist() == [6] * 4  # CNNs times epochs


def test_a_table_of_other_columns_is_neither_written_nor_read(tmp_path):
    path, table = tmp_path / "loss.csv", pd.DataFrame({"step": [0], "losses": [1.0]})
    with pytest.raises(AssertionError, match=r"loss\.csv: \['step', 'losses'\]"):
        write_csv(path, table, schemas.LOSS)
    assert not path.exists()
    table.to_csv(path, index=False)
    with pytest.raises(UserError, match=r"no column 'loss' \(it has step, losses\)"):
        read_csv(path, schemas.LOSS)


def test_plotted_keeps_to_the_best_cnn_where_all_are_too_many(monkeypatch):
    names = ["x", "y", "z"]
    actual = np.array([0, 1, 2], np.int8)
    logits = np.zeros((2, 1, 3, 3), np.float32)
    logits[1, 0] = np.eye(3)
    monkeypatch.setattr(assessment, "PLOTTED", 5)
    table = plotted(Evaluated(["a", "b"], logits, np.arange(3), actual, names))
    assert table["predicted"].tolist() == table["actual"].tolist() == names
