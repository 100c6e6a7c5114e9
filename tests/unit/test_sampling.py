"""Coordinated sampling: exact sizes, uniform draws, the greatest overlap, no order effects."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guess_or_recall.errors import UserError
from guess_or_recall.settings.taxonomy import Samples
from guess_or_recall.taxonomy.drawing import draw, orders, quota
from guess_or_recall.taxonomy.sampling import count, mix, priorities, sample

NAMES = ("non-memorized", "guess", "recall")
# 99.9% quantile of chi-square with 59 degrees of freedom (tables); the draws are fixed by the seeds
CHI_SQUARE_59 = 98.3


def drawn(classes, ids, seed=42, train=40, eval=20, shortage: Literal["balance", "stop"] = "stop"):
    return draw(classes, NAMES, orders(ids, seed), asked(train, eval, shortage))


def asked(train, eval, shortage: Literal["balance", "stop"] = "stop"):
    return Samples(train=train, eval=eval, shortage=shortage)


def three_classes(rows=900, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.choice(10**8, rows, replace=False)
    return rng.integers(0, 3, rows).astype(np.int8), ids


def test_mix_is_splitmix64():
    """First outputs of splitmix64 from state 0, as published with xoshiro."""
    steps = np.arange(1, 4, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(word) for word in mix(steps)] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_a_priority_depends_on_the_id_and_the_seed_alone():
    alone = priorities(np.array([7]), 42)
    among = priorities(np.array([3, 9, 7, -1]), 42)
    assert among[2] == alone[0]
    assert priorities(np.array([7]), 43)[0] != alone[0]
    assert priorities(np.array([7]), 42, stream=1)[0] != alone[0]
    assert len(np.unique(priorities(np.arange(100_000), 0))) == 100_000


def test_priorities_of_neighbouring_ids_seeds_and_streams_are_unrelated():
    ids = np.arange(20_000)
    base = priorities(ids, 1)
    others = [base[1:], priorities(ids, 2), priorities(ids, 1, stream=1)]
    for competitor in others:
        shared = base[: len(competitor)].astype(float), competitor.astype(float)
        assert abs(np.corrcoef(*shared)[0, 1]) < 4 / np.sqrt(
            len(competitor)
        )  # four standard errors


def test_sample_takes_the_lowest_of_each_class():
    order = np.array([5, 1, 4, 2, 3, 0], np.uint64)
    classes = np.array([0, 0, 0, 1, 1, 2])
    assert sample(classes, order, 2).tolist() == [1, 2, 3, 4, 5]
    assert sample(classes, order, 1).tolist() == [1, 4 - 1, 5]
    assert sample(classes[:0], order[:0], 3).tolist() == []


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 60))
def test_sizes_and_balance_are_exact(seed, train, eval):
    classes, ids = three_classes()
    got = drawn(classes, ids, seed, train, eval)
    assert (got.train, got.eval, got.balanced) == (train, eval, False)
    assert np.all(np.diff(got.rows) > 0)
    for label in range(3):
        here = classes[got.rows] == label
        assert (here & got.is_train).sum() == train
        assert (here & ~got.is_train).sum() == eval


@given(st.permutations(range(60)))
def test_the_order_of_the_rows_does_not_matter(order):
    classes, ids = np.arange(60) % 3, np.arange(60) * 17
    got, shuffled = (drawn(classes[o], ids[o], 1, 6, 3) for o in (np.arange(60), np.array(order)))
    assert set(ids[got.rows]) == set(ids[order][shuffled.rows])
    assert set(ids[got.rows[got.is_train]]) == set(ids[order][shuffled.rows[shuffled.is_train]])


def test_every_sequence_is_drawn_equally_often():
    """60 of one class, 12 drawn (8 train), over 3,000 seeds: 600 and 400 times each."""
    ids = np.arange(60) * 5 + 1
    classes = np.zeros(60, np.int8)
    taken, training = np.zeros(60), np.zeros(60)
    for seed in range(3000):
        got = draw(classes, ("one",), orders(ids, seed), asked(8, 4))
        taken[got.rows] += 1
        training[got.rows[got.is_train]] += 1
    for counts, share in ((taken, 12 / 60), (training, 8 / 60)):
        expected = 3000 * share
        # without replacement, the variance of a count is expected * (1 - share)
        chi_square = ((counts - expected) ** 2).sum() / (expected * (1 - share)) * 59 / 60
        assert 30 < chi_square < CHI_SQUARE_59


def test_overlapping_classes_share_as_much_as_they_can():
    """What a wide class draws from inside a narrow one, the narrow one draws too."""
    rng = np.random.default_rng(1)
    ids = np.arange(5000)
    order = priorities(ids, 42)
    for _ in range(20):
        wide = rng.random(5000) < 0.6
        narrow = wide & (rng.random(5000) < rng.random())
        from_wide = set(sample(np.where(wide, 0, 1), order, 300)) & set(np.flatnonzero(wide))
        from_narrow = set(sample(np.where(narrow, 0, 1), order, 300)) & set(np.flatnonzero(narrow))
        assert from_wide & set(np.flatnonzero(narrow)) <= from_narrow


@pytest.mark.parametrize("ranges", [((0.0, 0.5), (0.1, 0.6)), ((0.0, 0.3), (0.0, 0.9))])
def test_parts_agree_between_variants(ranges):
    """Two overlapping classes, of one size or of two: nearly all that both draw keep their part."""
    member = np.random.default_rng(2).random(20_000)
    parts = []
    for low, high in ranges:
        classes = ((member >= low) & (member < high)).astype(np.int8)
        got = draw(classes, ("out", "in"), orders(np.arange(20_000), 42), asked(1000, 500))
        inside = classes[got.rows] == 1
        parts.append(dict(zip(got.rows[inside], got.is_train[inside], strict=True)))
    shared = parts[0].keys() & parts[1].keys()
    assert len(shared) > 450  # a third of 1,500, as far as chance allows; independent draws: 125
    assert np.mean([parts[0][row] == parts[1][row] for row in shared]) > 0.95  # by chance: 0.56


def test_count_names_every_class():
    assert count(np.array([0, 2, 2]), NAMES) == {"non-memorized": 1, "guess": 0, "recall": 2}


@pytest.mark.parametrize(
    ("smallest", "expected"), [(60, (40, 20)), (59, (39, 20)), (30, (20, 10)), (10, (7, 3))]
)
def test_balance_keeps_the_ratio(smallest, expected):
    counts = {"a": 1000, "b": smallest, "c": 70}
    assert quota(counts, asked(40, 20, "balance")) == expected


@given(st.integers(10, 500), st.integers(1, 400), st.integers(1, 400))
def test_balance_uses_the_whole_smallest_class_and_leaves_no_part_empty(smallest, train, eval):
    got_train, got_eval = quota({"a": 10**6, "b": smallest}, asked(train, eval, "balance"))
    assert got_train + got_eval == min(smallest, train + eval)
    assert got_train >= 1
    assert got_eval >= 1


def test_a_balanced_draw_shrinks_every_class():
    classes, ids = three_classes()
    classes[np.flatnonzero(classes == 2)[30:]] = 1
    got = drawn(classes, ids, train=40, eval=20, shortage="balance")
    assert (got.train, got.eval, got.balanced) == (20, 10, True)
    assert np.bincount(classes[got.rows]).tolist() == [30, 30, 30]
    assert np.bincount(classes[got.rows[got.is_train]]).tolist() == [20, 20, 20]


@pytest.mark.parametrize(
    ("smallest", "shortage", "said"),
    [
        (0, "balance", r"class 'b' is empty \(there are: a 1000, b 0\): take another taxonomy"),
        (0, "stop", "class 'b' is empty"),
        (9, "balance", r"class 'b' has only 9 sequences \(there are: a 1000, b 9\)"),
        (59, "stop", "'b' has 59 of the 60 sequences that samples.train .* a 1000, b 59.*balance"),
    ],
)
def test_shortage_is_told_with_counts_and_a_way_out(smallest, shortage, said):
    with pytest.raises(UserError, match=said):
        quota({"a": 1000, "b": smallest}, asked(40, 20, shortage))


def test_the_training_part_has_a_priority_of_its_own():
    sample_order, part_order = orders(np.arange(1000), 42)
    assert not np.any(sample_order == part_order)
