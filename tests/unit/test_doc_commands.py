"""Command lines that pages show are understood by the programs that they call.

Blocks of the language bash are run by the acceptance tests; those of sh and console are not, since
they take a GPU, hours or the hub: here their arguments are read as the programs read them.
"""

import copy
import re
import shlex
from itertools import pairwise

import pytest
from dvc.cli.parser import get_main_parser

from guess_or_recall.cli import load
from guess_or_recall.settings.params import Params
from guess_or_recall.settings.profiles import overlay
from guess_or_recall.settings.section import checked
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from tests.pages import PAGES, ROOT, read_page

LANGUAGES = {"bash", "sh", "console", "python", "text", "yaml"}
COMMAND = re.compile(
    r"(?:^|[;&|]|\bdo |\w=\S+ )\s*(?:\w+=\S+ )?(gor|dvc) ([^;&|\n]*)", re.MULTILINE
)
BLOCKS = [
    (f"{path.relative_to(ROOT)}: {block.heading}", block)
    for path in PAGES
    for block in read_page(path).blocks
]
SHELL = [pair for pair in BLOCKS if pair[1].language in ("bash", "sh", "console")]


def lines_of(block):
    """The command lines of a block, without the output that a transcript shows."""
    text = block.text.replace("\\\n", " ")
    if block.language == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    return text


def calls(block):
    """Program and arguments of each command; a variable of the shell stands for 1."""
    for line in lines_of(block).splitlines():
        plain = re.sub(r"\$\(\(.*?\)\)|\$\w+", "1", line)
        lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split, lexer.commenters = True, "#"
        command: list[str] = []
        for word in [*lexer, ";"]:
            if re.fullmatch("[;&|]+", word):
                if command and command[0] in ("gor", "dvc"):
                    yield command[0], command[1:]
                command = []
            elif word != "do" and not (not command and re.match(r"\w+=", word)):
                command.append(word)


def test_every_block_has_a_language():
    assert [name for name, block in BLOCKS if block.language not in LANGUAGES] == []


def test_commands_are_found():
    shown = [call for _, block in SHELL for call in calls(block)]
    assert ("gor", ["extract", "1/4"]) in shown and ("gor", ["sweep", "benchmark", "rho"]) in shown
    assert len(shown) > 30


@pytest.mark.parametrize(("name", "block"), SHELL, ids=[name for name, _ in SHELL])
def test_commands_are_understood(name, block, monkeypatch):
    monkeypatch.chdir(ROOT)
    for program, arguments in calls(block):
        if program == "dvc":
            get_main_parser().parse_args(arguments)  # exits where it does not understand
            allowed(arguments)
        else:
            command = load(arguments[0])
            context = command.make_context(arguments[0], arguments[1:])
            named(arguments[0], context.params)


def allowed(arguments):
    """Settings of `dvc exp run -S KEY=VALUE` are allowed together."""
    content = copy.deepcopy(read_yaml(ROOT / "params.yaml"))
    for option, setting in pairwise(arguments):
        if option == "-S":
            key, _, value = setting.partition("=")
            for part in reversed(key.split(".")):
                value = {part: value if isinstance(value, dict) else parse_yaml(value, key)}
            overlay(content, value)
    if content["taxonomy"] in {**read_yaml(ROOT / "params.yaml")["taxonomies"], "guess": {}}:
        checked(Params, content, " ".join(arguments))


def named(command, parameters):
    """Sweeps and profiles that commands name are there."""
    if command in ("sweep", "submit", "tables"):
        assert {*(parameters.get("names") or [])} <= read_yaml(ROOT / "sweeps.yaml").keys()
    if command == "profile" and parameters.get("name"):
        assert (ROOT / f"profiles/{parameters['name']}.yaml").exists()
