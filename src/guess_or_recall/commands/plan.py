"""What the current params.yaml will take, before it runs: `python src/run.py plan`.

Sequences, bytes, memory, and time from a trial of a minute on the present device (with random
weights: nothing is downloaded but a config.json), beside what the published method needs. Exact
once `dvc repro features` has run; before, the sequences are the most that they can be. It ends
with an error where the disk is too small.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoConfig, GPTNeoXConfig, PretrainedConfig

from guess_or_recall.attention.extract import bytes_of_sequence
from guess_or_recall.attention.triangle import packed_size
from guess_or_recall.classifier.cnn import initialised
from guess_or_recall.classifier.grid import architectures, train_grid
from guess_or_recall.classifier.result import recipe_of
from guess_or_recall.classifier.samples import Sample
from guess_or_recall.corpus.semantic_filters import MEMORIES, PILE
from guess_or_recall.device import device
from guess_or_recall.errors import UserError, first_line
from guess_or_recall.model.hub import snapshot
from guess_or_recall.plan.calibrate import (
    MARGIN,
    Shape,
    Trial,
    calibrate,
    random_model,
    room_on,
    shape_of,
)
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.candidates import TABLES, candidates
from guess_or_recall.taxonomy.declared import declared
from guess_or_recall.taxonomy.pool import unite
from guess_or_recall.taxonomy.trees import classify, tree

ROW = 1500  # bytes of a sequence in the tables of sequences, score and features, at the most
CALIBRATED = 320  # samples on which the CNNs are tried


class Needs(NamedTuple):
    """Sequences that the declared variants sample."""

    candidates: int
    union: int
    summed: int
    exact: bool
    variants: int


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        prog="python src/run.py plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--no-trial", action="store_true", help="sizes alone, no times")
    return made


def main(*arguments: str) -> None:
    """Print the plan.

    Raises:
        UserError: the model cannot be found, or the disk cannot hold what will be made.
    """
    given, params = parser().parse_args(arguments), read_params()
    console = Console(highlight=False, soft_wrap=True)
    config, dtype = config_of(params), getattr(torch, dtype_of(params))
    shape, needs = shape_of(config), needs_of(params)
    weights = shape.parameters * dtype.itemsize
    say(console, params, shape, needs)
    fits = weights * MARGIN < room_on(device())
    trial, cnns = None, 0.0
    if fits and not given.no_trial:
        trial = calibrate(
            random_model(config, dtype, device()), params.sequences, params.attention.batch
        )
        cnns = cnn_rate(params, shape.layers)
    sizes = bytes_of(params, shape, needs, weights)
    console.print(memory_line(weights, trial))
    console.print(size_table(sizes, shape, needs, params.sequences.total))
    if trial:
        console.print(time_table(params, needs, trial, cnns))
    require_disk(sizes)


def dtype_of(params: Params) -> str:
    """The type that the model is loaded in."""
    return params.model.hub.dtype if params.model.source == "hub" else "float32"


def config_of(params: Params) -> PretrainedConfig:
    """Configuration of the model that params.yaml names."""
    if params.model.source == "train":
        made = params.model.train
        return GPTNeoXConfig(
            vocab_size=params.sequences.tokenizer.vocabulary,
            hidden_size=made.width,
            num_hidden_layers=made.layers,
            num_attention_heads=made.heads,
            intermediate_size=4 * made.width,
        )
    hub = params.model.hub
    folder = Path(params.model.path)
    if params.model.source == "hub":
        folder = snapshot(hub.name, hub.revision, ["config.json"])
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise UserError(f"model: '{folder}' is not supported: {first_line(error)}") from None


def needs_of(params: Params) -> Needs:
    """Sequences of the variants: counted where features are there, else the most there can be."""
    if all(path.exists() for path in TABLES):
        frame = candidates()
        _, _, report = unite(frame, params)
        union, summed = report["adds"].to_numpy().sum(), report["sequences"].to_numpy().sum()
        return Needs(len(frame), int(union), int(summed), True, len(report))
    known, each = known_candidates(params), params.samples.train + params.samples.eval
    listed = declared(params)
    summed = sum(each * len(variant.tree.classes) for variant in listed)
    return Needs(known, min(known, summed), summed, False, len(listed))


def known_candidates(params: Params) -> int:
    """Sequences that there will be, at the most."""
    table = Path("data/sequences/sequences.parquet")
    if table.exists():
        return pq.read_metadata(table).num_rows
    if params.sequences.source == "semantic-filters":
        return PILE + MEMORIES[params.sequences.semantic_filters.model]
    return sum(params.sequences.studied.values())


def say(console: Console, params: Params, shape: Shape, needs: Needs) -> None:
    """What is planned, and of which classes it samples how many."""
    wanted = params.samples.train + params.samples.eval
    console.print(
        f"profile {params.profile}: {shape.layers} layers, {shape.heads} heads, "
        f"{shape.parameters / 1e6:,.1f} million parameters in {dtype_of(params)}; {device().type}"
    )
    bound = "" if needs.exact else " at most (exact once `dvc repro features` has run)"
    console.print(
        f"{needs.candidates:,} candidates; {needs.variants} variants, {wanted:,} sequences of "
        f"each class (samples.train + samples.eval); their union is {needs.union:,} sequences"
        f"{bound}, their sum {needs.summed:,}"
    )
    if needs.exact:
        shares = current_counts(params)
        listing = ", ".join(f"{name} {min(count, wanted):,} of {count:,}" for name, count in shares)
        console.print(f"{params.taxonomy}, classes of the current variant: {listing}")


def current_counts(params: Params) -> list[tuple[str, int]]:
    """Candidates of each class of the current variant."""
    chosen = tree(params.taxonomy, params.taxonomies)
    labels = classify(candidates(), chosen, **params.thresholds())
    names = chosen.classes
    return list(zip(names, np.bincount(labels, minlength=len(names)).tolist(), strict=True))


def bytes_of(params: Params, shape: Shape, needs: Needs, weights: int) -> dict[str, int]:
    """Bytes of every artifact."""
    classes = max(len(variant.tree.classes) for variant in declared(params))
    sampled = classes * (params.samples.train + params.samples.eval)
    gallery = (
        params.attention.gallery
        * classes
        * shape.layers
        * shape.heads
        * params.sequences.total**2
        * 2
    )
    attention = needs.union * bytes_of_sequence(shape.layers, params.sequences.total)
    grid = architectures(**params.train.grid.model_dump())
    logits = sampled * len(grid) * params.train.epochs * classes * 4
    tables = needs.candidates * ROW
    found = {
        "tables of sequences, score, features": tables,
        "attention": attention,
        "gallery (all heads, before compression)": gallery,
        "CNNs and their logits, a variant": logits
        + 4 * weights_of(grid, shape.layers, classes, params.sequences.total),
        "DVC's cache of these (a copy, unless cache.type is a link)": tables + attention + gallery,
    }
    if params.model.source == "hub":
        found["weights, in the cache of the hub"] = weights
    return found


def weights_of(grid: list, layers: int, classes: int, length: int) -> int:
    """Parameters of all CNNs."""
    made = [initialised(each, layers, classes, length, 0.5, 0) for each in grid]
    return sum(weight.numel() for cnn in made for weight in cnn.parameters())


def cnn_rate(params: Params, layers: int) -> float:
    """Samples a second through one CNN of the grid, as the grid is trained; by its second epoch."""
    random, n = np.random.default_rng(0), CALIBRATED * 3 // 2
    shape = (n, layers, packed_size(params.sequences.total))
    grid = architectures(**params.train.grid.model_dump())
    pooled = {each.pooling: random.random(shape, np.float32).astype(np.float16) for each in grid}
    labels, is_eval = (np.arange(n) % 3).astype(np.int8), np.arange(n) >= CALIBRATED
    times = []
    recipe = recipe_of(params.train.model_copy(update={"epochs": 2}))
    with tempfile.TemporaryDirectory() as folder:
        report = lambda row: times.append((row["epoch"], time.perf_counter()))  # noqa: E731
        sample = Sample(pooled, labels, is_eval, 3)
        train_grid(sample, grid, recipe, Path(folder), device(), report, quiet=True)
    first = max(moment for epoch, moment in times if epoch == 1)
    last = max(moment for epoch, moment in times if epoch == 2)
    return CALIBRATED * len(grid) / max(last - first, 1e-9)


def memory_line(weights: int, trial: Trial | None) -> str:
    """Memory of the model, measured or by its weights."""
    where = "GPU memory" if device().type == "cuda" else "memory"
    if trial:
        return f"{where}: {trial.memory / 1e9:.2f} GB with a batch of {trial.batch} sequences"
    free = room_on(device())
    return (
        f"{where}: {weights * MARGIN / 1e9:.1f} GB for the weights, {free / 1e9:.1f} GB are free "
        "(no trial, so no times)"
    )


def size_table(sizes: dict[str, int], shape: Shape, needs: Needs, length: int) -> Table:
    """Bytes here, and of the published method's attention."""
    table = Table("artifact", "here", "published method", box=None, pad_edge=False)
    theirs = needs.summed * shape.layers * shape.heads * length**2 * 2
    for name, size in sizes.items():
        table.add_row(name, gigabytes(size), gigabytes(theirs) if name == "attention" else "")
    return table


def time_table(params: Params, needs: Needs, trial: Trial, cnns: float) -> Table:
    """Time of every stage that takes some, and of the published method's where it differs."""
    scored = params.score.recheck if params.score.source == "published" else needs.candidates
    decoded = needs.union if params.score.source == "published" else scored
    decoded = needs.union if params.score.decode == "pool" else decoded
    grid = architectures(**params.train.grid.model_dump())
    samples = needs.summed * params.samples.train / (params.samples.train + params.samples.eval)
    table = Table("stage", "a second", "here", "published method", box=None, pad_edge=False)
    rows = [
        ("score, forward passes", trial.forward, scored, None),
        ("score, continuations (at most)", trial.decode, decoded, None),
        ("attention", trial.attention, needs.union, needs.summed / trial.published),
        ("train, all variants", cnns, samples * len(grid) * params.train.epochs, None),
    ]
    for name, rate, work, theirs in rows:
        shown = "" if theirs is None else duration(theirs)
        table.add_row(name, f"{rate:,.0f}", duration(work / rate), shown)
    return table


def require_disk(sizes: dict[str, int]) -> None:
    """Raise UserError where the disk cannot hold all of it."""
    needed, free = sum(sizes.values()), shutil.disk_usage(Path()).free
    print(f"disk: {gigabytes(needed)} needed, {gigabytes(free)} free", file=sys.stdout)
    if needed > free:
        raise UserError(
            f"the disk is too small: {gigabytes(needed)} are needed, {gigabytes(free)} are free: "
            "free some, take fewer variants or samples (pool, samples in params.yaml), or keep "
            "one copy (dvc config cache.type hardlink,symlink)"
        )


def gigabytes(size: float) -> str:
    """Bytes for reading."""
    return f"{size / 1e9:,.2f} GB"


def duration(seconds: float) -> str:
    """Time for reading."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
