"""Run one stage of the pipeline, or a command beside it: `python src/run.py STAGE`.

Standing in src/, this file makes the package importable from any clone or `dvc exp run --temp`
workspace without an installation.
"""

import argparse
import errno
import importlib
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType

STAGES = {
    "sequences": "cut, plant and count the 64-token sequences of the corpus",
    "model": "train the language model, or point to one",
    "score": "memorization score and perplexities of every sequence",
    "features": "ROUGE, templates and code, from the text alone",
    "pool": "the union of the sequences that the declared variants sample",
    "attention": "head-pooled attention patterns of the pool",
    "label": "classes of the current taxonomy, and the train and eval parts",
    "train": "train the grid of CNNs on the attention patterns",
    "evaluate": "confusion matrix, F1 and confidence intervals",
    "localize": "Δ maps: where in the attention the CNNs see each class",
    "ablate": "what the model still recites when attention is cut",
    "figures": "every figure",
}
COMMANDS = {
    "draw": "figures of a subset, without data/attention: `python src/run.py draw small.h5`",
    "extract": "attention on several GPUs: `python src/run.py extract 1/4`",
    "plan": "what params.yaml will take: sequences, bytes, memory, time: `python src/run.py plan`",
    "profile": "write params.yaml from a profile: `python src/run.py profile micro`",
    "remote": "where dvc push and pull go: `python src/run.py remote s3://BUCKET --endpoint URL`",
    "sequence": "one sequence and where the CNNs look: `python src/run.py sequence TEXT`",
    "status": "where the jobs of a chain stand: `python src/run.py status`",
    "submit": "submit sweeps to SLURM: `python src/run.py submit benchmark`",
    "subset": "attention of a few sequences, a small file: `python src/run.py subset small.h5`",
    "sweep": "run sweeps of sweeps.yaml as DVC experiments: `python src/run.py sweep benchmark`",
    "tables": "tables and figures of sweeps: `python src/run.py tables benchmark rho`",
    "track": "report the curves of data/train to wandb again: `python src/run.py track`",
}
INTERRUPTED = 130
ROOM = "free some, take a smaller batch in params.yaml, or a larger machine"
OUT_OF_MEMORY = 2  # CUDA's number of it


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    listing = "\n".join(f"  {name:<10} {text}" for name, text in (STAGES | COMMANDS).items())
    made = argparse.ArgumentParser(
        description="Run one stage; parameters come from params.yaml, paths from dvc.yaml.",
        epilog=f"stages and commands:\n{listing}\n\n`dvc repro` runs all stages that need it.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("name", choices=[*STAGES, *COMMANDS], metavar="NAME")
    made.add_argument("arguments", nargs=argparse.REMAINDER, help="of a command")
    return made


def check_params() -> None:
    """Check the whole of params.yaml, of which a stage reads its own part."""
    from guess_or_recall.settings.params import read_params

    read_params()


def call(name: str, module: ModuleType, arguments: list[str]) -> None:
    """Call `main` of a stage or command, with the arguments that its signature declares."""
    takes = inspect.signature(module.main).parameters.values()
    if name in STAGES or any(one.kind is one.VAR_POSITIONAL for one in takes):
        return module.main(*arguments)
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=module.__doc__)(module.main)
    try:
        app(arguments, prog_name=f"python src/run.py {name}")
    except SystemExit as ending:
        if ending.code == INTERRUPTED:
            raise KeyboardInterrupt from None
        if ending.code:
            raise


def out_of_memory(error: Exception) -> bool:
    """Whether Python, numpy, Arrow or CUDA says so; what a message mentions is no evidence."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")  # slow to import; without it there is no such error
    if torch is None:
        return False
    if isinstance(error, torch.AcceleratorError):
        return getattr(error, "error_code", None) == OUT_OF_MEMORY
    return isinstance(error, torch.OutOfMemoryError)


def note_versions() -> None:
    """Say on stderr which installed libraries are not those that the results were made with."""
    from guess_or_recall.settings.versions import VERSIONS, differing_versions

    if differing := differing_versions(Path(__file__).parents[1] / VERSIONS):
        print(f"note: {', '.join(differing)}: `make setup` installs them", file=sys.stderr)


def main() -> int:
    """Run what the command line names; a user's mistake ends in one line, not a traceback."""
    from guess_or_recall.errors import UserError

    line = parser()
    given = line.parse_args()
    if given.name in STAGES and given.arguments:
        line.error(f"{given.name} takes no arguments: its parameters stand in params.yaml")
    # threads that spin while they wait stall one another wherever another process has a core
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # the same bits on every stream
    package = "stages" if given.name in STAGES else "commands"
    try:
        if given.name in STAGES:
            check_params()
            note_versions()
        module = importlib.import_module(f"guess_or_recall.{package}.{given.name}")
        call(given.name, module, given.arguments)
    except UserError as error:
        print(f"error in {given.name}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"error in {given.name}: disk full ({error}); free some", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        line = (str(error) or "out of memory").splitlines()[0]
        print(f"error in {given.name}: {line}: {ROOM}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{given.name} interrupted: earlier outputs stand, run it again", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
