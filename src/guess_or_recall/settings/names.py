"""Names that a user declares: checked where they stand, so that any path may be built from them."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

from guess_or_recall.errors import UserError

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*")
LONGEST = 60  # characters of a name
LONGEST_FILE = 200  # of a name that is made of several, below the 255 of file systems
ALLOWED = "letters a to z, digits and - _ . between them"


def name_of_files(text: str, longest: int = LONGEST) -> str:
    """Check a name that is part of paths, of experiments (thus of git) and of SLURM's jobs.

    Raises:
        UserError: it has other characters than those, or too many.
    """
    if not NAME.fullmatch(text) or text.endswith((".", ".lock")):
        raise UserError(f"name {text!r}: a name of files and experiments has {ALLOWED}")
    if len(text) > longest:
        raise UserError(f"name {text!r} has {len(text)} characters: give at most {longest}")
    return text


def label(text: str) -> str:
    """Check a name that is shown in tables and figures alone, as of a class; it may have blanks.

    Raises:
        UserError: it is empty or too long, or has characters that a figure or a table cannot show.
    """
    plain = all(char == " " or unicodedata.category(char)[0] not in "CZ" for char in text)
    if not text or text != text.strip(" ") or text[0] == "_" or not plain or {*text} & {*"$\\"}:
        raise UserError(
            f"name {text!r}: a class or kind needs a name on one line, without blanks around it, "
            "without $ and \\, and with another beginning than _"
        )
    if len(text) > LONGEST:
        raise UserError(f"name {text[:LONGEST]!r}... is too long: give at most {LONGEST} letters")
    return text


FileName = Annotated[str, AfterValidator(name_of_files)]
Label = Annotated[str, AfterValidator(label)]
