"""Bytes of all that a study will write, and whether the disk can hold them."""

import shutil
from pathlib import Path

from guess_or_recall.attention.extract import bytes_of_sequence
from guess_or_recall.classifier.cnn import Architecture, initialised
from guess_or_recall.classifier.grid import architectures
from guess_or_recall.errors import UserError
from guess_or_recall.plan.needs import Needs
from guess_or_recall.plan.shape import Shape
from guess_or_recall.settings.params import Params
from guess_or_recall.taxonomy.declared import declared

ROW = 1500  # bytes of a sequence in the tables of sequences, score and features, at the most
HALF = 2  # bytes of a value in float16
FULL = 4  # in float32


def bytes_of(params: Params, shape: Shape, needs: Needs, weights: int) -> dict[str, int]:
    """Bytes of every artifact; `weights` are those of the model."""
    length = params.sequences.total
    classes = max(len(variant.tree.classes) for variant in declared(params))
    sampled = classes * (params.samples.train + params.samples.eval)
    gallery = params.attention.gallery * classes * bytes_of_all_heads(shape, length)
    attention = needs.union * bytes_of_sequence(shape.layers, length)
    grid = architectures(**params.train.grid.model_dump())
    logits = FULL * sampled * len(grid) * params.train.epochs * classes
    cnns = FULL * parameters_of(grid, shape.layers, classes, length)
    tables = needs.candidates * ROW
    sizes = {
        "tables of sequences, score, features": tables,
        "attention": attention,
        "gallery (all heads, before compression)": gallery,
        "CNNs and their logits, a variant": logits + cnns,
        "DVC's cache of these (a copy, unless cache.type is a link)": tables + attention + gallery,
    }
    if params.model.source == "hub":
        sizes["weights, in the cache of the hub"] = weights
    return sizes


def bytes_of_all_heads(shape: Shape, length: int) -> int:
    """Bytes of the whole attention of one sequence, as the published method keeps it."""
    return HALF * shape.layers * shape.heads * length**2


def parameters_of(grid: list[Architecture], layers: int, classes: int, length: int) -> int:
    """Parameters of all CNNs."""
    cnns = [initialised(architecture, layers, classes, length, 0.5, 0) for architecture in grid]
    return sum(weight.numel() for cnn in cnns for weight in cnn.parameters())


def require_disk(sizes: dict[str, int]) -> None:
    """Say what the disk must hold; UserError where it cannot."""
    needed, free = sum(sizes.values()), shutil.disk_usage(Path()).free
    print(f"disk: {gigabytes(needed)} needed, {gigabytes(free)} free")
    if needed > free:
        raise UserError(
            f"the disk is too small: {gigabytes(needed)} are needed, {gigabytes(free)} are free: "
            "free some, take fewer variants or samples (pool, samples in params.yaml), or keep "
            "one copy (dvc config cache.type hardlink,symlink)"
        )


def gigabytes(size: float) -> str:
    """Bytes for reading."""
    return f"{size / 1e9:,.2f} GB"
