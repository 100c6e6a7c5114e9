"""A share of the grid for each core, trained by one thread with one thread of PyTorch."""

import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import torch

from guess_or_recall.classifier.training import Trainee


def shares(trainees: list[Trainee], workers: int) -> list[list[Trainee]]:
    """Split the grid for the workers, so that a share reads one pooling where there are several."""
    if workers == 1:
        return [trainees]
    poolings = [trainee.cnn.architecture.pooling for trainee in trainees]
    distinct = dict.fromkeys(poolings)
    parts = math.ceil(workers / len(distinct))
    groups = []
    for name in distinct:
        pairs = zip(trainees, poolings, strict=True)
        members = [trainee for trainee, pooling in pairs if pooling == name]
        groups += deal(sorted(members, key=cost, reverse=True), parts)
    return groups


def deal(members: list[Trainee], parts: int) -> list[list[Trainee]]:
    """Deal out in turn, forth and back: the costly and the cheap are evened out."""
    rounds = [
        members[i :: 2 * parts] + members[2 * parts - 1 - i :: 2 * parts] for i in range(parts)
    ]
    return [group for group in rounds if group]


def cost(trainee: Trainee) -> tuple[int, int]:
    """Order of the time that a CNN takes."""
    architecture = trainee.cnn.architecture
    return architecture.kernel, architecture.features


def in_parallel(
    job: Callable[[list[Trainee], threading.Event], None],
    groups: list[list[Trainee]],
    workers: int,
) -> None:
    """Run a job for every group; an error or Ctrl-C sets the event, and all end soon."""
    before, stop = torch.get_num_threads(), threading.Event()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=quiet_thread) as pool:
            futures = [pool.submit(job, group, stop) for group in groups]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                stop.set()
                raise
    finally:
        torch.set_num_threads(before)


def quiet_thread() -> None:
    """Settings of a worker: no threads of its own, no slow tiny numbers."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
