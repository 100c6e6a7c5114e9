"""Training a grid: it learns, is repeatable, and equals training alone."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from guess_or_recall.attention.triangle import unpack
from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture, initialised
from guess_or_recall.classifier.grid import architectures
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.classifier.workers import shares
from guess_or_recall.errors import UserError
from tests.trainings import GRID, LENGTH, RECIPE, data, same, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def test_shapes_and_history(tmp_path):
    seen = []
    outcome = trained(GRID[:3], tmp_path, report=seen.append)
    assert outcome.logits.shape == (3, 2, 30, 3)
    assert outcome.logits.dtype == np.float32
    assert [(row["cnn"], row["epoch"]) for row in outcome.history] == [
        (architecture.name, epoch) for architecture in GRID[:3] for epoch in (1, 2)
    ]
    assert list(outcome.history[0]) == [
        *("cnn", "epoch", "train_loss", "eval_loss", "eval_accuracy", "min_f1")
    ]
    assert sorted(seen, key=str) == sorted(outcome.history, key=str)
    assert list(outcome.weights) == [architecture.name for architecture in GRID[:3]]


def test_history_by_hand(tmp_path):
    outcome = trained(GRID[:1], tmp_path)
    _, labels, is_eval = data()
    logits = torch.from_numpy(outcome.logits[0, 1])
    actual = torch.from_numpy(labels[is_eval].astype(np.int64))
    row = outcome.history[1]
    assert row["eval_loss"] == pytest.approx(F.cross_entropy(logits, actual).item(), rel=1e-5)
    assert row["eval_accuracy"] == pytest.approx((logits.argmax(1) == actual).double().mean())


def test_learns_what_can_be_seen(tmp_path):
    recipe = Recipe(epochs=12, batch=16, seed=7, learning_rate=3e-3, dropout=0.2)
    outcome = trained([Architecture(4, 8, "max")], tmp_path, recipe)
    assert outcome.history[-1]["min_f1"] > 0.9
    assert outcome.history[-1]["train_loss"] < 0.5 < outcome.history[0]["train_loss"]


def test_same_twice_and_with_more_threads(tmp_path):
    once = trained(GRID, tmp_path / "a")
    same(once, trained(GRID, tmp_path / "b"))
    torch.set_num_threads(2)
    same(once, trained(GRID, tmp_path / "c"))
    assert torch.get_num_threads() == 2


def test_grid_equals_one_by_one(tmp_path):
    together = trained(GRID, tmp_path / "grid")
    for index, architecture in enumerate(GRID):
        alone = trained([architecture], tmp_path / architecture.name)
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_grid_equals_one_by_one_on_a_gpu(tmp_path):
    together = trained(GRID, tmp_path / "grid", device=torch.device("cuda"))
    same(together, trained(GRID, tmp_path / "again", device=torch.device("cuda")))
    for index, architecture in enumerate(GRID):
        alone = trained([architecture], tmp_path / architecture.name, device=torch.device("cuda"))
        np.testing.assert_allclose(alone.logits[0], together.logits[index], atol=1e-5)


def test_against_a_plain_loop(tmp_path):
    """The published way, with PyTorch's own modules and no dropout, gives the same CNN."""
    recipe = Recipe(epochs=2, batch=16, seed=7, dropout=0.0)
    architecture = Architecture(5, 3, "mean")
    outcome = trained([architecture], tmp_path, recipe)
    pooled, labels, is_eval = data()
    squares = unpack(torch.from_numpy(pooled["mean"])).float()
    targets = torch.from_numpy(labels.astype(np.int64))
    cnn = initialised(architecture, 2, 3, LENGTH, 0.0, recipe.seed)
    optimizer = torch.optim.AdamW(cnn.parameters(), lr=1e-3, weight_decay=0.1)
    rows = np.flatnonzero(~is_eval)
    for epoch in range(2):
        order = training.epoch_order(len(rows), recipe.seed, epoch)
        for batch in np.array_split(order, range(16, len(rows), 16)):
            optimizer.zero_grad()
            F.cross_entropy(cnn(squares[rows[batch]]), targets[rows[batch]]).backward()
            optimizer.step()
        with torch.no_grad():
            logits = cnn(squares[is_eval]).numpy()
        np.testing.assert_allclose(outcome.logits[0, epoch], logits, atol=1e-4)


def test_seed_matters(tmp_path):
    first = trained(GRID[:1], tmp_path / "a")
    second = trained(GRID[:1], tmp_path / "b", Recipe(epochs=2, batch=16, seed=8))
    assert not np.array_equal(first.logits, second.logits)


def test_order_is_a_shuffle_that_changes_with_the_epoch():
    first, second = (training.epoch_order(50, 1, epoch) for epoch in range(2))
    assert all(np.array_equal(np.sort(order), np.arange(50)) for order in (first, second))
    assert not np.array_equal(first, second)
    assert training.steps_in(50, 16) == 4


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_shares_hold_every_cnn_once(workers, count):
    trainees = [
        training.new_trainee(trainee, 2, 3, LENGTH, RECIPE, torch.device("cpu"))
        for trainee in GRID[:count]
    ]
    groups = shares(trainees, workers)
    names = sorted(trainee.name for group in groups for trainee in group)
    assert names == sorted(trainee.name for trainee in GRID[:count])
    if workers > 1:
        assert all(
            len({trainee.cnn.architecture.pooling for trainee in group}) == 1 for group in groups
        )
    if count == 8:
        assert len(groups) >= min(workers, 8)


def test_grid_of_params():
    assert [architecture.name for architecture in architectures([6, 8], [10], ["max"])] == [
        *("k6-f10-max", "k8-f10-max")
    ]
    with pytest.raises(UserError, match="k6-f10-max twice"):
        architectures([6, 6], [10], ["max"])
