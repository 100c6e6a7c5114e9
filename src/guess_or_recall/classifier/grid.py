"""Training the grid of CNNs together: one reading of a batch serves all that see it.

All CNNs take the same batches in the same order; first weights and dropout of each come from
streams of its own. So a CNN trained in a grid is the CNN trained alone, and a killed run goes on
after the last epoch of each. On a CPU, every core trains its share of the grid with one thread.
"""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Float16, Int8
from torch import Tensor
from tqdm import tqdm

from guess_or_recall.attention.triangle import length_of, unpack
from guess_or_recall.classifier import training
from guess_or_recall.classifier.cnn import Architecture
from guess_or_recall.classifier.metrics import confusion_matrix, cross_entropy, scores
from guess_or_recall.classifier.training import Recipe, Trainee
from guess_or_recall.errors import UserError


@dataclass(frozen=True)
class Trained:
    """What the training of a grid leaves; CNNs in the order of the grid."""

    weights: dict[str, dict[str, Tensor]]  # of the last epoch: CNN -> parameter -> value
    logits: Float[np.ndarray, "cnn epoch eval classes"]
    history: list[dict]  # cnn, epoch, train_loss, eval_loss, eval_accuracy, min_f1


@dataclass(frozen=True)
class Samples:
    """What the CNNs read: the attention of each pooling, on the CPU or the device."""

    pooled: dict[str, Float16[Tensor, "n layers packed"]]
    labels: Tensor  # int64 [n], on the device
    train: np.ndarray  # rows of the training part
    eval: np.ndarray  # rows of the evaluation part
    device: torch.device

    def patterns(self, pooling: str, rows: np.ndarray) -> Float[Tensor, "b layers query key"]:
        """Attention patterns of some samples, as float32 squares in channels-last memory."""
        source = self.pooled[pooling]
        packed = source[torch.from_numpy(rows).to(source.device)].to(self.device).float()
        return unpack(packed).contiguous(memory_format=torch.channels_last)


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
    """
    device = device or torch.device("cpu")
    samples = prepare(pooled, labels, is_eval, device)
    layers, packed = pooled[grid[0].pooling].shape[1:]
    trainees = [
        training.trainee(each, layers, classes, length_of(packed), recipe, device) for each in grid
    ]
    for each in trainees:
        training.restore(each, scratch)
    workers = torch.get_num_threads() if device.type == "cpu" else 1
    with progress(trainees, len(samples.train)) as bar:
        lock = threading.Lock()

        def job(group: list[Trainee], stop: threading.Event) -> None:
            train_group(group, samples, scratch, bar, lock, report, stop)

        in_parallel(job, shares(trainees, workers), workers)
    return gather(trainees, samples)


def prepare(pooled: dict, labels: np.ndarray, is_eval: np.ndarray, device) -> Samples:
    """Put the samples where the training is, if they fit there."""
    tensors = {name: torch.from_numpy(values) for name, values in pooled.items()}
    needed = sum(tensor.nbytes for tensor in tensors.values())
    if device.type == "cuda" and needed < 0.7 * torch.cuda.mem_get_info(device)[0]:
        tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    on_device = torch.from_numpy(labels.astype(np.int64)).to(device)
    return Samples(tensors, on_device, np.flatnonzero(~is_eval), np.flatnonzero(is_eval), device)


def progress(trainees: list[Trainee], samples: int) -> tqdm:
    """A bar over the steps of all CNNs, begun at what is done."""
    recipe = trainees[0].recipe
    steps = training.steps_in(samples, recipe.batch)
    done = sum(len(each.losses) for each in trainees) * steps
    total = len(trainees) * recipe.epochs * steps
    return tqdm(total=total, initial=done, desc=f"train {len(trainees)} CNNs", unit="step")


def shares(trainees: list[Trainee], workers: int) -> list[list[Trainee]]:
    """Split the grid for the workers; CNNs of one share read the same pooling."""
    names = dict.fromkeys(each.cnn.architecture.pooling for each in trainees)
    parts = math.ceil(workers / len(names))
    groups = []
    for pooling in names:
        members = [each for each in trainees if each.cnn.architecture.pooling == pooling]
        members.sort(key=cost, reverse=True)
        dealt = [
            members[i :: 2 * parts] + members[2 * parts - 1 - i :: 2 * parts] for i in range(parts)
        ]
        groups += [group for group in dealt if group]
    return groups


def cost(trainee: Trainee) -> tuple[int, int]:
    """Order of the time that a CNN takes."""
    architecture = trainee.cnn.architecture
    return architecture.kernel, architecture.features


def in_parallel(job: Callable, groups: list[list[Trainee]], workers: int) -> None:
    """Run a job for every group, each with one thread of its own; on an error all end."""
    before, stop = torch.get_num_threads(), threading.Event()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            futures = [pool.submit(job, group, stop) for group in groups]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                stop.set()
                raise
    finally:
        torch.set_num_threads(before)


def train_group(
    group: list[Trainee],
    samples: Samples,
    scratch: Path,
    bar: tqdm,
    lock: threading.Lock,
    report: Callable[[dict], None],
    stop: threading.Event,
) -> None:
    """Train CNNs that read the same pooling, epoch by epoch."""
    torch.set_flush_denormal(True)
    actual = samples.labels.cpu().numpy()[samples.eval]
    for epoch in range(group[0].recipe.epochs):
        for each in (each for each in group if len(each.losses) > epoch):
            with lock:
                report(history_row(each, epoch, actual))
        members = [each for each in group if len(each.losses) == epoch]
        if not members or not train_epoch(members, epoch, samples, bar, lock, stop):
            continue
        for each, logits in zip(members, evaluate(members, samples), strict=True):
            each.logits.append(logits)
            training.save(each, scratch)
            with lock:
                report(history_row(each, epoch, actual))


def train_epoch(
    members: list[Trainee],
    epoch: int,
    samples: Samples,
    bar: tqdm,
    lock: threading.Lock,
    stop: threading.Event,
) -> bool:
    """One epoch of some CNNs in step; False if it was stopped."""
    recipe, pooling = members[0].recipe, members[0].cnn.architecture.pooling
    sources = [training.dropout_source(each, epoch) for each in members]
    losses = []
    batches = training.epoch_order(len(samples.train), recipe.batch, recipe.seed, epoch)
    for number, batch in enumerate(batches):
        if stop.is_set():
            return False
        rows = samples.train[batch]
        patterns, labels = samples.patterns(pooling, rows), samples.labels[rows]
        drawn = [training.draw(*pair, len(rows)) for pair in zip(sources, members, strict=True)]
        losses.append(
            torch.stack(
                [
                    training.step(each, patterns, labels, keeps)
                    for each, keeps in zip(members, drawn, strict=True)
                ]
            )
        )
        with lock:
            bar.update(len(members))
            if number % 50 == 49:
                bar.set_postfix(loss=f"{torch.stack(losses[-50:]).mean():.3f}", refresh=False)
    weights = np.array([len(batch) for batch in batches]) / len(samples.train)
    for each, values in zip(members, torch.stack(losses, 1).double().cpu().numpy(), strict=True):
        each.losses.append(float(values @ weights))
    return True


@torch.no_grad()
def evaluate(members: list[Trainee], samples: Samples) -> list[Float[Tensor, "eval classes"]]:
    """Logits of the evaluation part, of every CNN, on the CPU."""
    pooling = members[0].cnn.architecture.pooling
    found: list[list[Tensor]] = [[] for _ in members]
    for start in range(0, len(samples.eval), training.EVAL_BATCH):
        patterns = samples.patterns(pooling, samples.eval[start : start + training.EVAL_BATCH])
        for each, parts in zip(members, found, strict=True):
            parts.append(training.forward(each.cnn, patterns))
    return [torch.cat(parts).cpu() for parts in found]


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
    actual = samples.labels.cpu().numpy()[samples.eval]
    weights = {
        each.name: {name: value.cpu() for name, value in each.cnn.state_dict().items()}
        for each in trainees
    }
    logits = torch.stack([torch.stack(each.logits) for each in trainees]).numpy()
    history = [
        history_row(each, epoch, actual) for each in trainees for epoch in range(len(each.losses))
    ]
    return Trained(weights, logits, history)
