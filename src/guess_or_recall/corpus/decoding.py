"""How bytes become text: one way for every format of a corpus.

A byte order mark decides, else UTF-8 where all bytes are valid in it, else what charset-normalizer
finds; what is no text in any encoding is refused. A document keeps its line ends as they are.
"""

import codecs
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from charset_normalizer import CharsetMatch, from_bytes
from charset_normalizer.utils import is_multi_byte_encoding

from guess_or_recall.errors import UserError

MARKS = {  # the longer ones first: that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
RARE = ["shift_jis_2004", "shift_jisx0213", "euc_jis_2004", "euc_jisx0213"]  # only cast doubt
WIDE = ["utf_16_le", "utf_16_be", "utf_32_le", "utf_32_be"]
MARK = "\ufeff"
LONE = re.compile("[\ud800-\udfff]")
CONTROL = bytes([*range(9), *range(14, 27), *range(28, 32)])  # but for tabs, line ends, escape
MANY = 0.2  # of control characters: text has hardly any, UTF-16 read as UTF-8 has every second
SOME = 0.02  # in UTF-16 of Chinese, which is not UTF-8 anyway
NEAR = 0.1  # how much less plausible a rival may be, as charset-normalizer measures it
BLOCK = 1 << 20
SAMPLE = 1 << 16  # bytes from which an encoding is guessed


class Inspection(NamedTuple):
    """What a look at all bytes of a text file tells."""

    bytes: int
    sha256: str
    encoding: str
    is_guessed: bool


def inspect(path: Path, named: str = "auto") -> Inspection:
    """Hash a text file and find its encoding, block by block.

    Args:
        path: the file.
        named: the encoding where it has no mark and is not UTF-8; `auto`: it is found.

    Raises:
        UserError: it is no text, text of which a part is damaged, or of an unclear encoding.
        OSError: it cannot be read.
    """
    digest, decoder = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    start, controls, size, invalid = b"", 0, 0, None
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            start = start or block[:4]
            digest.update(block)
            controls += len(block) - len(block.translate(None, CONTROL))
            if invalid is None:
                pending = len(decoder.getstate()[0])
                try:
                    decoder.decode(block)
                except UnicodeDecodeError as error:
                    invalid = size - pending + error.start
            size += len(block)
    if invalid is None and decoder.getstate()[0]:
        invalid = size - len(decoder.getstate()[0])
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return Inspection(size, digest.hexdigest(), encoding, False)
    if invalid is None and controls <= MANY * size:
        return Inspection(size, digest.hexdigest(), "utf-8", False)
    return Inspection(size, digest.hexdigest(), guess(path, invalid, named), named == "auto")


def read_text(path: Path, encoding: str) -> str:
    """The whole text of a file, its line ends as they are.

    Raises:
        UserError: a part of it is damaged, or of another encoding.
        OSError: it cannot be read.
    """
    try:
        with open(path, encoding=encoding, newline="") as stream:
            return stream.read()
    except UnicodeError as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: UnicodeError) -> UserError:
    """What is said of a file that is not all of one encoding."""
    return UserError(
        f"{path} is damaged, or of another encoding in part ({error}): save it as UTF-8"
    )


def guess(path: Path, invalid: int | None, named: str) -> str:
    """The encoding of a file that is not UTF-8, or is full of control characters.

    Args:
        path: the file.
        invalid: the first byte that is not UTF-8, None where all are.
        named: in the settings; `auto`: it is found.

    Raises:
        UserError: no encoding fits, several do, or most of the file is UTF-8.
    """
    sample = sample_of(path, invalid)
    if invalid is not None and mostly_utf8(sample):
        raise UserError(
            f"{path} is UTF-8 but for byte {invalid} and perhaps others: it is damaged, or parts "
            "of it have another encoding: save it as UTF-8"
        )
    if named != "auto":
        return named
    fitting = matches(sample, invalid)
    if not fitting or not is_known(fitting[0]):
        raise UserError(
            f"{path} is no text in UTF-8, and what else it is cannot be told: save it as UTF-8, "
            "name its encoding (sequences.files.encoding), or take it out of the corpus"
        )
    if rivals := [match for match in fitting[1:] if is_rival(match, fitting[0])]:
        names = ", ".join(match.encoding for match in [fitting[0], *rivals][:4])
        raise UserError(
            f"{path} is no text in UTF-8, and may be {names}: name its encoding "
            "(sequences.files.encoding), or save it as UTF-8"
        )
    return fitting[0].encoding


def matches(sample: bytes, invalid: int | None) -> list[CharsetMatch]:
    """Encodings that fit, the likeliest first; UTF-16 and 32 alone where there are many controls.

    Their texts are full of zeros and other control characters, which no other encoding uses.
    """
    controls = len(sample) - len(sample.translate(None, CONTROL))
    if controls > (MANY if invalid is None else SOME) * len(sample):
        return list(from_bytes(sample, cp_isolation=WIDE))
    return list(from_bytes(sample, cp_exclusion=[*RARE, *WIDE, "utf_16", "utf_32"]))


def is_known(match: CharsetMatch) -> bool:
    """Whether a match is more than chance: its bytes form characters, or its letters words."""
    return is_multi_byte_encoding(match.encoding) or match.coherence > 0


def is_rival(match: CharsetMatch, best: CharsetMatch) -> bool:
    """Whether a match would be about as plausible as the best one, and is another text."""
    is_near = match.chaos < best.chaos + NEAR and match.coherence >= best.coherence / 2
    return is_near and str(match) != str(best)


def sample_of(path: Path, invalid: int | None) -> bytes:
    """Bytes that show the encoding: the first ones, or from the line with the first odd byte."""
    start = 0 if invalid is None else max(invalid - SAMPLE // 2, 0)
    with open(path, "rb") as stream:
        stream.seek(start)
        sample = stream.read(SAMPLE)
    if start:
        sample = sample[sample.rfind(b"\n", 0, SAMPLE // 2) + 1 :]
    is_cut = invalid is not None and len(sample) == SAMPLE
    return sample[: sample.rfind(b"\n") + 1 or None] if is_cut else sample


def mostly_utf8(sample: bytes) -> bool:
    """Whether more characters of several bytes are valid UTF-8 than are not."""
    text = sample.decode("utf-8", "surrogateescape")
    wrong = len(LONE.findall(text))
    return sum(character > "\x7f" for character in text) - wrong > wrong


def plain(text: str, counts: Counter[str]) -> str:
    """A document's text without a byte order mark and without halves of characters.

    A tokenizer cannot take a lone surrogate; it becomes U+FFFD, the replacement character.

    Args:
        text: as it was read.
        counts: of documents by what was met in them.
    """
    if text.startswith(MARK):
        counts["documents_with_mark"] += 1
        text = text[1:]
    counts["documents_with_lone_surrogates"] += bool(LONE.search(text))
    counts["documents_with_carriage_returns"] += "\r" in text
    counts["documents_empty"] += not text
    return whole(text)


def whole(text: str) -> str:
    """A text in which U+FFFD, the replacement character, stands for halves of characters."""
    return LONE.sub("\ufffd", text) if LONE.search(text) else text
