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
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture, exact
from guess_or_recall.classifier.divergence import require_learning
from guess_or_recall.classifier.kernels.recording import Step
from guess_or_recall.classifier.samples import Batches, Sample, batches_of
from guess_or_recall.classifier.steps import stepper
from guess_or_recall.classifier.training import Recipe, Trainee
from guess_or_recall.classifier.workers import in_parallel, shares
from guess_or_recall.errors import UserError
from guess_or_recall.statistics.f1 import confusion_matrix, cross_entropy, scores

OFTEN = 50  # steps between two looks at the loss


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
            if len(losses) % OFTEN == 0:
                loss = torch.stack(losses[-OFTEN:]).mean()
                self.bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

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
    for architecture in grid:
        if grid.count(architecture) > 1:
            raise UserError(f"train.grid holds {architecture.name} twice: list every value once")
    return grid


def train_grid(
    sample: Sample,
    grid: list[Architecture],
    recipe: Recipe,
    scratch: Path,
    device: torch.device | None = None,
    report: Callable[[dict], None] = lambda row: None,
    quiet: bool = False,
) -> Trained:
    """Train every CNN of the grid and evaluate it after each epoch.

    Args:
        sample: what they are trained and evaluated on, with the poolings that the grid uses.
        grid: the CNNs.
        recipe: how to train them.
        scratch: folder for the state after each epoch; what it holds is taken up.
        device: of the training; the CPU if none.
        report: called with each row of the history when it is known.
        quiet: whether to show no progress bar.
    """
    device = device or torch.device("cpu")
    batches, shape = batches_of(sample, device), (sample.layers, sample.classes, sample.length)
    trainees = [training.new_trainee(architecture, *shape, recipe, device) for architecture in grid]
    for trainee in trainees:
        training.restore(trainee, scratch)
    workers = 1 if device.type == "cuda" else torch.get_num_threads()
    with exact(device), progress(trainees, len(batches.train), quiet) as bar:
        watch = Watch(bar, report)

        def job(group: list[Trainee], stop: threading.Event) -> None:
            train_group(group, batches, scratch, watch, stop)

        in_parallel(job, shares(trainees, workers), workers)
    return gather(trainees, batches)


def progress(trainees: list[Trainee], samples: int, quiet: bool) -> tqdm:
    """A bar over the steps of all CNNs, begun at what is done."""
    recipe = trainees[0].recipe
    steps = training.steps_in(samples, recipe.batch)
    done = sum(len(trainee.losses) for trainee in trainees) * steps
    total = len(trainees) * recipe.epochs * steps
    name = f"train {len(trainees)} CNNs"
    return tqdm(total=total, initial=done, desc=name, unit="step", disable=quiet)


def train_group(
    group: list[Trainee],
    batches: Batches,
    scratch: Path,
    watch: Watch,
    stop: threading.Event,
) -> None:
    """Train some CNNs, epoch by epoch, each from the epoch where it stands."""
    members, begin = [], None
    for epoch in range(group[0].recipe.epochs):
        for trainee in group:
            if len(trainee.losses) > epoch:
                watch.finished(history_row(trainee, epoch, batches.actual))
        before, members = members, [trainee for trainee in group if len(trainee.losses) == epoch]
        if not members:
            continue
        if begin is None or members != before:
            begin = stepper(members, members[0].recipe.batch)
        losses = train_epoch(members, epoch, begin(epoch), batches, watch, stop)
        if losses is None:
            return
        finish_epoch(members, losses, batches, scratch, watch)


def train_epoch(
    members: list[Trainee],
    epoch: int,
    step: Step,
    batches: Batches,
    watch: Watch,
    stop: threading.Event,
) -> list[float] | None:
    """One epoch: the mean loss of each CNN, or None if it was stopped."""
    recipe, poolings = members[0].recipe, poolings_of(members)
    order = training.epoch_order(len(batches.train), recipe.seed, epoch)
    parts = batches.rows(batches.train[order]).split(recipe.batch)
    losses = []
    for rows in parts:
        if stop.is_set():
            return None
        labels = batches.labels[rows].to(batches.device)
        losses.append(step(batches.patterns(poolings, rows), labels))
        watch.stepped(losses)
        if len(losses) % OFTEN == 0:
            require_learning(members, torch.stack(losses[-OFTEN:]).mean(0).tolist(), [])
    weights = np.array([len(rows) for rows in parts]) / len(order)
    columns = torch.stack(losses, 1).double().cpu().numpy()
    return [float(weights @ column) for column in columns]  # one by one: bits as if alone


def finish_epoch(
    members: list[Trainee], losses: list[float], batches: Batches, scratch: Path, watch: Watch
) -> None:
    """Evaluate some CNNs after an epoch, and keep what they are and gave.

    Raises:
        UserError: the training of one diverged.
    """
    require_learning(members, losses, [])
    outcome = evaluate(members, batches)
    require_learning(members, losses, outcome)
    for trainee, loss, logits in zip(members, losses, outcome, strict=True):
        trainee.losses.append(loss)
        trainee.logits.append(logits)
        training.save(trainee, scratch)
        watch.finished(history_row(trainee, len(trainee.losses) - 1, batches.actual))


def poolings_of(members: list[Trainee]) -> list[str]:
    """The poolings that some CNNs read."""
    return list(dict.fromkeys(trainee.cnn.architecture.pooling for trainee in members))


@torch.no_grad()
def evaluate(members: list[Trainee], batches: Batches) -> list[Float[Tensor, "eval classes"]]:
    """Logits of the evaluation part, of every CNN, on the CPU."""
    parts: dict[str, list[Tensor]] = {trainee.name: [] for trainee in members}
    for rows in batches.rows(batches.eval).split(training.EVAL_BATCH):
        patterns = batches.patterns(poolings_of(members), rows)
        for group in training.kin(members):
            cnns, pooling = [kin.cnn for kin in group], group[0].cnn.architecture.pooling
            logits = training.forward(cnns, patterns[pooling], [None] * len(cnns))
            for trainee, part in zip(group, logits, strict=True):
                parts[trainee.name].append(part)
    return [torch.cat(parts[trainee.name]).cpu() for trainee in members]


def history_row(trainee: Trainee, epoch: int, actual: np.ndarray) -> dict:
    """What one epoch of one CNN gave."""
    logits = trainee.logits[epoch].numpy()
    predicted = logits.argmax(-1)
    of_classes = scores(confusion_matrix(actual, predicted, logits.shape[-1]))
    return {
        "cnn": trainee.name,
        "epoch": epoch + 1,
        "train_loss": trainee.losses[epoch],
        "eval_loss": float(cross_entropy(logits, actual).mean()),
        "eval_accuracy": float((predicted == actual).mean()),
        "min_f1": float(of_classes.f1.min()),
    }


def gather(trainees: list[Trainee], batches: Batches) -> Trained:
    """Weights, logits and history in the order of the grid."""
    weights = {
        trainee.name: {name: value.cpu() for name, value in trainee.cnn.state_dict().items()}
        for trainee in trainees
    }
    logits = torch.stack([torch.stack(trainee.logits) for trainee in trainees]).numpy()
    history = [
        history_row(trainee, epoch, batches.actual)
        for trainee in trainees
        for epoch in range(len(trainee.losses))
    ]
    return Trained(weights, logits, history)
