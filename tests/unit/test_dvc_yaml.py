"""dvc.yaml declares what the stages really read: their code and their parameters."""

import ast
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

PACKAGE = "guess_or_recall"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
PLUMBING = {
    "errors.py",
    "io/remotes.py",
    "report/tracking.py",
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
        fresh = set().union(*map(imported, fresh)) - found
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


def own_params(stage: dict) -> list[str]:
    """Keys of params.yaml that a stage declares; those of versions.yaml: test_versions.py."""
    return [key for key in stage["params"] if isinstance(key, str)]


def all_keys(section: object) -> list:
    if not isinstance(section, dict):
        return []
    return [*section, *(key for value in section.values() for key in all_keys(value))]


def test_declared_params_are_those_of_params_yaml():
    """Every parameter that a stage declares exists, and none has a name that DVC drops."""
    for stage in PIPELINE["stages"].values():
        for key in own_params(stage):
            value = PARAMS
            for part in key.split("."):
                value = value[part]
    assert not {"size", "nfiles"} & set(all_keys(PARAMS))


def test_every_parameter_belongs_to_a_stage():
    declared = {key for stage in PIPELINE["stages"].values() for key in own_params(stage)}
    sections = {key.split(".")[0] for key in declared}
    assert set(PARAMS) == sections
