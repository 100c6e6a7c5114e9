"""Training the grid of CNNs together: one reading of a batch serves all that see it.

All CNNs take the same batches in the same order; first weights and dropout of each come from
streams of its own. So a CNN trained in a grid is the CNN trained alone, and a killed run goes on
after the last epoch of each.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int8
from torch import Tensor
from tqdm import tqdm

from guess_or_recall.attention.triangle import length_of
from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture, exact
from guess_or_recall.classifier.kernels.steps import Step, stepper
from guess_or_recall.classifier.samples import Samples, prepare
from guess_or_recall.classifier.training import Recipe, Trainee
from guess_or_recall.classifier.workers import in_parallel, shares
from guess_or_recall.errors import UserError
from guess_or_recall.statistics.f1 import confusion_matrix, cross_entropy, scores


@dataclass(frozen=True)
class Trained:
    """What the training of a grid leaves; CNNs in the order of the grid."""

    weights: dict[str, dict[str, Tensor]]  # of the last epoch: CNN -> parameter -> value
    logits: Float[np.ndarray, "cnn epoch eval classes"]
    history: list[dict]  # cnn, epoch, train_loss, eval_loss, eval_accuracy, min_f1


@dataclass(frozen=True)
class Watch:
    """Who hears of the progress; the lock lets one worker speak at a time."""

    bar: tqdm
    report: Callable[[dict], None]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stepped(self, losses: list[Tensor]) -> None:
        """Move the bar by one step of some CNNs; now and then show their current loss."""
        with self.lock:
            self.bar.update(len(losses[-1]))
            if len(losses) % 50 == 0:
                self.bar.set_postfix(loss=f"{torch.stack(losses[-50:]).mean():.3f}", refresh=False)

    def finished(self, row: dict) -> None:
        """Hand on a row of the history."""
        with self.lock:
            self.report(row)


def architectures(kernel: list[int], features: list[int], pooling: list[str]) -> list[Architecture]:
    """Every CNN of a grid.

    Raises:
        UserError: a CNN stands in it twice.
    """
    grid = [Architecture(*values) for values in product(kernel, features, pooling)]
    for each in grid:
        if grid.count(each) > 1:
            raise UserError(f"train.grid holds {each.name} twice: list every value once")
    return grid


def train_grid(
    pooled: dict[str, Float16[np.ndarray, "n layers packed"]],
    labels: Int8[np.ndarray, " n"],
    is_eval: Bool[np.ndarray, " n"],
    classes: int,
    grid: list[Architecture],
    recipe: Recipe,
    scratch: Path,
    device: torch.device | None = None,
    report: Callable[[dict], None] = lambda row: None,
    quiet: bool = False,
) -> Trained:
    """Train every CNN of the grid and evaluate it after each epoch.

    Args:
        pooled: head-pooled attention of the poolings that the grid uses, lower triangles.
        labels: class of every sample, from 0.
        is_eval: whether a sample is for evaluation, not for training.
        classes: number of classes.
        grid: the CNNs.
        recipe: how to train them.
        scratch: folder for the state after each epoch; what it holds is taken up.
        device: of the training; the CPU if none.
        report: called with each row of the history when it is known.
        quiet: whether to show no progress bar.
    """
    device = device or torch.device("cpu")
    samples = prepare(pooled, labels, is_eval, device)
    layers, packed = pooled[grid[0].pooling].shape[1:]
    trainees = [
        training.trainee(each, layers, classes, length_of(packed), recipe, device) for each in grid
    ]
    for each in trainees:
        training.restore(each, scratch)
    workers = 1 if device.type == "cuda" else torch.get_num_threads()
    with exact(device), progress(trainees, len(samples.train), quiet) as bar:
        watch = Watch(bar, report)

        def job(group: list[Trainee], stop: threading.Event) -> None:
            train_group(group, samples, scratch, watch, stop)

        in_parallel(job, shares(trainees, workers), workers)
    return gather(trainees, samples)


def progress(trainees: list[Trainee], samples: int, quiet: bool) -> tqdm:
    """A bar over the steps of all CNNs, begun at what is done."""
    recipe = trainees[0].recipe
    steps = training.steps_in(samples, recipe.batch)
    done = sum(len(each.losses) for each in trainees) * steps
    total = len(trainees) * recipe.epochs * steps
    name = f"train {len(trainees)} CNNs"
    return tqdm(total=total, initial=done, desc=name, unit="step", disable=quiet)


def train_group(
    group: list[Trainee],
    samples: Samples,
    scratch: Path,
    watch: Watch,
    stop: threading.Event,
) -> None:
    """Train some CNNs, epoch by epoch, each from the epoch where it stands."""
    members, begin = [], None
    for epoch in range(group[0].recipe.epochs):
        for each in group:
            if len(each.losses) > epoch:
                watch.finished(history_row(each, epoch, samples.actual))
        before, members = members, [each for each in group if len(each.losses) == epoch]
        if not members:
            continue
        if begin is None or members != before:
            begin = stepper(members, members[0].recipe.batch)
        losses = train_epoch(members, epoch, begin(epoch), samples, watch, stop)
        if losses is None:
            return
        finish_epoch(members, losses, samples, scratch, watch)


def train_epoch(
    members: list[Trainee],
    epoch: int,
    step: Step,
    samples: Samples,
    watch: Watch,
    stop: threading.Event,
) -> list[float] | None:
    """One epoch: the mean loss of each CNN, or None if it was stopped."""
    recipe, poolings = members[0].recipe, poolings_of(members)
    order = training.epoch_order(len(samples.train), recipe.seed, epoch)
    batches = samples.rows(samples.train[order]).split(recipe.batch)
    losses = []
    for rows in batches:
        if stop.is_set():
            return None
        labels = samples.labels[rows].to(samples.device)
        losses.append(step(samples.patterns(poolings, rows), labels))
        watch.stepped(losses)
    weights = np.array([len(rows) for rows in batches]) / len(order)
    columns = torch.stack(losses, 1).double().cpu().numpy()
    return [float(weights @ column) for column in columns]  # one by one: bits as if alone


def finish_epoch(
    members: list[Trainee], losses: list[float], samples: Samples, scratch: Path, watch: Watch
) -> None:
    """Evaluate some CNNs after an epoch, and keep what they are and gave."""
    for each, loss, logits in zip(members, losses, evaluate(members, samples), strict=True):
        each.losses.append(loss)
        each.logits.append(logits)
        training.save(each, scratch)
        watch.finished(history_row(each, len(each.losses) - 1, samples.actual))


def poolings_of(members: list[Trainee]) -> list[str]:
    """The poolings that some CNNs read."""
    return list(dict.fromkeys(each.cnn.architecture.pooling for each in members))


@torch.no_grad()
def evaluate(members: list[Trainee], samples: Samples) -> list[Float[Tensor, "eval classes"]]:
    """Logits of the evaluation part, of every CNN, on the CPU."""
    found: dict[str, list[Tensor]] = {each.name: [] for each in members}
    for rows in samples.rows(samples.eval).split(training.EVAL_BATCH):
        patterns = samples.patterns(poolings_of(members), rows)
        for group in training.kin(members):
            cnns, pooling = [each.cnn for each in group], group[0].cnn.architecture.pooling
            logits = training.forward(cnns, patterns[pooling], [None] * len(cnns))
            for each, part in zip(group, logits, strict=True):
                found[each.name].append(part)
    return [torch.cat(found[each.name]).cpu() for each in members]


def history_row(trainee: Trainee, epoch: int, actual: np.ndarray) -> dict:
    """What one epoch of one CNN gave."""
    logits = trainee.logits[epoch].numpy()
    predicted = logits.argmax(-1)
    found = scores(confusion_matrix(actual, predicted, logits.shape[-1]))
    return {
        "cnn": trainee.name,
        "epoch": epoch + 1,
        "train_loss": trainee.losses[epoch],
        "eval_loss": float(cross_entropy(logits, actual).mean()),
        "eval_accuracy": float((predicted == actual).mean()),
        "min_f1": float(found.f1.min()),
    }


def gather(trainees: list[Trainee], samples: Samples) -> Trained:
    """Weights, logits and history in the order of the grid."""
    weights = {
        each.name: {name: value.cpu() for name, value in each.cnn.state_dict().items()}
        for each in trainees
    }
    logits = torch.stack([torch.stack(each.logits) for each in trainees]).numpy()
    history = [
        history_row(each, epoch, samples.actual)
        for each in trainees
        for epoch in range(len(each.losses))
    ]
    return Trained(weights, logits, history)
