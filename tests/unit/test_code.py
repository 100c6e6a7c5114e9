"""The code detector on snippets of known kind."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest

from guess_or_recall.features.code_magika import has_code_label, magika_detector
from guess_or_recall.features.detectors import DETECTORS
from guess_or_recall.settings.features import Features
from guess_or_recall.settings.params import read_params
from tests.conftest import ROOT

PYTHON = """    def _eval_subs(self, old, new):
        if not old.is_Add:
            if old is S.Infinity and -old in self.args:
                return self.xreplace({-old: -new})
            return None
"""
C = """for (int i = 0; i < n; i++) {
    total += values[i];
    if (total > limit) break;
}
return total;
"""
JAVASCRIPT = """const items = await fetch(url).then((r) => r.json());
export default function App() { return null; }
"""
NOVEL = (
    "It was a bright cold day in April, and the clocks were striking thirteen. Nobody looked up."
)
LICENCE = """Redistributions in binary form must reproduce the above copyright notice, this list of
conditions and the following disclaimer in the documentation and/or other materials provided."""
MANUAL = """The degree of a node is the number of edges that are adjacent to it. A graph in which
every node has the same degree is called regular, and its spectrum is easy to compute."""
CODE, PROSE = [PYTHON, C, JAVASCRIPT], [NOVEL, LICENCE, MANUAL]


@pytest.fixture(scope="module")
def magika():
    return magika_detector()


@pytest.fixture
def is_code(magika):
    return magika.is_code


def test_params_name_just_the_detectors_of_the_table():
    assert get_args(Features.model_fields["is_code"].annotation) == tuple(DETECTORS)


def test_without_a_detector_nothing_is_code():
    settings = read_params(ROOT / "params.yaml").features.model_copy(update={"is_code": "off"})
    detector = DETECTORS[settings.is_code](settings)
    assert detector.is_code([*CODE, *PROSE]).tolist() == [False] * 6
    assert detector.description is None


def test_code_and_prose(is_code):
    answers = is_code([*CODE, *PROSE])
    assert answers.tolist() == [True] * len(CODE) + [False] * len(PROSE)
    assert answers.dtype == np.bool_


def test_latex_preamble_is_code_whatever_the_detector_says(is_code):
    with_preamble = f"{NOVEL} \\usepackage{{amsmath}} {NOVEL}"
    without = f"{NOVEL} \\usepackage amsmath {NOVEL}"
    assert not has_code_label(with_preamble, is_code.keywords["model"])
    assert is_code([with_preamble, without]).tolist() == [True, False]


@pytest.mark.parametrize("text", ["", " ", "\n" * 64, "x", "\ufffd" * 20, "é" * 3])
def test_empty_blank_and_broken_texts_are_not_code(is_code, text):
    assert is_code([text]).tolist() == [False]


def test_no_texts(is_code):
    assert is_code([]).shape == (0,) and is_code([]).dtype == np.bool_


def test_answers_do_not_depend_on_order(is_code):
    texts = [*CODE, *PROSE]
    np.testing.assert_array_equal(is_code(texts[::-1])[::-1], is_code(texts))


def test_detector_is_named(magika):
    described = magika.description
    assert described["name"] == "magika" and described["version"].count(".") == 2


def test_importing_the_module_does_not_load_magika():
    program = "import sys, guess_or_recall.features.code_magika; assert 'magika' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": "src"})
