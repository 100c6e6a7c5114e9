"""dvc.yaml declares what the stages really read: their code and their parameters."""

import importlib
from functools import reduce

import pytest
from pydantic import BaseModel

from guess_or_recall.settings.params import Params
from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT
from tests.dependencies import PIPELINE, code

PARAMS = read_yaml(ROOT / "params.yaml")


@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_a_stage_depends_on_the_code_that_it_runs_and_on_no_other(stage):
    declared = [dep for dep in PIPELINE["stages"][stage]["deps"] if dep.startswith("src/")]
    assert declared == code(stage)


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
    module = importlib.import_module(f"guess_or_recall.stages.{stage}")
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


@pytest.mark.parametrize("stage", PIPELINE["stages"])
def test_a_stage_depends_on_the_files_that_its_parameters_name(stage):
    """And none of them is null, of which DVC can make no dependency."""
    named = {leaf for leaf in leaves(settings_of(stage)) if leaf.endswith(".path")}
    deps = PIPELINE["stages"][stage]["deps"]
    assert {f"${{{leaf}}}" for leaf in named} == {dep for dep in deps if dep.startswith("$")}
    for leaf in named:
        value = reduce(dict.__getitem__, leaf.split("."), PARAMS)
        assert isinstance(value, str) and (ROOT / value).exists()


def all_keys(section: object) -> list:
    if not isinstance(section, dict):
        return []
    return [*section, *(key for value in section.values() for key in all_keys(value))]


def test_no_parameter_has_a_name_that_dvc_drops():
    assert not {"size", "nfiles"} & set(all_keys(PARAMS))


def test_every_parameter_is_read_by_a_stage():
    read = set().union(*(leaves(settings_of(stage)) for stage in PIPELINE["stages"]))
    assert leaves(Params) == read | {"profile"}
