"""Training a grid: it learns, is repeatable, equals training alone, and survives a kill."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from guess_or_recall.attention.triangle import packed_size, unpack
from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture, initialised
from guess_or_recall.classifier.divergence import require_learning
from guess_or_recall.classifier.grid import architectures, train_grid
from guess_or_recall.classifier.kernels.gpu import logits_together
from guess_or_recall.classifier.kernels.recording import unchanged
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.classifier.steps import stepper
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.classifier.workers import shares
from guess_or_recall.errors import UserError

LENGTH = 24
GRID = [Architecture(k, f, p) for k in (4, 5) for f in (2, 3) for p in ("mean", "max")]
RECIPE = Recipe(epochs=2, batch=16, seed=7)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def data(n=120, layers=2):
    """Class 1 looks at the token before, class 2 at the first token."""
    random = np.random.default_rng(3)
    labels = (np.arange(n) % 3).astype(np.int8)
    squares = random.random((n, layers, LENGTH, LENGTH), np.float32) * 0.3
    squares[labels == 1, 0] += np.eye(LENGTH, k=-1)
    squares[labels == 2, 1, :, 0] += 1
    packed = squares[..., *np.tril_indices(LENGTH)].astype(np.float16)
    assert packed.shape[-1] == packed_size(LENGTH)
    pooled = {"mean": packed, "max": (packed * 2).astype(np.float16)}
    return pooled, labels, np.arange(n) % 4 == 3


def trained(grid, scratch, recipe=RECIPE, **options):
    scratch.mkdir(exist_ok=True)
    return train_grid(Sample(*data(), 3), grid, recipe, scratch, **options)


def same(first, second):
    assert np.array_equal(first.logits, second.logits)
    assert first.history == second.history
    assert first.weights.keys() == second.weights.keys()
    for cnn, parameters in first.weights.items():
        assert all(torch.equal(v, second.weights[cnn][name]) for name, v in parameters.items())


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


def test_resumes_cnns_that_stand_at_different_epochs(tmp_path):
    whole = trained(GRID[:4], tmp_path / "whole")
    part = tmp_path / "part"
    trained(GRID[:2], part, Recipe(epochs=1, batch=16, seed=7))  # two CNNs after one epoch
    trained(GRID[2:3], part)  # one after both, one not begun
    same(whole, trained(GRID[:4], part))


def test_finished_training_is_only_read(tmp_path):
    whole = trained(GRID[:2], tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    seen = []
    same(whole, trained(GRID[:2], tmp_path, report=seen.append))
    assert before == {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("rate", "samples", "shown"), [(1e30, 120, r"1e\+30"), (1e4, 120, "10000"), (1e38, 1200, "1e")]
)
def test_a_diverged_training_is_named_at_once(tmp_path, rate, samples, shown):
    recipe, rows = dataclasses.replace(RECIPE, learning_rate=rate), []
    said = rf"^the training of k\d-f\d-\w+ diverged in epoch 1: .*train.learning_rate = {shown}"
    with pytest.raises(UserError, match=said):
        train_grid(Sample(*data(samples), 3), GRID[:2], recipe, tmp_path, report=rows.append)
    assert not rows and not list(tmp_path.iterdir())


def test_values_that_are_no_numbers_after_the_last_step_are_seen(tmp_path):
    """The loss of an epoch is from before its last step."""
    [trainee] = [training.new_trainee(GRID[0], 2, 3, LENGTH, RECIPE, torch.device("cpu"))]
    require_learning([trainee], [1.0], [torch.zeros(4, 3)])
    with pytest.raises(UserError, match="diverged in epoch 1: it gives values that are no numbers"):
        require_learning([trainee], [1.0], [torch.full((4, 3), torch.nan)])


def test_error_in_one_thread_ends_all(tmp_path):
    def fails(row):
        raise RuntimeError("no more")

    torch.set_num_threads(2)
    with pytest.raises(RuntimeError, match="no more"):
        trained(GRID, tmp_path, Recipe(epochs=50, batch=16, seed=7), report=fails)
    assert torch.get_num_threads() == 2


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


CHILD = """
import sys
sys.path[:0] = {paths!r}
import torch
torch.set_num_threads(1)
import test_training as t
from pathlib import Path
t.trained(t.GRID[:2], Path({scratch!r}), t.LONG)
"""
LONG = Recipe(epochs=12, batch=4, seed=7)


def test_kill_and_resume_gives_the_same(tmp_path):
    scratch = tmp_path / "killed"
    paths = [str(Path(__file__).parent), str(Path(training.__file__).parents[2])]
    code = CHILD.format(paths=paths, scratch=str(scratch))
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        wait_for_states(scratch, child)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    done = [len(load_file(path)["extra/losses"]) for path in scratch.glob("k*.safetensors")]
    assert 0 < sum(done) < 2 * LONG.epochs  # killed in the middle
    same(trained(GRID[:2], tmp_path / "whole", LONG), trained(GRID[:2], scratch, LONG))


def wait_for_states(scratch, child):
    deadline = time.monotonic() + 60
    while not list(scratch.glob("k*.safetensors")):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def stepped(trainees, packed, labels, optimizers):
    """A step of CNNs that share their windows, as it is recorded on a GPU, here on the CPU."""
    cnns = [trainee.cnn for trainee in trainees]
    keeps = [
        training.draw(training.dropout_bits(trainee, 0), trainee, len(labels))
        for trainee in trainees
    ]
    logits = logits_together(cnns, packed, keeps)
    losses = [F.cross_entropy(part, labels) for part in logits]
    for cnn in cnns:
        cnn.zero_grad()
    torch.stack(losses).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    return losses


def batch_of_24():
    pooled, labels, _ = data()
    packed = torch.from_numpy(pooled["mean"][:24]).float()
    return packed, torch.from_numpy(labels[:24].astype(np.int64))


def new_trainees():
    grid = [Architecture(4, features, "mean") for features in (2, 3)]
    options = 2, 3, LENGTH, RECIPE, torch.device("cpu")
    return [training.new_trainee(architecture, *options) for architecture in grid]


def test_the_step_of_a_gpu_is_the_step_of_each_cnn_alone():
    """Shared windows, one optimizer and the same dropout, against the step of a CPU."""
    packed, labels = batch_of_24()
    together, alone = new_trainees(), new_trainees()
    square = unpack(packed).contiguous(memory_format=torch.channels_last)
    optimizer = training.joint(together)
    for _ in range(3):
        losses = stepped(together, packed, labels, [optimizer])
        step = stepper(alone, len(labels))(0)
        expected = step({"mean": square}, labels)
        torch.testing.assert_close(torch.stack(losses).detach(), expected, rtol=1e-4, atol=1e-5)
    for first, second in zip(together, alone, strict=True):
        pairs = zip(first.cnn.parameters(), second.cnn.parameters(), strict=True)
        assert all(torch.allclose(*pair, rtol=1e-3, atol=1e-4) for pair in pairs)
        assert {id(state) for state in first.optimizer.state.values()} <= {
            id(state) for state in optimizer.state.values()
        }  # what is saved after an epoch is what the joint optimizer left


@pytest.mark.parametrize("steps_before", [0, 2])
def test_a_rehearsed_step_leaves_no_trace(steps_before):
    """Steps before a recording put weights, states and generators back."""
    packed, labels = batch_of_24()
    rehearsed, plain = new_trainees(), new_trainees()
    optimizers = training.joint(rehearsed), training.joint(plain)
    for trainees, optimizer in zip((rehearsed, plain), optimizers, strict=True):
        for _ in range(steps_before):
            stepped(trainees, packed, labels, [optimizer])
    generator = torch.Generator().manual_seed(1)
    position = generator.get_state()
    with unchanged(optimizers[0], [generator]):
        torch.rand(3, generator=generator)
        for _ in range(2):
            stepped(rehearsed, packed, labels, [optimizers[0]])
        moved = rehearsed[0].cnn.conv1.weight
        assert not torch.equal(moved, plain[0].cnn.conv1.weight)
    assert torch.equal(generator.get_state(), position)
    for trainees, optimizer in zip((rehearsed, plain), optimizers, strict=True):
        stepped(trainees, packed, labels, [optimizer])
    for first, second in zip(rehearsed, plain, strict=True):
        states = first.cnn.state_dict(), second.cnn.state_dict()
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
