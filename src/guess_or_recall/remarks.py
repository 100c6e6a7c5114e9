"""What a reader must know of a study, in lines made of what its files record.

A stage prints its lines when it runs; one that DVC takes from its cache prints nothing, so that
`gor notes` makes the same lines again of the same files.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

LEAST_SHARE = 0.95  # of the published memorized sequences, that the model should extract
NO_PLACE = "weights that the model of its config.json does not use"


def of_sequences(coverage: Mapping[str, Any]) -> Iterator[str]:
    """What of the corpus is studied, by data/sequences/coverage.json."""
    yield from coverage["statement"]


def name_of(pointer: Mapping[str, Any]) -> str:
    """How messages call the model of data/model/model.json."""
    is_hub = pointer.get("source") == "hub"
    return f"model.hub: '{pointer['name']}'" if is_hub else f"model.path: '{pointer['path']}'"


def of_model(named: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """What is unusual about a model, by data/model/model.json or a part of it."""
    numbers, layers = facts["attention_layers"], facts["layers"]
    if len(numbers) < layers:
        yield (
            f"note: {named} has attention in {len(numbers)} of its {layers} layers "
            f"({', '.join(map(str, numbers))}): nothing is stored, localized or cut in the "
            f"{layers - len(numbers)} others"
        )
    if outside := facts.get("end_of_text_ignored"):
        yield (
            f"note: eos_token_id {', '.join(map(str, outside))} of config.json is outside the "
            f"vocabulary (0 to {facts['vocabulary'] - 1}): no token is kept from ending a text for "
            "it"
        )
    if unused := facts.get("unused_weights"):
        yield f"note: {named} has {unused} {NO_PLACE}: does config.json belong to them?"


def of_bos(named: str, tokens: Sequence[int]) -> Iterator[str]:
    """Whether a model sees a BOS token, by `bos` of data/model/model.json."""
    if tokens:
        yield (
            f"note: {named} sees its BOS token ({', '.join(map(str, tokens))}) in front of every "
            "sequence (model.bos); its attention is not stored"
        )


def of_score(report: Mapping[str, Any]) -> Iterator[str]:
    """Whether published scores describe the model, by metrics/score.json.

    They may be of another run of its training.
    """
    share = report.get("reextracted_share")
    if share is not None and share < LEAST_SHARE:
        taken_over = "rechecked" in report  # else the model's own scores are used
        yield (
            f"warning: score: the model extracts {share:.1%} of "
            f"{report['rechecked'] if taken_over else 'the'} sequences "
            f"published as memorized, under {LEAST_SHARE:.0%}: check model.path against "
            "sequences.semantic_filters.model"
            + (", or set score.source to model" if taken_over else "")
        )


def of_pool(variants: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The declared variants that cannot be filled, by data/pool/variants.csv."""
    for row in variants:
        if row["shortage"] == "left out":
            yield f"warning: pool: {row['variant']} left out: {row['reason']}"


def of_attention(provenance: Mapping[str, Any], tolerance: float) -> Iterator[str]:
    """Where attention needed a wider type, or its rows are not whole, by provenance.json."""
    if wider := provenance["computed_wider"]:
        yield (
            f"note: {wider} of {provenance['sequences']} sequences: attention computed in a wider "
            "type than the model's, in which it was not finite or leaked past the mask"
        )
    if (least := provenance["least_row_sum"]) < 1 - tolerance:
        yield (
            f"note: rows of the stored attention add up to {least} at the least: the rest goes to "
            + ("the BOS token in front" if provenance.get("bos") else "attention sinks")
        )


def of_label(counts: Mapping[str, Any], train: int, evaluation: int) -> Iterator[str]:
    """Whether the sample is smaller than params.yaml asks for, by metrics/label.json."""
    if counts["shortage"]:
        sampled = next(iter(counts["sampled"].values()))
        yield (
            f"warning: label: the smallest class has too few sequences: {sampled['train']} train + "
            f"{sampled['eval']} eval of each class, not {train} + {evaluation}"
        )


def of_evaluation(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Whether the CNNs have learned anything, by metrics/evaluate.json."""
    if not metrics["above_chance"]:
        yield "warning: evaluate: the CNNs are not above chance"
