"""Published scores and templates of the paper's data set: taken over, rechecked, continued."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false, reportGeneralTypeIssues=false

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from guess_or_recall.attention import studied as attention
from guess_or_recall.attention.reading import read_pooled
from guess_or_recall.corpus.semantic_filters.files import find_files
from guess_or_recall.corpus.semantic_filters.union import first_of_ids, sorted_union
from guess_or_recall.errors import UserError
from guess_or_recall.io.files import content_hash
from guess_or_recall.io.schemas import PERPLEXITIES
from guess_or_recall.settings.params import parse_params
from guess_or_recall.stages import attention as attention_stage
from guess_or_recall.stages import features as features_stage
from guess_or_recall.stages import pool as pool_stage
from guess_or_recall.stages import score as score_stage
from guess_or_recall.stages import sequences as sequences_stage
from tests.data_set import PILE, metrics, put_model, read, settle


@pytest.fixture
def study(published_study):
    return published_study


def test_published_scores_are_taken_over_and_rechecked(study, capsys):
    sequences_stage.main()
    score_stage.main()
    known, scored = read("sequences"), read("score")
    assert scored["sequence_id"].tolist() == known["sequence_id"].tolist()
    for name in ("memorization_score", *PERPLEXITIES):
        assert scored[name].tolist() == known[f"published_{name}"].tolist()
    assert (np.stack(scored["continuation"].tolist()) == -1).all()
    said = metrics("score")
    assert (said["sequences"], said["memorized"]) == (85, 35)
    assert (said["rechecked"], said["reextracted_share"]) == (35, 1.0)
    assert "warning" not in capsys.readouterr().err


def test_another_model_than_the_published_one_is_warned_of(study, capsys):
    sequences_stage.main()
    put_model(seed=1)
    settle(score__recheck=20)
    score_stage.main()
    assert metrics("score")["rechecked"] == 20
    assert metrics("score")["reextracted_share"] < 0.95
    assert "% of 20 sequences published as memorized, under 95%" in capsys.readouterr().err


def test_the_model_may_score_all_of_it(study):
    settle(score__source="model")
    sequences_stage.main()
    score_stage.main()
    scored, known = read("score"), read("sequences")
    memorized = known["published_memorization_score"] == 1
    assert (scored["memorization_score"] == 1).tolist() == memorized.tolist()
    assert (np.stack(scored["continuation"].tolist()) >= 0).all()
    said = metrics("score")
    assert (said["published_agreement"], said["reextracted_share"]) == (1.0, 1.0)
    put_model(seed=1)
    score_stage.main()
    said = metrics("score")
    assert said["published_agreement"] == round(1 - 35 * (1 - said["reextracted_share"]) / 85, 4)
    assert said["reextracted_share"] < 0.95


def test_the_pool_is_continued_as_if_all_had_been(study):
    """Attention of published scores, their continuations missing, and of all decoded."""
    printed = []
    for source in ("published", "model"):
        settle(score__source=source)
        for stage in (sequences_stage, score_stage):
            stage.main()
        if source == "published":
            features_stage.main()
            pool_stage.main()  # one pool for both
        attention_stage.main()
        ids = pq.read_table("data/pool/pool.parquet")["sequence_id"].to_numpy()
        printed.append([read_pooled(Path("data/attention"), ids, way) for way in ("mean", "max")])
    scores = read("score").set_index("sequence_id").memorization_score[ids]
    assert (scores < 1).sum() >= 6
    np.testing.assert_array_equal(*printed)


def test_a_killed_attention_keeps_its_continuations(study, monkeypatch):
    for stage in (sequences_stage, score_stage, features_stage, pool_stage, attention_stage):
        stage.main()
    whole = content_hash(Path("data/attention"))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(attention_stage, "extract", killed)
        with pytest.raises(KeyboardInterrupt):
            attention_stage.main()
    monkeypatch.setattr(attention, "score", killed)
    attention_stage.main()
    assert content_hash(Path("data/attention")) == whole


def test_templates_published_or_computed(study):
    path = study / "data" / f"{PILE}-00000-of-00002.parquet"
    table = pq.read_table(path)
    wrong = pa.array([not value for value in table["is_repeating"].to_pylist()])
    place = table.column_names.index("is_repeating")
    pq.write_table(table.set_column(place, "is_repeating", wrong), path)
    sequences_stage.main()
    known = read("sequences")
    for templates_of in ("published", "computed"):
        settle(features__templates=templates_of)
        features_stage.main()
        features = read("features")
        same = features["is_repeating"] == known["published_is_repeating"]
        assert (~same).sum() == (0 if templates_of == "published" else 30)
        assert features["is_incrementing"].tolist() == known["published_is_incrementing"].tolist()
        said = metrics("features")
        assert said["templates"] == templates_of
        assert said["published_against_computed"] == {
            "compared": 85,
            "is_incrementing": 0.0,
            "is_repeating": round(30 / 85, 6),
        }
    assert features["sequence_id"].tolist() == known["sequence_id"].tolist()
    assert features["rouge_l"].between(0, 1).all()


def test_memory_does_not_grow_with_the_rows(study, tmp_path):
    """Parts hold `PART` rows each, and none stays on the disk."""
    files = find_files(study, "70m")
    lengths = [len(part) for part in sorted_union(files, first_of_ids(files), tmp_path)]
    assert lengths == [16, 16, 16, 16, 16, 5]
    assert not list(tmp_path.glob("*.arrow"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__source": "train"}, "model.source = 'train': .*no training stream"),
        (
            {"sequences__source": "files"},
            "score.source = 'published': sequences.source files .*set score.source to model",
        ),
        (
            {"sequences__source": "packages", "score__source": "model"},
            "features.templates = 'published': .*set features.templates to computed",
        ),
        ({"sequences__semantic_filters__model": "13b"}, "semantic_filters.model = '13b'.*'12b'"),
        ({"score__recheck": 0}, "score.recheck = 0"),
    ],
)
def test_settings_that_do_not_fit(study, changes, message):
    settle(**changes)
    with pytest.raises(UserError, match=message):
        parse_params(Path("params.yaml").read_text(), "params.yaml")
