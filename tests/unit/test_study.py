"""`import guess_or_recall`: the page about it run as it stands, and arrays against the files."""

import contextlib
import io
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

import guess_or_recall
from guess_or_recall.errors import UserError
from tests.conftest import ROOT
from tests.pages import read_page


@pytest.fixture
def study(micro):
    return guess_or_recall.Study(micro)


def test_the_page_prints_what_it_says(micro, monkeypatch):
    monkeypatch.chdir(micro)
    blocks = read_page(ROOT / "docs/python.md").blocks
    assert [block.language for block in blocks] == ["python", "text"] * (len(blocks) // 2)
    names: dict[str, object] = {}
    for code, output in zip(blocks[::2], blocks[1::2], strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code.text, names)
        assert printed.getvalue() == output.text


def test_importing_the_package_imports_nothing_of_it():
    code = "import guess_or_recall, sys; print({*sys.modules} & {'pandas', 'h5py', 'torch'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_other_names_are_missing():
    with pytest.raises(AttributeError, match="no attribute 'study_of'"):
        guess_or_recall.study_of  # noqa: B018


def test_patterns_are_those_of_the_shards_in_the_order_asked_for(study, micro):
    with h5py.File(micro / "data/attention/view.h5") as view:
        ids, packed = (np.asarray(view[name]) for name in ("sequence_id", "max"))
    rows = [5, 0, 5]
    patterns = study.attention(ids[rows], "max")
    query, key = np.tril_indices(patterns.shape[-1])
    assert np.array_equal(patterns[..., query, key], packed[rows])
    assert not np.triu(patterns, 1).any()


def test_delta_and_profiles_agree(study):
    """A class's map is the mean over its sequences: its mean in a layer is that of the profiles."""
    labels, profiles = study.labels(), study.profiles()
    for name, delta in study.delta().items():
        of_class = profiles[labels["class_name"][profiles.index] == name]
        assert np.allclose(delta.mean((1, 2)), of_class.mean(), rtol=1e-4)


def test_tables_are_about_the_same_sequences(study):
    sequences, candidates, labels = study.sequences(), study.candidates(), study.labels()
    assert sequences.index.equals(candidates.index)
    assert sequences["sequence_duplicates"].equals(candidates["sequence_duplicates"])
    assert set(labels.index) <= set(sequences.index)
    evaluated = labels[labels["part"] == "eval"]["class_name"]
    pd.testing.assert_series_equal(study.predictions()["class_name"], evaluated)


def test_settings_are_those_of_the_study(study):
    assert study.params().profile == "micro"


@pytest.mark.parametrize(
    "method", ["sequences", "candidates", "labels", "gallery", "delta", "profiles", "metrics"]
)
def test_what_is_missing_is_named(method, tmp_path):
    with pytest.raises(UserError, match=rf"^{tmp_path}.* is missing: .*dvc"):
        getattr(guess_or_recall.Study(tmp_path), method)()
