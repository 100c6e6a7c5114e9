"""Describe one sequence, and where the CNNs look in it.

`gor sequence 1234` takes a sequence of the corpus, `gor sequence "some text"` the first tokens of a
text. Says whether the model memorizes it and, if not, where its continuation leaves the text; its
features, its way through the taxonomy, which class the CNNs take it for and which tokens they look
at. Draws its attention in grey and, over it, the Δ of its class, unless metrics/evaluate.json says
that the CNNs are not above chance.
"""

from typing import Annotated

import typer

from guess_or_recall.audit.describe import (
    chances_table,
    features,
    looked_at,
    memorization,
    way_through,
)
from guess_or_recall.audit.examine import Examination, examine
from guess_or_recall.audit.lookup import look_up, tokenizer_folder
from guess_or_recall.audit.parting import suffixes
from guess_or_recall.commands._console import plain_console
from guess_or_recall.commands._options import Out
from guess_or_recall.corpus.tokenizer import load_tokenizer
from guess_or_recall.errors import UserError
from guess_or_recall.io.paths import MODEL, RESULTS
from guess_or_recall.model.layers import numbered_modules
from guess_or_recall.model.load import load_model
from guess_or_recall.report.notice import notice_of
from guess_or_recall.report.sequence import Words, sequence_figure
from guess_or_recall.report.style import save
from guess_or_recall.settings.params import Params, read_params


def main(
    sequence: Annotated[
        str, typer.Argument(metavar="TEXT|ID", help="A text, or the sequence_id of a sequence.")
    ],
    layer: Annotated[
        int | None,
        typer.Option(help="Drawn large; without it, that of the highest Δ (the first without Δ)."),
    ] = None,
    out: Out = RESULTS,
) -> None:
    """Describe a sequence, and draw its figure.

    Raises:
        UserError: there is no such sequence or layer, or the text is too short.
    """
    params = read_params()
    tokenizer = load_tokenizer(tokenizer_folder())
    subject = look_up(sequence, tokenizer, params.sequences, params.sequences.special_tokens)
    model = load_model(MODEL)
    layers = list(numbered_modules(model))
    require_layer(layer, layers)
    examination = examine(subject, model, tokenizer, params)
    notice = notice_of(examination.tree.classes)
    describe(subject.name, examination, params, notice)
    delta = None if notice else examination.delta
    parting = examination.parting
    words = Words(examination.words, params.sequences.prefix, parting.place, parting.rest)
    drawn = layer
    if drawn is None:
        drawn = layers[0 if delta is None else int(delta.mean((1, 2)).argmax())]
    title = f"{subject.name}: {examination.tree.classes[examination.label]}"
    figure = sequence_figure(examination.attention, delta, words, drawn, title, layers)
    name = f"sequence_{subject.name}" + ("" if layer is None else f"_layer{layer}")
    save(figure, out, name)
    print(f"{out}/{name}.png and .pdf")


def require_layer(layer: int | None, layers: list[int]) -> None:
    """Raise UserError where the model has no such layer, or one without attention."""
    if layer is not None and layer not in layers:
        numbers = ", ".join(map(str, layers))
        raise UserError(f"--layer {layer}: the model has attention in the layers {numbers}")


def describe(name: str, examination: Examination, params: Params, notice: str | None) -> None:
    """Print all that is to be said; a notice stands in the place of what Δ would tell."""
    console, prefix = plain_console(), params.sequences.prefix
    console.print(f"sequence {name}: {memorization(examination, prefix)}", style="bold")
    for line in suffixes(examination.parting, prefix):
        console.print(line, soft_wrap=True)  # as long as the text is
    console.print(features(examination))
    for step in way_through(examination, params.thresholds()):
        console.print(f"  {step}")
    console.print(chances_table(examination.chances, examination.tree.classes))
    console.print(notice or looked_at(examination.words, examination.delta, prefix))
