"""The code that each stage runs: `python -m tests.dependencies` writes it into dvc.yaml.

Data dependencies, parameters, outputs and comments stay as they are.
"""

import ast
import re
from functools import cache
from pathlib import Path

from guess_or_recall.settings.yaml import read_yaml
from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "guess_or_recall"
PIPELINE = read_yaml(ROOT / "dvc.yaml")
PLUMBING = {  # modules that change no result
    "errors.py",
    "io/remotes.py",
    "remarks.py",
    "settings/params.py",
    "settings/profiles.py",
    "tracking/curves.py",
    "tracking/runs.py",
}


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
    script = PACKAGE / "stages" / f"{stage}.py"
    modules = [script, *sorted(reached(script) - {script})]
    return [str(module.relative_to(ROOT)) for module in modules]


def reached(path: Path) -> set[Path]:
    """A file, those of the package that it imports, and those that they import.

    Nothing that changes no result, nor what is imported by that alone.
    """
    modules, fresh = set(), {path}
    while fresh:
        modules |= fresh
        imported = set().union(*map(imports_of, fresh))
        fresh = {file for file in imported if not changes_nothing(file)} - modules
    return modules


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """Files of the package that a file imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {PACKAGE.parent / f"{name.replace('.', '/')}.py" for name in names}
    return frozenset(file for file in files if file.is_relative_to(PACKAGE) and file.exists())


def changes_nothing(file: Path) -> bool:
    """Whether a file of the package changes no result."""
    return str(file.relative_to(PACKAGE)) in PLUMBING or file.name == "__init__.py"


if __name__ == "__main__":
    dvc_yaml = ROOT / "dvc.yaml"
    dvc_yaml.write_text(rewritten(dvc_yaml.read_text()))
