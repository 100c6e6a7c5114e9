"""Corpora of files, read as the stage reads them."""

from pathlib import Path

import pytest

from guess_or_recall.corpus.documents import read_documents
from guess_or_recall.corpus.files import FILES
from guess_or_recall.corpus.source import Document, Reading
from guess_or_recall.errors import UserError
from guess_or_recall.settings.sequences import Sequences
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT


def read(folder: Path, **settings: str) -> tuple[list[Document], Reading]:
    """All documents of a folder as the stage reads them."""
    files = {"path": str(folder), "text": "text"} | settings
    params = read_yaml(ROOT / "params.yaml")["sequences"]
    sequences = Sequences.model_validate(params | {"source": "files", "files": files})
    reading = Reading()
    return list(read_documents(FILES, sequences, reading)), reading


def refused(folder: Path) -> str:
    """What is said of a folder, in one line."""
    with pytest.raises(UserError) as caught:
        read(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)
