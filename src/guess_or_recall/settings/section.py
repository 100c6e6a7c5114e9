"""What all settings share: `Section`, the settings of one stage, and errors in one line."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import read_yaml

PARAMS = Path("params.yaml")


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


def complaint(error) -> str:
    """One line about one wrong value, as pydantic reports it."""
    key = ".".join(map(str, error["loc"])) or "the file"
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}"
    section = isinstance(error["input"], dict) and error["input"]  # too long to be shown
    value = "" if section else f" = {error['input']!r}"
    return f"{key}{value}: {error['msg'].removeprefix('Value error, ')}"
