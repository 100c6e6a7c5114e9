"""What a reader must know is made of the files, so that it can be said again at any time."""

import pytest

from guess_or_recall import remarks
from guess_or_recall.commands import notes
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io import paths
from guess_or_recall.io.files import write_json
from guess_or_recall.stages import label as label_stage
from guess_or_recall.stages import pool as pool_stage
from tests.made_study import write_evaluation, write_params

POINTER = {
    "source": "path",
    "path": "net",
    "attention_layers": [1, 3],
    "layers": 4,
    "vocabulary": 60,
    "bos": [2],
    "end_of_text_ignored": [99],
    "unused_weights": 7,
}


def noted(capsys):
    notes.main()
    return capsys.readouterr().out.splitlines()


def test_the_stages_lines_are_said_again(study, capsys):
    """Of a study with too few sequences of everything, as the stages say them when they run."""
    write_params(train=500)
    say_once.cache_clear()
    pool_stage.main()
    label_stage.main()
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    [left_out, short] = said
    assert left_out.startswith("warning: pool: guess rho_3=0.5 left out: class 'guess' is empty (")
    assert short.startswith("warning: label: the smallest class has too few sequences: ")
    assert short.endswith(" of each class, not 500 + 5")
    assert noted(capsys) == noted(capsys) == said
    write_evaluation(above_chance=False)
    assert noted(capsys) == [*said, "warning: evaluate: the CNNs are not above chance"]


def test_models_and_attention(study, capsys):
    write_json(paths.MODEL_POINTER, POINTER)
    write_json(paths.COVERAGE, {"statement": ["9 files are read", "5 windows are studied"]})
    sums = {"sequences": 6, "computed_wider": 2, "least_row_sum": 0.5}
    write_json(paths.metrics_of("attention"), sums)
    write_json(paths.metrics_of("score"), {"reextracted_share": 0.5, "rechecked": 20})
    lines = "\n".join(noted(capsys))
    for part in (
        "9 files are read\n5 windows are studied\n",
        "note: model.path: 'net' sees its BOS token (2)",
        "note: model.path: 'net' has attention in 2 of its 4 layers (1, 3)",
        "note: eos_token_id 99 of config.json is outside the vocabulary (0 to 59)",
        "note: model.path: 'net' has 7 weights that the model of its config.json does not use",
        "warning: score: the model extracts 50.0% of 20 sequences",
        "note: 2 of 6 sequences: attention computed in a wider type",
        "note: rows of the stored attention add up to 0.5 at the least: the rest goes to the BOS",
    ):
        assert part in lines


def test_a_study_without_oddities_has_no_remarks():
    whole = {"attention_layers": [0, 1], "layers": 2, "vocabulary": 60}
    assert [*remarks.of_model("net", whole), *remarks.of_bos("net", [])] == []
    assert list(remarks.of_score({"reextracted_share": 0.95, "rechecked": 20})) == []
    assert list(remarks.of_score({"reextracted_share": None, "rechecked": 0})) == []
    rows = {"sequences": 6, "computed_wider": 0, "least_row_sum": 0.995}
    assert list(remarks.of_attention(rows, 0.01)) == []


def test_nothing_was_run(workspace, capsys):
    with pytest.raises(UserError, match="nothing was run here: `make repro`"):
        notes.main()
    assert "(metrics/label.json is not here: no notes on it)" in capsys.readouterr().err
