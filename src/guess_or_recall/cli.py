"""The program `gor`, or `guess-or-recall`: the commands beside the pipeline.

A command is a line here and a module of `commands` with a function `main`, which is imported when
it is called: `gor --help` and the completion of a name take no time.
"""

import importlib
import sys
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from guess_or_recall.ending import exit_status, set_environment

MARKUP = "markdown"
HELP = """\
Find what a language model memorizes verbatim, tell guessing from recall, and see where.

`dvc repro` runs the study that params.yaml describes. These are the commands beside it; run them
in the folder of params.yaml.
"""
STUDY, SEQUENCES, VARIANTS, SHARING, CLUSTER = (
    "The study",
    "Single sequences",
    "Several variants",
    "Sharing",
    "A cluster",
)


class Entry(NamedTuple):
    """A command as `gor --help` lists it."""

    panel: str
    line: str


COMMANDS = {
    "profile": Entry(STUDY, "Write params.yaml from a profile, or list the profiles."),
    "plan": Entry(STUDY, "Say what params.yaml will take: sequences, bytes, memory, time."),
    "notes": Entry(STUDY, "Say what a reader must know: coverage, shortages, CNNs at chance."),
    "track": Entry(STUDY, "Report the curves of data/train to wandb again."),
    "sequence": Entry(SEQUENCES, "Describe one sequence, and where the CNNs look in it."),
    "sweep": Entry(VARIANTS, "Run sweeps of sweeps.yaml as DVC experiments."),
    "tables": Entry(VARIANTS, "Make the tables and figures of sweeps."),
    "remote": Entry(SHARING, "Say where dvc push and dvc pull go."),
    "subset": Entry(SHARING, "Write the attention of a few sequences as one small file."),
    "draw": Entry(SHARING, "Draw the figures of a subset, without data/attention."),
    "submit": Entry(CLUSTER, "Submit sweeps to SLURM."),
    "status": Entry(CLUSTER, "Say where the jobs of a chain stand."),
    "extract": Entry(CLUSTER, "Extract one part of the attention, on a GPU of its own."),
}


class Commands(TyperGroup):
    """A group that knows a command by its entry, until one calls it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the command in the place of its entry."""
        if args[0] in COMMANDS:
            self.add_command(load(args[0]))
        return super().resolve_command(ctx, args)


def load(name: str) -> TyperCommand:
    """Import a command; its help is the docstring of its module."""
    module = importlib.import_module(f"guess_or_recall.commands.{name}")

    @wraps(module.main)
    def ended(**arguments: object) -> None:
        raise typer.Exit(exit_status(name, lambda: module.main(**arguments)))

    program = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
    program.command(name, help=module.__doc__)(ended)
    command = get_command(program)
    assert isinstance(command, TyperCommand)
    return command


def stand_in() -> None:
    """What an entry has in the place of its command."""


def group() -> TyperGroup:
    """The program, with an entry for each command."""
    program = typer.Typer(
        cls=Commands,
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode=MARKUP,
        context_settings={"help_option_names": ["--help", "-h"]},  # of every command too
    )
    for name, entry in COMMANDS.items():
        program.command(name, help=entry.line, rich_help_panel=entry.panel)(stand_in)
    commands = get_command(program)
    assert isinstance(commands, TyperGroup)
    return commands


def main() -> NoReturn:
    """Run the command that the command line names, and exit with its status."""
    set_environment()
    name = Path(sys.argv[0]).name
    sys.exit(group().main(prog_name=name if name == "guess-or-recall" else "gor"))
