"""Settings of a cluster, as they stand in slurm/cluster.env: `read_settings(path)`."""

from pathlib import Path
from typing import Annotated

from dotenv import dotenv_values
from pydantic import BaseModel, Field, ValidationError

from guess_or_recall.errors import UserError
from guess_or_recall.params import complaint

SETTINGS = Path("slurm/cluster.env")
Count = Annotated[int, Field(ge=1)]
Time = Annotated[str, Field(pattern=r"^(\d+-)?\d+(:\d\d){0,2}$")]
Memory = Annotated[str, Field(pattern=r"^\d+[KMGT]?$")]


class Settings(BaseModel, extra="forbid", alias_generator=str.upper):
    """What the jobs ask of a cluster; the file's comments say what each is."""

    account: str
    partition: str
    options: str
    gpus: Annotated[int, Field(ge=0)]
    cpus: Count
    memory: Memory
    time: Time
    notice: Count
    parts: Count
    at_once: Count
    local: Annotated[str, Field(min_length=1)]
    setup: str


def read_settings(path: Path = SETTINGS) -> Settings:
    """Read and check the settings.

    Raises:
        UserError: the file is missing, or lacks a setting, has one too many or a wrong value.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run from the repository's root")
    try:
        return Settings.model_validate(dotenv_values(path, interpolate=False))
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(map(complaint, error.errors()))) from None
