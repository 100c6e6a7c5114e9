"""One sequence under the current model and CNNs: `python src/run.py sequence TEXT|ID`.

Says whether the model recites it, its features and its way through the taxonomy, what the CNNs take
it for, and which tokens they look at; draws its attention with its own Δ over it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from jaxtyping import Float, Int
from rich.console import Console
from rich.table import Table
from rich.text import Text

from guess_or_recall.attention.pooling import pooled_attention
from guess_or_recall.attention.store import POOLINGS
from guess_or_recall.attention.studied import studied_tokens
from guess_or_recall.attention.triangle import unpack
from guess_or_recall.classifier.cnn import Cnn
from guess_or_recall.classifier.saved import load_cnns
from guess_or_recall.corpus.duplicates import count_duplicates
from guess_or_recall.corpus.tokenizer import load_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.features.columns import code_detector, compute_features
from guess_or_recall.io.files import output_folder
from guess_or_recall.io.tables import read_table, token_column, token_matrix
from guess_or_recall.localization.delta import Pooled, deltas, square
from guess_or_recall.model.load import load_model, model_folder
from guess_or_recall.model.scoring import score
from guess_or_recall.report.sequence import sequence_figure, shown
from guess_or_recall.report.style import save
from guess_or_recall.report.tree import condition_text
from guess_or_recall.settings.params import Params, read_params
from guess_or_recall.taxonomy.trees import TaxonomyTree, classify, tree

DATA = Path("data")
LENGTH, PREFIX = 64, 32
SEQUENCES = pa.schema(
    {
        "sequence_id": pa.int64(),
        "tokens": pa.list_(pa.int32(), LENGTH),
        "sequence_duplicates": pa.int64(),
    }
)
FEATURES = (
    "sequence_duplicates",
    "rouge_l",
    "rouge_3",
    "is_incrementing",
    "is_repeating",
    "is_code",
)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py sequence", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("what", metavar="TEXT|ID", help="text of 64 tokens or more, or a sequence_id")
    made.add_argument("--layer", type=int, help="drawn large (default: where its Δ is highest)")
    made.add_argument("--out", type=output_folder, default=Path("results"), help="default: results")
    return made


def main(*arguments: str) -> None:
    """Print what is found, and draw the figure.

    Raises:
        UserError: there is no such sequence or layer, or the text is too short.
    """
    given, params = parser().parse_args(arguments), read_params()
    tokenizer = load_tokenizer(tokenizer_folder())
    name, tokens, duplicates = find(given.what, tokenizer)
    model = load_model(DATA / "model")
    require_layer(given.layer, model.config.get_text_config().num_hidden_layers)
    scores = score(model, tokens, params.sequences.prefix, 1, 1)
    current = tree(params.taxonomy, params.taxonomies)
    frame = features_of(tokenizer, tokens, duplicates, scores.memorization_score, params)
    label = int(classify(frame, current, **params.thresholds())[0])
    cnns = load_current(current, torch.device(model.device))
    studied = studied_tokens(tokens, scores.continuation, scores.memorization_score)
    both = pooled_attention(model, torch.from_numpy(studied.astype(np.int64))).cpu().numpy()
    pooled: Pooled = dict(zip(POOLINGS, both, strict=True))
    found = deltas(cnns, pooled, np.array([label], np.int8), quiet=True)
    words = [str(tokenizer.decode([token])) for token in studied[0].tolist()]
    console = Console(file=sys.stdout, highlight=False)
    describe(console, name, frame, current, label, params)
    console.print(chances(cnns, pooled, list(current.classes)))
    console.print(looked_at(words, found.maps[label]))
    layer = int(found.profiles.mean((0, 1)).argmax()) if given.layer is None else given.layer
    mean = unpack(torch.from_numpy(pooled["mean"][0]).float()).numpy()
    title = f"{name}: {current.classes[label]}"
    figure = sequence_figure(mean, found.maps[label], words, params.sequences.prefix, layer, title)
    save(figure, given.out, f"sequence_{name}")
    console.print(f"{given.out}/sequence_{name}.png and .pdf")


def tokenizer_folder() -> Path:
    """The tokenizer of the corpus; the model's own where the sequences came as tokens."""
    folder = DATA / "sequences" / "tokenizer"
    return folder if folder.exists() else model_folder(DATA / "model")


def require_layer(layer: int | None, layers: int) -> None:
    """Raise UserError where the model has no such layer."""
    if layer is not None and not 0 <= layer < layers:
        raise UserError(f"--layer {layer}: the model has the layers 0 to {layers - 1}")


def load_current(current: TaxonomyTree, device: torch.device) -> list[Cnn]:
    """The CNNs; UserError where they were trained for another taxonomy."""
    cnns, classes = load_cnns(DATA / "train", device)
    if classes != list(current.classes):
        raise UserError(
            f"data/train has the classes {', '.join(classes)}, the current taxonomy "
            f"{', '.join(current.classes)}: dvc repro"
        )
    return cnns


def find(what: str, tokenizer) -> tuple[str, Int[np.ndarray, "1 64"], int | None]:
    """A sequence of the corpus by its id, or the first 64 tokens of a text.

    Returns:
        A name, the tokens, and the duplicates of the suffix (None: there is no stream to count in).

    Raises:
        UserError: no sequence has this id, or the text is too short.
    """
    table = read_table(DATA / "sequences" / "sequences.parquet", SEQUENCES)
    known, counted = (table[name].to_numpy() for name in ("sequence_id", "sequence_duplicates"))
    if what.isdecimal():
        row = np.flatnonzero(known == int(what))
        if not len(row):
            raise UserError(
                f"no sequence has the id {what}: the {len(known)} studied have ids such as "
                f"{', '.join(map(str, known[:3]))} (data/sequences/sequences.parquet)"
            )
        tokens = token_matrix(table["tokens"])[row]
        return what, tokens, int(counted[row[0]])
    ids = tokenizer(what, add_special_tokens=False)["input_ids"]
    if len(ids) < LENGTH:
        raise UserError(
            f"the text has {len(ids)} tokens, {LENGTH} are needed: a prefix of 32 and a suffix of "
            "32 (give more of it, or a sequence_id)"
        )
    if len(ids) > LENGTH:
        print(f"note: the first {LENGTH} of {len(ids)} tokens are taken", file=sys.stderr)
    tokens = np.array([ids[:LENGTH]], np.int32)
    return "text", tokens, count_in_stream(tokens)


def count_in_stream(tokens: Int[np.ndarray, "1 64"]) -> int | None:
    """Occurrences of a suffix in the training stream; None where there is no stream."""
    path = DATA / "sequences" / "stream.parquet"
    if not path.exists():
        return None
    stream = token_matrix(pq.read_table(path)["tokens"])
    ends = LENGTH * np.arange(1, len(stream) + 1)
    return int(count_duplicates(stream.ravel(), ends, tokens[:, PREFIX:])[0])


def features_of(
    tokenizer,
    tokens: Int[np.ndarray, "1 64"],
    duplicates: int | None,
    memorization_score: Float[np.ndarray, " 1"],
    params: Params,
) -> pd.DataFrame:
    """The features of one sequence, as expressions of a taxonomy know them."""
    if duplicates is None:
        print("note: no training stream is here: its duplicates count as 1", file=sys.stderr)
    columns = {
        "sequence_id": pa.array([0], pa.int64()),
        "tokens": token_column(tokens),
        "text": pa.array([tokenizer.decode(tokens[0].tolist())]),
    }
    detect, _ = code_detector(params.features)
    made = compute_features(pa.table(columns), detect).to_pandas()
    return made.assign(
        sequence_duplicates=max(duplicates or 1, 1), memorization_score=memorization_score
    )


def describe(
    console: Console,
    name: str,
    frame: pd.DataFrame,
    current: TaxonomyTree,
    label: int,
    params: Params,
) -> None:
    """Print the score, the features, and the way through the taxonomy."""
    row = frame.iloc[0]
    reached = float(row["memorization_score"])
    recited = "memorized (32-extractable)" if reached == 1 else "not memorized"
    console.print(f"sequence {name}: {recited}, memorization score {reached:.2f}", style="bold")
    values = [f"{each} {said(row[each])}" for each in FEATURES]
    console.print("  ".join(values))
    bound = params.thresholds()
    steps = ["memorization_score < 1", *(text for _, text in current.nodes)]
    for index, (text, outcome) in enumerate(zip(steps, current.classes, strict=False)):
        hit = index == label
        console.print(f"  {condition_text(text, bound)}?  {'yes → ' + outcome if hit else 'no'}")
        if hit:
            return
    console.print(f"  none → {current.classes[label]}")


def said(value: object) -> str:
    """A feature in a few characters."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.3g}"


@torch.inference_mode()
def chances(cnns: list[Cnn], pooled: Pooled, classes: list[str]) -> Table:
    """Probability of each class by each CNN, and their mean."""
    device = cnns[0].conv1.weight.device
    table = Table("CNN", *classes, title="probability of each class, by the CNNs")
    rows = []
    for cnn in cnns:
        patterns = square(pooled[cnn.architecture.pooling], device)
        rows.append(cnn(patterns).softmax(-1)[0].cpu().numpy())
        table.add_row(cnn.architecture.name, *(f"{value:.2f}" for value in rows[-1]))
    table.add_section()
    table.add_row("mean", *(f"{value:.2f}" for value in np.mean(rows, 0)), style="bold")
    return table


def looked_at(words: list[str], delta: Float[np.ndarray, "layers query key"]) -> Text:
    """The tokens, brighter the more Δ falls on them as keys; a bar parts prefix and suffix."""
    weight = delta.sum((0, 1))
    shares = weight / (weight.max() or 1)
    text = Text("tokens as the CNNs attend to them (keys, darker: more Δ):\n")
    for index, (word, share) in enumerate(zip(words, shares, strict=True)):
        if index == PREFIX:
            text.append(" ‖ ", style="bold blue")
        other = int(255 * (1 - share))
        text.append(shown(word), style=f"black on rgb(255,{max(other, 110)},{other})")
        text.append(" ")
    return text
