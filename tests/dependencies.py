"""The code that each stage runs: `python -m tests.dependencies` writes it into dvc.yaml.

Data dependencies, parameters, outputs and comments stay as they are.
"""

import re

from tests.conftest import ROOT
from tests.unit.test_dvc_yaml import PIPELINE, changes_nothing, reached

STAGES = "src/guess_or_recall/stages"


def rewritten(text: str) -> str:
    """The text of dvc.yaml with the modules that every stage imports now."""
    for stage, declared in PIPELINE["stages"].items():
        data = [path for path in declared["deps"] if not path.startswith("src/")]
        lines = "".join(f"      - {path}\n" for path in [*data, *code(stage)])
        block = rf"(\n  {stage}:\n(?:    .*\n)*?    deps:\n)(?:      - .*\n)+"
        text = re.sub(block, lambda match, lines=lines: match[1] + lines, text, count=1)
    return text


def code(stage: str) -> list[str]:
    """The script of a stage, and the modules that it imports, and those that they import."""
    script = f"{STAGES}/{stage}.py"
    modules = {path for path in reached(ROOT / script) if not changes_nothing(path)}
    return [script, *sorted({str(path.relative_to(ROOT)) for path in modules} - {script})]


if __name__ == "__main__":
    file = ROOT / "dvc.yaml"
    file.write_text(rewritten(file.read_text()))
