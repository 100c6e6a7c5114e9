"""Verdicts say of numbers what the tables say; what is drawn aside does not stand in git."""

# pandas' stubs take a selected table or column for any of several types
# pyright: reportArgumentType=false, reportCallIssue=false

import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from guess_or_recall.report.rows import rows, with_published
from guess_or_recall.report.verdict import against_chance, best_of, over_seeds, verdict
from tests.conftest import ROOT
from tests.unit.test_results import PUBLISHED, result

VERDICTS = sorted((ROOT / "results").glob("*/*_verdict.md"))
BEST = re.compile(
    r"Best with (\d+) classes: ([^,]+), min F1 ([\d.]+) \(([^)]+) chance\)"
    r"; second (\S+), ([\d.]+)"
)


@pytest.mark.parametrize(
    ("min_f1", "classes", "said"),
    [(78.9, 3, "45.6 points above"), (20.0, 4, "5.0 points below"), (25.0, 4, "0.0 points above")],
)
def test_points_above_chance_are_the_difference(min_f1, classes, said):
    assert against_chance(min_f1, classes) == f"{said} chance"


@pytest.mark.parametrize("path", VERDICTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_verdict_says_what_its_table_says(path: Path):
    table = pd.read_csv(path.with_name(path.name.replace("_verdict.md", ".csv")))
    lines = BEST.findall(path.read_text())
    assert len(lines) == table["classes"].nunique()
    for classes, first, f1, distance, second, second_f1 in lines:
        alike = table[table["classes"] == int(classes)].sort_values("min_f1", ascending=False)
        assert [first, second] == alike["variant"].head(2).tolist()
        assert [f1, second_f1] == [f"{value:.1f}" for value in alike["min_f1"].head(2)]
        assert f"{distance} chance" == against_chance(alike["min_f1"].iloc[0], int(classes))


@pytest.mark.parametrize("path", VERDICTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_shipped_verdict_counts_what_is_not_above_chance(path: Path):
    table = pd.read_csv(path.with_name(path.name.replace("_verdict.md", ".csv")))
    count = sum(table["min_f1_low"] * table["classes"] <= 100)
    counted = re.findall(r"- (\d+) of (\d+) are not above chance", path.read_text())
    assert counted == ([(str(count), str(len(table)))] if count else [])


def test_variants_at_chance_are_counted():
    """Three classes of 10, all predicted as they are, or all as the first."""
    right, wrong = np.diag([10, 10, 10]), np.array([[10, 0, 0]] * 3)
    results = [result("guess", right), result("code", wrong)]
    for member, low in zip(results, (0.9, 0.0), strict=True):
        member.evaluate["min_f1_low"] = low
    said = verdict(with_published(rows(results), PUBLISHED), results, [])
    assert said[-1].startswith("- 1 of 2 are not above chance: the interval of their minimum F1")


def test_the_best_variant_is_said_in_points_above_chance():
    table = pd.DataFrame({"variant": ["guess-rho0.5"], "min_f1": [78.9], "normalised_f1": [68.3]})
    said = best_of(table, [], 3)
    assert said == "Best with 3 classes: guess-rho0.5, min F1 78.9 (45.6 points above chance)."


@pytest.mark.parametrize(
    ("seeds", "said"), [([42], "one training each"), ([42, 43], "fewer than two seeds in common")]
)
def test_trainings_that_are_not_compared_are_counted_rightly(seeds, said):
    results = [result("guess", seed=seed) for seed in seeds] + [result("code", seed=42)]
    variants = [member.setting.variant for member in (results[0], results[-1])]
    assert over_seeds(*variants, results) == f"; {said}, so not over trainings"


def ignored(*paths: str) -> set[str]:
    command = ["git", "check-ignore", "--no-index", *paths]
    return {*subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()}


def test_figures_of_single_sequences_and_plots_of_dvc_are_not_for_git():
    files = {
        f"results/sequence_{name}.{kind}"
        for name in ("39", "39_layer3", "text-0123456789ab", "text-0123456789ab_layer0")
        for kind in ("png", "pdf")
    } | {"dvc_plots/index.html", "dvc_plots/static/a.png"}
    kept = {"results/rho.md", "results/sequence_lengths_min_f1.png", "results/sequences.csv"}
    kept |= {"figures/confusion.png", "corpus/dvc_plots/a.txt", "results/cpu/sequence_1.png"}
    assert ignored(*files, *kept) == files
