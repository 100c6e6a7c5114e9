"""Grids of CNNs that `train` would refuse are refused, or named, before anything runs."""

import pytest

import run
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import Params, parse_params
from guess_or_recall.settings.yaml import dump_yaml, read_yaml
from tests.conftest import ROOT


def parsed(total: int = 64, **grid: list) -> Params:
    content = read_yaml(ROOT / "params.yaml")
    content["sequences"] |= {"prefix": total // 2, "suffix": total - total // 2}
    content["ablate"]["diagonal"] = 1
    content["train"]["grid"] = {"kernel": [1], "features": [10], "pooling": ["mean"]} | grid
    return parse_params(dump_yaml(content), "here")


@pytest.mark.parametrize("total", [4, 5, 6, 7, 40, 64, 129])
def test_a_kernel_that_leaves_nothing_is_said_before_hours_of_scoring(total, capsys):
    most = (total - 1) // 3
    run.note_kernel(parsed(total, kernel=[most]))
    assert Architecture(most, 10, "mean").sides(total)[1] == 1
    assert capsys.readouterr().err == ""
    run.note_kernel(parsed(total, kernel=[1, most + 1]))
    said = f"kernel = {most + 1} leaves nothing of patterns of {total} tokens: the stage train"
    assert said in capsys.readouterr().err
    with pytest.raises(UserError, match="leaves nothing"):
        Architecture(most + 1, 10, "mean").sides(total)


@pytest.mark.parametrize(
    ("key", "values"),
    [("kernel", [6, 8, 6]), ("features", [10, 10]), ("pooling", ["max", "max"])],
)
def test_no_cnn_stands_in_a_grid_twice(key, values):
    with pytest.raises(UserError, match=f"train.grid.{key} = .*: list every value once"):
        parsed(**{key: values})
