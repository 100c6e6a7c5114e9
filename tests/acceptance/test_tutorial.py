"""README and tutorial: their commands run as they stand, on texts and a model of one's own."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import copy_of, must, stages
from tests.pages import ROOT, commands, read_page

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def clone(micro, tmp_path_factory):
    """The micro study as a user finds it after `make repro`."""
    folder = copy_of(micro, tmp_path_factory.mktemp("tutorial"))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def bash(folder: Path, script: str) -> str:
    """What the commands of a page say, in a shell that stops at the first one that fails.

    `gor` runs the code of the clone, as it does where `make setup` has installed it.
    """
    return must(folder, "bash", "-euc", script, PYTHONPATH=str(folder / "src"))


def test_the_commands_of_the_readme(clone):
    """An experiment runs `label` and what follows, and DVC then shows it beside the study."""
    [script] = commands("README.md", "Start")
    said = bash(clone, script)
    assert "sequence 39: " in said and "min_f1" in said and "metrics/label.json" in said
    names = stages()
    ran = [name for name in names if f"Running stage '{name}'" in said]
    assert ran == names[names.index("label") :]
    [experiment] = re.findall(r"Ran experiment\(s\): (\S+)", said)
    shown = must(clone, "dvc", "exp", "show", "--csv")
    assert experiment in shown and "min_f1" in shown
    must(clone, "dvc", "plots", "diff", "HEAD", experiment, "--out", "plots")
    sources = re.findall(r'src="([^"]+)"', (clone / "plots/index.html").read_text())
    scripts = [source for source in sources if "//" in source]  # as docs/sweeps.md says
    assert scripts and all(x.startswith("https://cdn.jsdelivr.net/npm/vega") for x in scripts)
    pictures = set(sources) - set(scripts)
    assert len(pictures) >= 12 and all((clone / "plots" / name).exists() for name in pictures)


def test_the_tutorial(clone):
    """The model of the micro study stands for a user's model, its memorized texts for a corpus."""
    texts = pd.read_parquet(clone / "data/sequences/sequences.parquet").set_index("sequence_id")
    scores = pd.read_parquet(clone / "data/score/score.parquet").set_index("sequence_id")
    is_memorized = scores["memorization_score"] == 1
    memorized, others = (texts["text"][rows].tolist() for rows in (is_memorized, ~is_memorized))
    shutil.copytree(clone / "data/model", clone / "my-model")
    (clone / "my-corpus/chapters").mkdir(parents=True)
    for number, text in enumerate([*memorized, *others[:40]]):
        (clone / f"my-corpus/chapters/{number}.txt").write_bytes(text.encode())
    (clone / "my-corpus/letter.txt").write_bytes(memorized[0].encode() * 2)

    [study] = commands("docs/tutorial.md", "2. Run the study")
    said = bash(clone, study)
    assert "Running stage 'sequences'" in said and "Ran experiment(s)" in said
    page = read_page(ROOT / "docs/tutorial.md")
    [listing] = [block.text for block in page.blocks if block.language == "python"]
    said = must(clone, "python", "-c", listing)
    assert "sequences are memorized" in said and ".txt" in said
    assert not said.startswith("0 of ")
    [command] = commands("docs/tutorial.md", "4. Look at one text")
    said = bash(clone, command)
    assert re.search(r"^sequence text-\w{12}: memorized", said, re.M)
    [further] = commands("docs/tutorial.md", "5. Ask further questions")
    said = bash(clone, further)
    assert "Running stage 'evaluate'" in said and "Running stage 'score'" not in said
    assert "source: files" in (clone / "params.yaml").read_text()
