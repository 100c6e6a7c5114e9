"""The fastText detector, with a small model of its own."""

import base64
import gzip

import numpy as np
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.features import code_fasttext
from guess_or_recall.features.code_fasttext import fasttext_detector, model_file

CODE, PROSE = "def f ( x ) : return x + 1", "the cat sat on the mat today"
SMALL = (  # a model of four dimensions, trained on these two lines with fastText 0.9.2
    "H4sIAAAAAAACA9sl5q/Pw8DAwALErEAsAsSMUDaIZoZiZJACxLrOMq8fmUnZCwHZAkDMBMQZAhD5/1BQwTCBEaqlJCMV"
    "wbHRL7ZD8AwZTsAMLslPSaxEcHMTSxCc/DwEuxhZIhmZo41gFqWWlBYhabJCMDURTA0EMw3BTElF4sTH5yQmpebExzvn"
    "p6TChRnhwn6JQIsSc3wS89JLE9ORVDBAwwMcuCAwt+X1/pj2RPuUi2H79cx694mcfGXvNNdgv9ozc/t7RwvtlO8p224W"
    "7d+jdLLHplp8p/XarwH7n6ett5suuX6fiMmzvXuNo+2TInbsk3y23W7J0Y+2lPLRzac1H5xKkAPkl4TxAb/Q6falm6ft"
    "f6hwbB+zpLGDW+j0/dWbp9k/UThmBwCefY4KngIAAA=="
)


def small(folder, label=b"Code"):
    """The small model as a file; its label may be another of the same length."""
    path = folder / "model.bin"
    path.write_bytes(
        gzip.decompress(base64.b64decode(SMALL)).replace(b"__label__Code", b"__label__" + label)
    )
    return path


def test_code_and_prose(tmp_path):
    path = small(tmp_path)
    texts = [CODE, PROSE, CODE.replace(" ", "\n\n"), f"{PROSE} \\usepackage{{tikz}}"]
    detector = fasttext_detector(str(path))
    assert detector.is_code(texts).tolist() == [True, False, True, True]
    assert detector.is_code(texts).dtype == np.bool_
    assert detector.description is not None
    assert detector.description["model"] == "model.bin"
    assert len(detector.description["sha256"]) == 64


def test_files_that_do_not_serve(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no file 'gone.bin': fetch it .*hf download .*magika"):
        model_file("gone.bin")
    assert model_file(str(small(tmp_path))) == tmp_path / "model.bin"
    (tmp_path / "odd.bin").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"odd.bin' cannot be read \(.*wrong file format"):
        fasttext_detector(str(tmp_path / "odd.bin"))
    with pytest.raises(UserError, match=r"has no label Code .it has __label__"):
        fasttext_detector(str(small(tmp_path, b"Edoc")))

    def offline(*_):
        raise ConnectionError("no route\nat all")

    monkeypatch.setattr(code_fasttext, "hf_hub_download", offline)
    with pytest.raises(UserError, match=r"cannot be fetched .ConnectionError: no route.: fetch it"):
        model_file(None)
