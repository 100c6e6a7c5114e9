"""What all settings share: `Section`, the settings of one stage, and errors in one line."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import read_yaml

PARAMS = Path("params.yaml")
LONGEST = 80  # characters of a value in a message


class Section(BaseModel):
    """A part of params.yaml: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(BaseModel):
    """Some keys of params.yaml, or of a section of it; the others are left unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)


Settings = TypeVar("Settings", bound=BaseModel)


def read_settings(kind: type[Settings], path: Path = PARAMS) -> Settings:
    """Read and check those keys of params.yaml that `kind` has.

    Raises:
        UserError: one is missing, or a value is not allowed (all are named).
    """
    return checked(kind, read_yaml(path), str(path))


def checked(kind: type[Settings], content: object, origin: str) -> Settings:
    """Check the content of a params.yaml; `origin` is named in errors."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        complaints = "; ".join(map(complaint, error.errors()))
        raise UserError(f"{origin}: {complaints}") from None


def complaint(error: ErrorDetails) -> str:
    """One line about one wrong value, as pydantic reports it."""
    *sections, last = [printed(str(part)) for part in error["loc"]] or [""]
    value, message = error["input"], error["msg"].removeprefix("Value error, ")
    if last == "[key]":  # of a mapping whose keys are the user's
        return f"{'.'.join(sections[:-1])}: {message}"
    key = ".".join([*sections, last])
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}"
    if not key:
        return message if isinstance(value, dict) else f"the file = {shown(value)}: {message}"
    if error["type"] == "string_type" and isinstance(value, bool | int | float):
        message = "give a text: put it into quotes"
    of_section = isinstance(value, dict) and value  # too long to be shown
    return f"{key}: {message}" if of_section else f"{key} = {shown(value)}: {message}"


def shown(value: object) -> str:
    """A value as messages show it."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def printed(text: str) -> str:
    """A key as messages show it: on one line, and not endless."""
    return text if text.isprintable() and len(text) <= LONGEST else shown(text)
