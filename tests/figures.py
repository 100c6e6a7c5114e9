"""Data of a small study, made up for the tests of figures, and the figures of it."""

# the stubs of matplotlib and pandas take a value for any of several types
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.text import Text
from safetensors.numpy import save_file
from sklearn.metrics import confusion_matrix

from guess_or_recall.io import paths
from guess_or_recall.io.files import write_json
from guess_or_recall.io.schemas import ABLATION
from guess_or_recall.io.tables import token_column, write_table
from guess_or_recall.report.ablation import ablation_curves, delta_against_ablation
from guess_or_recall.report.confusion import confusion_panels
from guess_or_recall.report.curves import learning_curves
from guess_or_recall.report.delta import delta_maps, delta_profile
from guess_or_recall.report.duplicates import (
    memorized_by_duplicates,
)
from guess_or_recall.report.flow import Classified, taxonomy_flow
from guess_or_recall.report.gallery import attention_gallery
from guess_or_recall.report.planting import class_by_planting
from guess_or_recall.report.rouge import rouge_distribution
from guess_or_recall.report.tree import condition_text, decision_tree

NAMES = ("non-memorized", "guess", "recall", "a $ class $ with a long_name", "code", "url", "rare")
EXPRESSIONS = (
    "memorization_score < 1",
    "is_incrementing or is_repeating or rouge_l >= rho_l or rouge_3 >= rho_3",
    "sequence_duplicates > delta and not (is_code or rouge_l < 0.25 or prompt_perplexity > 10)",
    "is_code",
    "sequence_duplicates <= delta",
    "rouge_3 == 0",
)
PREFIX = 32
NUMBERS = range(48)  # of layers, enough for every figure
THRESHOLDS = {"delta": 5, "rho_l": 0.5, "rho_3": 0.25}


def texts(figure):
    """Every text that is shown, with no-break spaces and line breaks as plain spaces."""
    shown = (text for text in figure.findobj(Text) if text.get_visible() and text.get_text())
    return [" ".join(text.get_text().split()) for text in shown]


def frame(n=600, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    labels[:classes] = range(classes)
    return pd.DataFrame(
        {
            "sequence_duplicates": rng.geometric(0.2, n),
            "memorized": labels > 0,
            "label": labels,
            "rouge_l": rng.integers(0, 33, n) / 32,
            "planted": rng.choice(["distinct", "similar", "background"], n),
        }
    )


def attention(g, layers, heads=2, seed=0):
    logits = np.random.default_rng(seed).normal(size=(g, layers, heads, 64, 64))
    weights = np.exp(np.where(np.tri(64) > 0, logits, -np.inf))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float16)


CNNS = [f"k{k}-f{f}-{pooling}" for k in (6, 8) for f in (10, 16) for pooling in ("mean", "max")]


def history(cnns=CNNS, epochs=3):
    rows = [
        (cnn, epoch, 1 / epoch, 1.1 / epoch, 0.5, 0.1 * epoch)
        for cnn in cnns
        for epoch in range(1, epochs + 1)
    ]
    names = ["cnn", "epoch", "train_loss", "eval_loss", "eval_accuracy", "min_f1"]
    return pd.DataFrame(rows, columns=names)


def flow_figure(classes):
    labels = np.sort(frame(classes=classes)["label"].to_numpy())[::2]
    labels[: 300 - classes] = np.minimum(labels[: 300 - classes], 1)  # the others are rare
    labels[300 - classes :] = range(classes)
    target = Classified("one", ("non-memorized", "all"), np.minimum(labels, 1))
    return taxonomy_flow(Classified("mine", NAMES[:classes], labels), target)


def gallery_figure(classes, layers=3):
    ids = np.arange(classes) + 101_275_048
    patterns = attention(classes, layers)
    return attention_gallery(patterns, np.arange(classes), ids, NAMES[:classes], PREFIX, NUMBERS)


def tree_figure(classes):
    conditions = [condition_text(text, THRESHOLDS) for text in EXPRESSIONS[: classes - 1]]
    return decision_tree(conditions, NAMES[:classes], np.arange(classes) * 1_234_567)


def profile(classes, layers=8):
    values = np.random.default_rng(0).random((classes, layers)) * 1e-3
    columns = {"delta": values, "low": values * 0.9, "high": values * 1.1}
    names = np.repeat(NAMES[:classes], layers)
    layer = np.tile(np.arange(layers), classes)
    flat = {name: value.ravel() for name, value in columns.items()}
    return pd.DataFrame({"class": names, "layer": layer, **flat})


def ablation(classes, layers=8):
    cuts = [("whole", "", 0, False)] + [("off", str(i), 1, False) for i in range(layers)]
    cuts += [("off", f"{i}-{i + 2}", 3, False) for i in range(layers - 2)]
    cuts += [("off", "0+2+5", 3, True), ("off", "1+2+7", 3, True)]
    cuts += [("only-prefix-to-suffix", str(i), 1, False) for i in range(layers)]
    rows = [(name, *cut) for name in NAMES[:classes] for cut in cuts]
    table = pd.DataFrame(rows, columns=["class", "how", "layers", "width", "drawn"])
    share = np.random.default_rng(1).random(len(table))
    perplexities = dict.fromkeys(("suffix_perplexity", "sequence_perplexity"), 1 + 9 * share)
    for name, value in {"extractable": share, "matched": share, **perplexities}.items():
        table[name], table[f"{name}_low"], table[f"{name}_high"] = value, 0.9 * value, 1.1 * value
    return table.assign(sequences=40)[[*ABLATION]]


def agreement(classes):
    names = ["how", "class", "layers", "spearman", "low", "high"]
    rows = [("off", name, 8, -0.5, -0.9, 0.1) for name in NAMES[: classes - 1]]
    return pd.DataFrame([*rows, ("off", NAMES[classes - 1], 8, *[np.nan] * 3)], columns=names)


def delta(classes, layers=8):
    return np.tril(np.random.default_rng(2).random((classes, layers, 64, 64)) ** 4).astype("f4")


def every_figure(classes):
    data, names = frame(classes=classes), NAMES[:classes]
    labels = data["label"].to_numpy()
    matrix = confusion_matrix(labels, np.roll(labels, 1)) * 997
    return {
        "duplicates": memorized_by_duplicates(data),
        "flow": flow_figure(classes),
        "gallery": gallery_figure(classes),
        "tree": tree_figure(classes),
        "confusion": confusion_panels({"all": matrix, "last": np.eye(classes, dtype=int)}, names),
        "curves": learning_curves(history(), classes),
        "planting": class_by_planting(labels, names, data["planted"]),
        "rouge": rouge_distribution(data["rouge_l"].to_numpy(), labels > 0, 0.5, 64),
        # the widest page, or many rows
        "delta": delta_maps(delta(classes, 9 if classes == 2 else 3), names, PREFIX, NUMBERS),
        "profile": delta_profile(profile(classes), names),
        "ablation": ablation_curves(ablation(classes), names, PREFIX),
        "against": delta_against_ablation(
            profile(classes), ablation(classes), agreement(classes), names
        ),
    }


def write_localization(names):
    for folder in (paths.LOCALIZE, paths.ABLATE):
        folder.mkdir(parents=True, exist_ok=True)
    maps = delta(len(names))
    save_file({"delta": maps, "layers": np.arange(maps.shape[1])}, paths.DELTA)
    tables = {
        paths.DELTA_PROFILE: profile(len(names)),
        paths.ABLATION: ablation(len(names)),
        paths.AGREEMENT: agreement(len(names)),
    }
    for path, table in tables.items():
        table["class"] = table["class"].map(dict(zip(NAMES, names, strict=False)))
        table.to_csv(path, index=False)


def write_tables(planted):
    rng, n = np.random.default_rng(0), 300
    kinds = pa.array(rng.choice(["distinct", "background"], n) if planted else [None] * n, "string")
    ids = pa.array(np.arange(n) * 5)
    perplexity = pa.array(rng.random(n), pa.float32())
    names = ("prompt_perplexity", "generation_perplexity", "sequence_perplexity")
    flags = ("is_incrementing", "is_repeating", "is_code")
    tables = {
        "sequences/sequences": {
            "tokens": token_column(np.zeros((n, 64), np.int32)),
            "text": pa.array(["text"] * n),
            "sequence_duplicates": pa.array(rng.geometric(0.1, n)),
            "planted": kinds,
            "planted_copies": pa.array([1] * n, pa.int64()),
        },
        "score/score": {
            "memorization_score": pa.array(rng.choice([1.0, 0.5], n)),
            **dict.fromkeys(names, perplexity),
        },
        "features/features": {
            "rouge_3": pa.array(rng.integers(0, 31, n) / 30),
            "rouge_l": pa.array(rng.integers(0, 33, n) / 32),
            **{flag: pa.array(rng.random(n) < 0.1) for flag in flags},
        },
    }
    for name, columns in tables.items():
        write_table(Path(f"data/{name}.parquet"), pa.table({"sequence_id": ids, **columns}))


def write_confusion(classes):
    rows = [
        (actual, predicted, 3 if actual == predicted else 1, epoch)
        for epoch in ("all", "last")
        for actual in classes
        for predicted in classes
    ]
    table = pd.DataFrame(rows, columns=["actual", "predicted", "count", "epoch"])
    paths.CONFUSION.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(paths.CONFUSION, index=False)
    write_evaluation(above_chance=True)


def write_evaluation(above_chance):
    last_epoch = {"min_f1": 0.4, "min_f1_low": 0.32, "min_f1_high": 0.5}
    values = {"last_epoch": last_epoch, "above_chance": above_chance}
    write_json(paths.metrics_of("evaluate"), values)
