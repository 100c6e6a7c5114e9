"""Settings of a cluster, as they stand in slurm/cluster.env: `read_settings(path)`."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, model_validator

from guess_or_recall.errors import UserError
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import read_utf8

SETTINGS = Path("slurm/cluster.env")
SOURCE = 'source "$1" && shift && for key; do printf "%s=%s\\0" "$key" "${!key}"; done'
LEAST_NOTICE = 90  # a command is given 60 seconds to end
SLACK = 60  # seconds that SLURM may send its notice too early


# options of sbatch by which jobs are told from others, and those that have a setting of their own
NOT_FREE = (
    *("job-name", "array", "dependency", "output", "clusters", "account", "partition", "time"),
    *("wrap", "parsable", "quiet", "wait", "test-only"),
)
SHORT = re.compile(r"-[JadoMAptQW]")  # the same


def words(text: str) -> str:
    """Check that a shell would read this as words, and that no job is lost by any."""
    for word in shlex.split(text):
        option = word.partition("=")[0]
        is_short_for = len(option) > 2 and any(f"--{name}".startswith(option) for name in NOT_FREE)
        if is_short_for or SHORT.match(word):
            raise ValueError(
                f"{option} is not free: it is given by `gor submit`, or by a setting of its own "
                "(another cluster: export SLURM_CLUSTERS, which squeue reads too)"
            )
    return text


Count = Annotated[int, Field(ge=1)]
Time = Annotated[str, Field(pattern=r"^(\d+-)?\d+(:\d\d){0,2}$")]
Memory = Annotated[str, Field(pattern=r"^\d+[KMGT]?$")]
Words = Annotated[str, AfterValidator(words)]


class Settings(BaseModel, extra="forbid", alias_generator=str.upper):
    """What the jobs ask of a cluster; the file's comments say what each is."""

    account: str
    partition: str
    options: Words
    gpus: Annotated[int, Field(ge=0)]
    cpus: Count
    memory: Memory
    time: Time
    notice: Annotated[int, Field(ge=LEAST_NOTICE)]
    parts: Annotated[int, Field(ge=1, le=100_000)]
    at_once: Count
    local: Annotated[str, Field(pattern="^/")]
    setup: str

    @model_validator(mode="after")
    def has_time(self) -> "Settings":
        """Refuse a notice that would come before a task has done anything."""
        if self.notice + SLACK >= seconds(self.time):
            raise ValueError(
                f"TIME={self.time} leaves no time before NOTICE={self.notice}: give more than "
                f"{(self.notice + SLACK) // 60} minutes"
            )
        return self


def seconds(time: str) -> int:
    """A time as SLURM reads it: minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S."""
    days, dash, rest = time.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    of_minutes = not dash and len(parts) < 3
    hours, minutes, rest_ = [*([0] if of_minutes else []), *parts, 0, 0][:3]
    return 60 * (60 * (24 * int(days or 0) + hours) + minutes) + rest_


def read_settings(path: Path = SETTINGS) -> Settings:
    """Read the settings as the jobs do, by a shell, and check them.

    Raises:
        UserError: the file is missing, or lacks a setting, has one too many or a wrong value.
    """
    keys = re.findall(r"^(\w+)=", read_utf8(path), re.MULTILINE)
    command = ["bash", "-ec", SOURCE, "bash", str(path.resolve()), *keys]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if ran.returncode or ran.stderr:
        said = ran.stderr.strip().removeprefix(f"{path.resolve()}: ").split("\n")[0]
        said = said or f"the shell that reads it ends with status {ran.returncode}"
        raise UserError(f"{path}: {said} (a value with spaces needs quotes)")
    pairs = (entry.split("=", 1) for entry in ran.stdout.split("\0") if entry)
    return checked(Settings, dict(pairs), str(path))
