"""Tell code from prose with the fastText model of the published study.

`kenhktsui/code-natural-language-fasttext-classifier` is a download of 8.9 GB, read into memory
whole; its quantized version (1.5 GB) serves too. Newlines are given to it as spaces.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from huggingface_hub import hf_hub_download
from jaxtyping import Bool
from tqdm import tqdm

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.features.code_magika import LATEX_PREAMBLE

REPOSITORY, FILE = "kenhktsui/code-natural-language-fasttext-classifier", "model.bin"
CODE = "__label__Code"
KEY = "features.fasttext"


def model_file(path: str | None) -> Path:
    """The model's file: `path`, or that of the hub or of its cache.

    Raises:
        UserError: there is none.
    """
    if path is not None:
        if not Path(path).is_file():
            raise UserError(f"{KEY}: no file '{path}': {way_out()}")
        return Path(path)
    try:
        return Path(hf_hub_download(REPOSITORY, FILE))
    except Exception as error:  # those of the network have no common type
        raise UserError(
            f"{KEY}: {REPOSITORY} cannot be fetched ({type(error).__name__}: "
            f"{first_line(error)}): {way_out()}"
        ) from None


def way_out() -> str:
    """How to do without the hub."""
    return (
        f"fetch it where there is a network (hf download {REPOSITORY} {FILE} --local-dir FOLDER) "
        f"and set {KEY} to FOLDER/{FILE}, or set features.is_code to magika"
    )


def is_code_fasttext(texts: Sequence[str], path: Path) -> Bool[np.ndarray, " n"]:
    r"""Say which texts are code: the model's first label is so, or they contain `\usepackage{`.

    Raises:
        UserError: fastText is not installed, or the file is no model of it, or one without labels
            for code.
    """
    model = load(path)
    known = model.predict("any", k=-1)[0]
    if CODE not in known:
        raise UserError(f"{KEY}: '{path}' has no label Code (it has {', '.join(known[:5])})")
    progress = tqdm(texts, "code", unit=" texts", mininterval=1)
    found = [LATEX_PREAMBLE in text or first_label(model, text) == CODE for text in progress]
    return np.array(found, dtype=bool)


def first_label(model, text: str) -> str:
    """The likeliest label of a text; none of one without words."""
    labels, _ = model.predict(re.sub("\n+", " ", text))
    return labels[0] if labels else ""


def load(path: Path):
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


def describe_fasttext(path: Path) -> dict[str, str]:
    """Name, file and hash of the model."""
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"name": "fasttext", "model": path.name, "sha256": digest}
