"""The program `gor`: what it lists, what it imports, and how its commands end."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Annotated

import pytest
import typer

from guess_or_recall import cli
from guess_or_recall.errors import UserError
from tests.conftest import ROOT

COMMANDS = ROOT / "src/guess_or_recall/commands"
WIDTH = 80


def gor(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run the program of this checkout in a terminal of 80 columns; say what it has imported."""
    code = (
        "import sys; sys.argv[0] = 'gor'\n"
        "import atexit; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from guess_or_recall.cli import main; main()"
    )
    terminal = {"COLUMNS": str(WIDTH), "PATH": "", "PYTHONPATH": str(ROOT / "src"), **variables}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=terminal,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def ended(monkeypatch):
    """The exit status of `gor profile ...` where the command is another function."""

    def status(main, *arguments: str) -> int:
        module = SimpleNamespace(main=main, __doc__="What it does.")
        monkeypatch.setattr(cli.importlib, "import_module", lambda name: module)
        with pytest.raises(SystemExit) as stop:
            cli.group().main(["profile", *arguments])
        assert isinstance(stop.value.code, int)
        return stop.value.code

    return status


def test_help_lists_every_command_at_once():
    shown = gor("--help")
    assert shown.returncode == 0
    listed = {line.split()[1] for line in shown.stdout.splitlines() if line.startswith("│ ")}
    names = {path.stem for path in COMMANDS.glob("[a-z]*.py")}  # what they share begins with _
    assert names == cli.COMMANDS.keys() <= listed
    assert shown.stderr == "False\n"  # torch is not imported


def test_an_entry_takes_one_line_of_the_terminal():
    lines = gor("--help").stdout.splitlines()
    assert max(map(len, lines)) == WIDTH
    for name, entry in cli.COMMANDS.items():
        assert sum(f"│ {name:<9} {entry.line}" in line for line in lines) == 1


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_says_what_its_arguments_are(name):
    module = cli.importlib.import_module(f"guess_or_recall.commands.{name}")
    command = cli.load(name)
    assert command.help == str(module.__doc__).strip()
    assert all(getattr(param, "help", None) for param in command.params), name


@pytest.mark.parametrize("arguments", [["profile", "--help"], ["profile", "-h"]])
def test_help_of_a_command(arguments):
    shown = gor(*arguments)
    assert shown.returncode == 0
    assert "Usage: gor profile [OPTIONS] [NAME]" in shown.stdout


def test_a_wrong_name_is_answered_with_the_right_one():
    shown = gor("profil")
    assert shown.returncode == 2
    assert "No such command 'profil'. Did you mean 'profile'?" in shown.stderr


def test_an_unknown_option_ends_with_2():
    shown = gor("profile", "--fast")
    assert shown.returncode == 2
    assert "No such option: --fast" in shown.stderr


@pytest.mark.parametrize("command", ["draw", "sequence", "tables"])
@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_where_a_folder_is_to_be_made_is_named(
    command, place, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        cli.group().main([command, "1", "--out", str(tmp_path / place)])
    assert f"{tmp_path}/file is a file, not a folder" in capsys.readouterr().err


def test_names_are_completed():
    """Of commands and of profiles, as bash asks for them."""
    for typed, names in (
        ("gor s", "sequence sweep subset submit status"),
        ("gor profile m", "micro"),
    ):
        words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
        shown = gor(_GOR_COMPLETE="complete_bash", **words)
        assert shown.stdout.split() == names.split()


def test_a_command_gets_its_arguments(ended, capsys):
    def main(name: str, count: Annotated[int, typer.Option()] = 1) -> None:
        print(name, count + 1)

    assert ended(main, "x", "--count", "2") == 0
    assert capsys.readouterr().out == "x 3\n"


def test_a_mistake_in_a_command_is_one_line(ended, capsys):
    def main() -> None:
        raise UserError("rho = 2: give less")

    assert ended(main) == 1
    assert capsys.readouterr() == ("", "error in profile: rho = 2: give less\n")


def test_an_interrupted_command_is_one_line(ended, capsys):
    def main() -> None:
        raise KeyboardInterrupt

    assert ended(main) == 130
    assert capsys.readouterr().err.startswith("profile interrupted: ")


def test_an_error_of_ours_keeps_its_traceback(monkeypatch):
    def main() -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(cli.importlib, "import_module", lambda name: SimpleNamespace(main=main))
    with pytest.raises(RuntimeError, match="ours"):
        cli.group().main(["profile"])
