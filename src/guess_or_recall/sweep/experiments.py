"""The experiments of this repository, as DVC keeps them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import fsspec

from guess_or_recall.errors import UserError
from guess_or_recall.io.files import read_json, write_json
from guess_or_recall.io.scratch import scratch_root
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.sweep.declare import Setting, overlaid

LAST = "evaluate"  # stage of a sweep's variant: maps, ablations and figures are for chosen ones
BEGUN = ".begun.json"  # ending of the file that says which run of DVC has not ended
UPSTREAM = ("sequences", "model", "score", "features", "pool", "attention")


def git(*arguments: str) -> str:
    """Output of a git command; UserError where git refuses."""
    ran = subprocess.run(["git", *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise UserError(f"git {arguments[0]}: {last_line(ran.stderr)}")
    return ran.stdout


def dvc(*arguments: str, group: str = "", **options) -> subprocess.CompletedProcess:
    """Run dvc from the environment of this process, and its stages too; `group`: of wandb runs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    more = {"PATH": path} | ({"WANDB_RUN_GROUP": group} if group else {})
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=os.environ | more, text=True, **options)


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
    found = stale(*UPSTREAM)
    if found:
        raise UserError(f"not up to date: {', '.join(found)}; run `dvc repro attention` first")


def stale(*stages: str) -> list[str]:
    """Those of some stages that are not up to date; UserError where DVC cannot tell."""
    found = dvc("--wait-for-lock", "status", "--json", *stages, capture_output=True)
    if found.returncode:
        raise UserError(f"dvc status fails: {last_line(found.stderr)}")
    return [name for name in json.loads(found.stdout or "{}") if name in stages]


def cache_folder() -> str:
    """Folder of DVC's cache; UserError where DVC cannot tell."""
    found = dvc("cache", "dir", capture_output=True)
    if found.returncode:
        raise UserError(f"dvc cache dir fails: {last_line(found.stderr)}")
    return found.stdout.strip()


def done(setting: Setting, found: Mapping[str, str], base: str) -> bool:
    """Whether an experiment of this name has these inputs.

    Raises:
        UserError: it has others.
    """
    if setting.name not in found:
        return False
    there = parse_yaml(git("show", f"{found[setting.name]}:params.yaml"), setting.name)
    wanted = overlaid(parse_yaml(base, "params.yaml"), dict(setting.changes))
    differing = [key for key in flat(wanted) if flat(there).get(key) != flat(wanted)[key]]
    if differing:
        said = ", ".join(f"{k} = {flat(there).get(k)}, not {flat(wanted)[k]}" for k in differing)
        raise UserError(
            f"experiment {setting.name} is there with other params ({said}): give --prefix, or "
            f"`dvc exp remove {setting.name}`"
        )
    return True


def flat(content: Mapping, prefix: str = "") -> dict[str, object]:
    """Dotted keys of a mapping, down to its values."""
    found = {}
    for key, value in content.items():
        inner = isinstance(value, Mapping) and value
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def record(setting: Setting) -> str | None:
    """Run a variant as an experiment outside the workspace: None, or why it failed."""
    options = [f"{key}={value}" for key, value in setting.changes]
    arguments = [part for option in options for part in ("-S", option)]
    log = scratch_root() / "sweep" / f"{setting.name}.log"
    write_json(log.with_suffix(BEGUN), dict(setting.changes))
    with open(log, "w") as stream:
        ran = dvc(
            *("--wait-for-lock", "exp", "run", "--temp", "--name", setting.name, *arguments, LAST),
            group=setting.sweep,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    log.with_suffix(BEGUN).unlink()
    if not ran.returncode:
        log.unlink()
        return None
    return f"{reason(log.read_text())} (all of it: {log})"


def restore_params() -> None:
    """Put params.yaml back where a killed `dvc exp run` has left the values of a variant in it.

    DVC writes them there for a moment. What a user has changed is left alone.
    """
    for begun in (scratch_root() / "sweep").glob(f"*{BEGUN}"):
        committed = parse_yaml(git("show", "HEAD:params.yaml"), "params.yaml")
        left = flat(overlaid(committed, read_json(begun)))
        if flat(read_yaml(Path("params.yaml"))) == left != flat(committed):
            git("checkout", "--", "params.yaml")
            print(f"note: params.yaml is as committed again, after {begun.stem} was killed")
        begun.unlink()


def reason(output: str) -> str:
    """The line of a failed run that says why."""
    lines = [line for line in output.splitlines() if line.startswith("error in ")]
    return lines[-1] if lines else last_line(output)


def last_line(output: str) -> str:
    """The last line that says something."""
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no output"


@contextmanager
def files_of(revision: str) -> Iterator[fsspec.AbstractFileSystem]:
    """The files of an experiment, tracked by git or by DVC."""
    from dvc.api import DVCFileSystem  # slow to import

    with contextmanager(opened)(DVCFileSystem(rev=revision)) as files:
        yield files


def opened(files) -> Iterator:
    """Close a file system's repository after use."""
    try:
        yield files
    finally:
        files.repo.close()
