"""The experiments of this repository, as DVC keeps them."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json, write_json
from guess_or_recall.io.scratch import scratch_root
from guess_or_recall.io.site_cache import fault_of_site_cache
from guess_or_recall.settings.params import parse_params
from guess_or_recall.settings.profiles import leaves
from guess_or_recall.settings.section import PARAMS
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.sweep.declare import Setting, overlaid
from guess_or_recall.sweep.overrides import override
from guess_or_recall.sweep.waiting import blocked_by, wait_for

SUPPORT = "https://dvc.org/support"  # in the last line of what DVC did not expect
LAST = "evaluate"  # stage of a sweep's variant: maps, ablations and figures are for chosen ones
BEGUN = ".begun.json"  # ending of the file that says which run of DVC has not ended
UPSTREAM = ("sequences", "model", "score", "features", "pool", "attention")


def git(*arguments: str) -> str:
    """Output of a git command; UserError where git refuses."""
    return output_of("git", *arguments)


def dvc(*arguments: str) -> str:
    """Output of a command of DVC, behind others that work here; UserError where it fails."""
    return output_of(sys.executable, "-m", "dvc", "--wait-for-lock", *arguments)


def output_of(*command: str) -> str:
    """Output of a command that must succeed; else UserError with the last line that it says."""
    while True:
        ran = subprocess.run(
            command, env=variables(), capture_output=True, text=True, errors="surrogateescape"
        )
        if not ran.returncode:
            return ran.stdout
        if not (holder := blocked_by(ran.stderr)):
            raise UserError(f"{' '.join(command)} fails: {last_line(ran.stderr)}")
        wait_for(holder)


def variables() -> dict[str, str]:
    """The environment of DVC, whose stages take the Python of this process too."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path}


def existing(commit: str = "HEAD") -> dict[str, str]:
    """Experiments that hang from a commit, the current one if none is given: name -> revision."""
    head = git("rev-parse", commit).strip()
    prefix = f"refs/exps/{head[:2]}/{head[2:]}/"
    lines = git("for-each-ref", "--format=%(refname) %(objectname)", prefix).splitlines()
    pairs = [line.removeprefix(prefix).split() for line in lines]
    return {name: revision for name, revision in pairs if "/" not in name}


def require_clean(*except_for: str) -> None:
    """Raise UserError where tracked files differ from the current commit, but for some paths."""
    rest = [f":(exclude){path}" for path in except_for]
    listed = git("status", "--porcelain", "-uno", "--", ".", *rest)
    changed = [line[3:] for line in listed.splitlines()]
    if changed:
        shown = ", ".join(changed[:5]) + (" ..." if len(changed) > 5 else "")
        raise UserError(
            f"the workspace differs from its commit ({shown}), and experiments would carry that "
            "along: commit it, or go back with `git checkout -f && dvc checkout`"
        )


def require_upstream() -> None:
    """Raise UserError where a stage left of `label` has to run first."""
    if stages := stale(*UPSTREAM):
        raise UserError(f"not up to date: {', '.join(stages)}; run `dvc repro attention` first")


def stale(*stages: str) -> list[str]:
    """Those of some stages that are not up to date; UserError where DVC cannot tell."""
    changes = json.loads(dvc("status", "--json", *stages) or "{}")
    return [name for name in changes if name in stages]


def recorded(settings: list[Setting]) -> set[str]:
    """Names of those variants that are experiments of this commit.

    Raises:
        UserError: an experiment of such a name has other params.
    """
    revisions = existing()
    there = [setting for setting in settings if setting.name in revisions]
    for setting in there:
        text = git("show", f"{revisions[setting.name]}:params.yaml")
        way_out = f"give --prefix, or `dvc exp remove {setting.name}`"
        try:
            params = leaves(parse_params(text, "its params.yaml").model_dump())
        except UserError as error:
            raise UserError(f"experiment {setting.name} is there: {error}: {way_out}") from None
        wanted = leaves(setting.params.model_dump())
        differing = [key for key in params | wanted if params.get(key) != wanted.get(key)]
        if differing:
            said = ", ".join(f"{k} = {params.get(k)}, not {wanted.get(k)}" for k in differing)
            raise UserError(
                f"experiment {setting.name} is there with other params ({said}): {way_out}"
            )
    return {setting.name for setting in there}


def record(setting: Setting) -> str | None:
    """Run a variant as an experiment outside the workspace: None, or why it failed."""
    changes = [f"--set-param={override(key, value)}" for key, value in setting.changes]
    run = ["--wait-for-lock", "exp", "run", "--temp", "--name", setting.name, *changes, LAST]
    log = log_of(setting.name)
    write_json(log.with_suffix(BEGUN), dict(setting.changes))
    with open(log, "w") as stream:
        ran = subprocess.run(
            [sys.executable, "-m", "dvc", *run],
            env=variables() | {"WANDB_RUN_GROUP": setting.sweep},
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    log.with_suffix(BEGUN).unlink()
    if not ran.returncode:
        log.unlink()
        return None
    return f"{reason(log.read_text(errors='replace'))} (all of it: {log})"


def log_of(name: str) -> Path:
    """Where it stands why a variant failed."""
    return scratch_root() / "sweep" / f"{name}.log"


def restore_params() -> None:
    """Put params.yaml back where a killed `dvc exp run` has left the values of a variant in it.

    DVC writes them there for a moment. What a user has changed is left alone.
    """
    for begun in (scratch_root() / "sweep").glob(f"*{BEGUN}"):
        committed = parse_yaml(git("show", "HEAD:params.yaml"), "params.yaml")
        if read_yaml(PARAMS) == overlaid(committed, read_json(begun)) != committed:
            git("checkout", "--", "params.yaml")
            print(f"note: params.yaml is as committed again, after {begun.stem} was killed")
        begun.unlink()


def reason(output: str) -> str:
    """The line of a failed run that says why."""
    lines = [line for line in output.splitlines() if line.startswith("error in ")]
    return lines[-1] if lines else last_line(output)


def last_line(output: str) -> str:
    """The last line that says something; of a lock, who holds it, not DVC's advice to remove it."""
    if holder := blocked_by(output):
        return f"{holder} worked in this checkout: run it again when that has ended"
    if fault := fault_of_site_cache(output):
        return fault
    lines = [line for line in output.splitlines() if line.strip() and SUPPORT not in line]
    of_git = [line for line in lines if line.startswith("fatal: ")]  # advice stands behind it
    return [*of_git, *lines[-1:], "no output"][0].strip()


@contextmanager
def alone(command: str) -> Iterator[None]:
    """Let a command run in a repository once at a time; UserError where it runs already."""
    path = scratch_root() / f"{command}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"another {command} runs in this repository: wait for it") from None
        yield


@contextmanager
def reading(revision: str) -> Iterator[Callable[[str], bytes]]:
    """What reads a file of an experiment, tracked by git or by DVC."""
    from dvc.api import DVCFileSystem  # slow to import

    files = DVCFileSystem(rev=revision)
    with closing(files.repo):
        yield files.cat_file  # pyright: ignore[reportReturnType]  (bytes of a whole file)
