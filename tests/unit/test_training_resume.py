"""Training a grid that is killed, fails or diverges: what is taken up again, and what is said."""

import dataclasses
import os
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from guess_or_recall.attention.triangle import unpack
from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.divergence import require_learning
from guess_or_recall.classifier.grid import train_grid
from guess_or_recall.classifier.kernels.gpu import logits_together
from guess_or_recall.classifier.kernels.recording import unchanged
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.classifier.steps import stepper
from guess_or_recall.classifier.training import Recipe
from guess_or_recall.errors import UserError
from tests.conftest import ROOT
from tests.processes import start
from tests.trainings import GRID, LENGTH, LONG, RECIPE, data, same, trained

pytestmark = pytest.mark.usefixtures("one_thread")


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


CHILD = """
import sys
sys.path[:0] = {paths!r}
import torch
torch.set_num_threads(1)
from tests import trainings as t
from pathlib import Path
t.trained(t.GRID[:2], Path({scratch!r}), t.LONG)
"""


def test_kill_and_resume_gives_the_same(tmp_path):
    scratch = tmp_path / "killed"
    paths = [str(ROOT), str(ROOT / "src")]
    code = CHILD.format(paths=paths, scratch=str(scratch))
    child = start(tmp_path, ("-c", code), os.environ)
    try:
        wait_for_states(scratch, child)
    finally:
        child.kill()
        child.wait()
    done = [len(load_file(path)["extra/losses"]) for path in scratch.glob("k*.safetensors")]
    assert 0 < sum(done) < 2 * LONG.epochs  # killed in the middle
    same(trained(GRID[:2], tmp_path / "whole", LONG), trained(GRID[:2], scratch, LONG))


def wait_for_states(scratch, child):
    deadline = time.monotonic() + 60
    while not list(scratch.glob("k*.safetensors")):
        assert child.ended() is None, child.said()
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
