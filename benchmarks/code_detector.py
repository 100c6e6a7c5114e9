"""How well code is told from prose on short snippets: `python benchmarks/code_detector.py`.

The truth is known by construction. Code: stretches of the .py files of installed packages after
comments and docstrings are blanked out. Prose: stretches of docstrings of those files, and of the
.md, .rst, METADATA (long descriptions) and LICENSE files of everything that is installed, without
fenced, indented or prompt (>>>) blocks, directives and tables.
"""

import argparse
import ast
import importlib.metadata
import inspect
import io
import random
import re
import sys
import time
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
from guess_or_recall.features.code_magika import magika_detector

PACKAGES = ("networkx", "sympy", "transformers", "pydantic", "pygments", "dvc", "mpmath", "seaborn")
PROSE = re.compile(r"\.(md|rst)$|(METADATA|LICENSE|COPYING|NOTICE)[^/]*$", re.IGNORECASE)
FENCED = re.compile(r"```.*?(```|$)", re.DOTALL)
NOT_PROSE = re.compile(
    r"^(\s*(>>>|\.\.\.|\.\. |[|+=#*~^-]{3,}|:\w+:).*|(    |\t).*)$", re.MULTILINE
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snippets", type=int, default=1000, help="of each of code and prose")
    parser.add_argument("--characters", type=int, default=200, help="of a snippet")
    parser.add_argument("--packages", nargs="+", default=PACKAGES, help="installed, to cut from")
    parser.add_argument("--show", type=int, default=0, help="wrongly judged snippets to print")
    options = parser.parse_args()
    sources = shuffled(options.packages, lambda name: name.endswith(".py"))
    documents = shuffled(everything_installed(), PROSE.search)
    groups = {
        "code": snippets(map(code_of, sources), options.snippets, options.characters),
        "docstring": snippets(
            map(docstrings_of, sources), options.snippets // 2, options.characters
        ),
        "document": snippets(
            map(document_of, documents), options.snippets // 2, options.characters
        ),
    }
    texts = [text for group in groups.values() for text in group]
    kinds = np.repeat(list(groups), [len(group) for group in groups.values()])
    start = time.perf_counter()
    answers = magika_detector().is_code(texts)
    report(answers, kinds, time.perf_counter() - start)
    wrong = np.flatnonzero(answers != (kinds == "code"))
    for i in random.Random(0).sample(list(wrong), min(options.show, len(wrong))):
        print(f"--- {kinds[i]} taken for {'code' if answers[i] else 'prose'}\n{texts[i]}")


def everything_installed() -> list[str]:
    """Names of all installed distributions."""
    return sorted({package.name for package in importlib.metadata.distributions()})


def shuffled(packages: Iterable[str], chosen: Callable[[str], object]) -> list[Path]:
    """Files of installed packages whose names are chosen, in a fixed random order."""
    files = [file for package in packages for file in importlib.metadata.files(package) or []]
    paths = [Path(str(file.locate())) for file in files if chosen(str(file))]
    paths = [path for path in paths if path.exists()]
    random.Random(0).shuffle(paths)
    return paths


def code_of(path: Path) -> str:
    """Code of a .py file: comments and docstrings out, and the lines that this empties."""
    source = path.read_text(errors="replace")
    try:
        lines = [list(line) for line in source.splitlines(keepends=True)]
        for first, last in [*docstring_spans(source), *comment_spans(source)]:
            blank(lines, first, last)
    except (SyntaxError, tokenize.TokenError):
        return ""
    kept = ("".join(line).rstrip() for line in lines)
    return "\n".join(line for line in kept if line)


def blank(lines: list[list[str]], first: tuple[int, int], last: tuple[int, int]) -> None:
    """Put spaces from (line, column) `first` up to `last`; lines count from 1."""
    for row in range(first[0], last[0] + 1):
        line = lines[row - 1]
        start = first[1] if row == first[0] else 0
        stop = last[1] if row == last[0] else len(line)
        line[start:stop] = " " * (stop - start)


def docstring_nodes(source: str) -> Iterator[ast.Expr]:
    """Docstrings, and other strings that stand alone as a statement."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                yield node


def docstring_spans(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where docstrings begin and end (their quotes stand at ASCII columns)."""
    for node in docstring_nodes(source):
        yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def comment_spans(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where comments begin and end."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start, token.end


def docstrings_of(path: Path) -> str:
    """Prose of the docstrings of a .py file."""
    try:
        nodes = list(docstring_nodes(path.read_text(errors="replace")))
    except SyntaxError:
        return ""
    texts = [inspect.cleandoc(ast.literal_eval(node.value)) for node in nodes]
    return prose("\n\n".join(texts))


def document_of(path: Path) -> str:
    """Prose of a text file; of METADATA, the long description below the header."""
    text = path.read_text(errors="replace")
    return prose(text.partition("\n\n")[2] if path.name == "METADATA" else text)


def prose(text: str) -> str:
    """Without fenced, indented and prompt blocks, tables and directives."""
    return re.sub(r"\n{3,}", "\n\n", NOT_PROSE.sub("", FENCED.sub("", text)))


def snippets(texts: Iterable[str], count: int, characters: int) -> list[str]:
    """Cut up to three snippets from each text, at random places, until there are enough."""
    draw, cut = random.Random(1), {}  # a dictionary: licences repeat
    for text in texts:
        for _ in range(min(3, len(text) // (2 * characters))):
            start = draw.randrange(len(text) - characters)
            cut[text[start : start + characters]] = None
        if len(cut) >= count:
            break
    return list(cut)[:count]


def report(answers: np.ndarray, kinds: np.ndarray, seconds: float) -> None:
    """Print counts, precision, recall, F1 and speed."""
    truth = kinds == "code"
    hits = int((answers & truth).sum())
    precision, recall = hits / max(answers.sum(), 1), hits / truth.sum()
    for kind in dict.fromkeys(kinds):
        of_kind = answers[kinds == kind]
        print(
            f"{kind:<10} {of_kind.sum():5} of {len(of_kind):5} judged code ({of_kind.mean():.3f})"
        )
    print(f"precision  {precision:.3f}")
    print(f"recall     {recall:.3f}")
    print(f"F1         {2 * precision * recall / max(precision + recall, 1e-9):.3f}")
    print(f"speed      {len(answers) / seconds:.0f} texts/s ({seconds:.1f} s with loading)")


if __name__ == "__main__":
    main()
