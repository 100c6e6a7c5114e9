"""Tell code from prose with the fastText model of the published study.

`kenhktsui/code-natural-language-fasttext-classifier` is a download of 8.9 GB, read into memory
whole; its quantized version (1.5 GB) serves too. Newlines are given to it as spaces.
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import hf_hub_download
from jaxtyping import Bool
from tqdm import tqdm

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.features.detector import LATEX_PREAMBLE, Detector
from guess_or_recall.io.checksums import sha256
from guess_or_recall.settings.features import FastText

REPOSITORY, FILE = "kenhktsui/code-natural-language-fasttext-classifier", "model.bin"
CODE = "__label__Code"
KEY = "features.fasttext"


def fasttext_detector(choice: FastText) -> Detector:
    """Load the detector from a folder, or from the hub or its cache.

    Raises:
        UserError: fastText is not installed, there is no file, or it is no model of fastText, or
            one without labels for code.
    """
    file = model_file(choice)
    provenance = identify(file, choice.source == "hub")
    model = load(file)
    labels = model.predict("any", k=-1)[0]
    if CODE not in labels:
        raise UserError(f"{KEY}: '{file}' has no label Code (it has {', '.join(labels[:5])})")
    description = {"name": "fasttext", "model": file.name, **provenance}
    return Detector(partial(is_code, model=model), description)


def identify(file: Path, is_of_hub: bool) -> dict[str, str]:
    """SHA-256 of the model's file; of the hub, checked against the hub's own, and the commit.

    The cache of the hub names a large file by the hash that the hub gives for it.

    Raises:
        UserError: the file in the cache is not the one of the hub.
    """
    digest, blob = sha256(file), file.resolve()
    if not is_of_hub:
        return {"sha256": digest}
    if re.fullmatch("[0-9a-f]{64}", blob.name) and blob.name != digest:
        raise UserError(
            f"{KEY}: '{file}' is damaged: its SHA-256 is not that of the hub: remove {blob}, so "
            "that it is fetched again"
        )
    return {"sha256": digest, "commit": file.parent.name}


def model_file(choice: FastText) -> Path:
    """The model's file: in a folder, or of the hub or of its cache.

    Raises:
        UserError: there is none.
    """
    if choice.source == "path":
        file = Path(choice.path) / FILE
        if not file.is_file():
            raise UserError(f"{KEY}.path: no file '{file}': {way_out()}")
        return file
    try:
        return Path(hf_hub_download(REPOSITORY, FILE, revision=choice.revision))
    except Exception as error:  # those of the network have no common type
        raise UserError(
            f"{KEY}: {REPOSITORY} at revision '{choice.revision}' cannot be fetched "
            f"({type(error).__name__}: {first_line(error)}): {way_out()}"
        ) from None


def way_out() -> str:
    """How to do without the hub."""
    return (
        f"fetch it where there is a network (hf download {REPOSITORY} {FILE} --local-dir FOLDER) "
        f"and set {KEY}.source to path and {KEY}.path to FOLDER, or set features.is_code to magika"
    )


def load(path: Path) -> Any:
    """The fastText model in a file."""
    try:
        import fasttext
    except ImportError:
        raise UserError(
            "features.is_code = fasttext needs fastText: pip install fasttext-predict"
        ) from None
    try:
        return fasttext.load_model(str(path))
    except (ValueError, MemoryError) as error:
        raise UserError(f"{KEY}: '{path}' cannot be read ({first_line(error)})") from None


def is_code(texts: Sequence[str], model: Any) -> Bool[np.ndarray, " n"]:
    r"""Say which texts are code: the model's first label is so, or they contain `\usepackage{`."""
    progress = tqdm(texts, "code", unit=" texts", mininterval=1)
    answers = [LATEX_PREAMBLE in text or first_label(text, model) == CODE for text in progress]
    return np.array(answers, dtype=bool)


def first_label(text: str, model: Any) -> str:
    """The likeliest label of a text; none of one without words."""
    labels, _ = model.predict(re.sub("\n+", " ", text))
    return labels[0] if labels else ""
