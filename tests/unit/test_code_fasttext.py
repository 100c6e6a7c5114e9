"""The fastText detector, with a small model of its own."""

import base64
import gzip
import hashlib

import numpy as np
import pytest

from guess_or_recall.errors import UserError
from guess_or_recall.features import code_fasttext
from guess_or_recall.features.code_fasttext import fasttext_detector, model_file
from guess_or_recall.settings.features import FastText

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


def of(folder):
    """The settings that name the model of a folder."""
    return FastText(source="path", path=str(folder), revision="main")


def test_code_and_prose(tmp_path):
    path = small(tmp_path)
    texts = [CODE, PROSE, CODE.replace(" ", "\n\n"), f"{PROSE} \\usepackage{{tikz}}"]
    detector = fasttext_detector(of(path.parent))
    assert detector.is_code(texts).tolist() == [True, False, True, True]
    assert detector.is_code(texts).dtype == np.bool_
    assert detector.description is not None
    assert detector.description["model"] == "model.bin"
    assert len(detector.description["sha256"]) == 64


def test_a_file_of_the_hub_has_the_hash_that_the_hub_gives_it(tmp_path, monkeypatch):
    """`revision: main` may name another file some day: which one was used is recorded."""
    content = small(tmp_path).read_bytes()
    blob = tmp_path / "blobs" / hashlib.sha256(content).hexdigest()
    snapshot = tmp_path / "snapshots" / ("0" * 40) / "model.bin"
    for path in (blob, snapshot):
        path.parent.mkdir(parents=True)
    blob.write_bytes(content)
    snapshot.symlink_to(blob)
    monkeypatch.setattr(code_fasttext, "hf_hub_download", lambda *_, revision: str(snapshot))
    choice = FastText(source="hub", path="gone", revision="main")
    recorded = fasttext_detector(choice).description
    assert recorded is not None
    assert (recorded["sha256"], recorded["commit"]) == (blob.name, "0" * 40)
    blob.write_bytes(content[:-1] + b"?")
    with pytest.raises(UserError, match=rf"is damaged: its SHA-256 .* remove {blob}, so"):
        fasttext_detector(choice)


def test_files_that_do_not_serve(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no file 'gone/model.bin': .*hf download .*magika"):
        model_file(of("gone"))
    assert model_file(of(small(tmp_path).parent)) == tmp_path / "model.bin"
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"model.bin' cannot be read \(.*wrong file format"):
        fasttext_detector(of(tmp_path))
    with pytest.raises(UserError, match=r"has no label Code .it has __label__"):
        fasttext_detector(of(small(tmp_path, b"Edoc").parent))

    def offline(*_, revision):
        assert revision == "v1"
        raise ConnectionError("no route\nat all")

    monkeypatch.setattr(code_fasttext, "hf_hub_download", offline)
    with pytest.raises(UserError, match=r"'v1' cannot be fetched .ConnectionError: no route.: f"):
        model_file(FastText(source="hub", path="gone", revision="v1"))
