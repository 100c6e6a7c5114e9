"""dvc.yaml declares what the stages really read: their code and their parameters."""

import ast
import importlib
from pathlib import Path

import pytest
from pydantic import BaseModel

from guess_or_recall.settings.params import Params
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT

PACKAGE = "guess_or_recall"
PIPELINE = read_yaml(ROOT / "dvc.yaml")
PARAMS = read_yaml(ROOT / "params.yaml")
PLUMBING = {
    "errors.py",
    "io/remotes.py",
    "settings/params.py",
    "settings/profiles.py",
    "tracking/curves.py",
    "tracking/runs.py",
    "__init__.py",
}  # they change no result


def imported(path: Path) -> set[Path]:
    """Files of the package that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {ROOT / "src" / f"{name.replace('.', '/')}.py" for name in names}
    return {file for file in files if file.exists()}


def reached(path: Path) -> set[Path]:
    """Files of the package that a file imports, and those that they import."""
    found, fresh = {path}, {path}
    while fresh:
        fresh = (
            set().union(*(imported(file) for file in fresh if not changes_nothing(file))) - found
        )
        found |= fresh
    return found


@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_a_stage_depends_on_the_code_that_it_runs_and_on_no_other(stage):
    declared = {dep for dep in PIPELINE["stages"][stage]["deps"] if dep.startswith("src/")}
    needed = reached(ROOT / f"src/{PACKAGE}/stages/{stage}.py")
    assert declared == {str(file.relative_to(ROOT)) for file in needed if not changes_nothing(file)}


def changes_nothing(file: Path) -> bool:
    """Whether a file of the package changes no result."""
    name = file.relative_to(ROOT / "src" / PACKAGE)
    return str(name) in PLUMBING or file.name in PLUMBING


NO_RESULT = {  # parameters that a stage reads and that change no value of what it makes
    "score.batch",
    "score.decode_batch",
    "score.shard",
    "attention.batch",
    "attention.shard",
    "attention.gallery",  # chosen in `pool`
    "pool.taxonomies",  # read by `label` to say how a sample comes into the pool
    "pool.deltas",
    "pool.rhos",
    "train.wandb",
    "localize.batch",
    "ablate.batch",
}


def settings_of(stage: str) -> type[BaseModel]:
    """The settings that a stage file reads."""
    module = importlib.import_module(f"{PACKAGE}.stages.{stage}")
    [settings] = {
        value
        for name, value in vars(module).items()
        if name.endswith("Settings") and value is not BaseModel
    }
    return settings


def leaves(kind: object, prefix: str = "") -> set[str]:
    """Dotted names of all values of a settings class; a mapping of the user's is one value."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {prefix}
    parts = [
        leaves(field.annotation, f"{prefix}.{name}".removeprefix("."))
        for name, field in kind.model_fields.items()
    ]
    return set().union(*parts)


@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_a_stage_lists_just_the_parameters_that_it_reads(stage):
    listed = [key for key in PIPELINE["stages"][stage]["params"] if isinstance(key, str)]
    every = leaves(Params)
    covered = {
        leaf for leaf in every for key in listed if leaf == key or leaf.startswith(f"{key}.")
    }
    read = leaves(settings_of(stage))
    ignored = NO_RESULT & read if stage != "pool" else set()
    guard = {"profile"} if stage == "label" else set()  # -S profile=... is refused there
    assert covered == (read - ignored) | guard


def all_keys(section: object) -> list:
    if not isinstance(section, dict):
        return []
    return [*section, *(key for value in section.values() for key in all_keys(value))]


def test_no_parameter_has_a_name_that_dvc_drops():
    assert not {"size", "nfiles"} & set(all_keys(PARAMS))


def test_every_parameter_is_read_by_a_stage():
    read = set().union(*(leaves(settings_of(stage)) for stage in PIPELINE["stages"]))
    assert leaves(Params) == read | {"profile"}
