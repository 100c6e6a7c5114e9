"""Run one stage of the pipeline: `python src/run.py STAGE`. `dvc repro` runs all that need it.

Standing in src/, this file makes the package importable from any clone or `dvc exp run --temp`
workspace without an installation. The commands of `gor` run from here too, with the code of this
checkout.
"""

import importlib
import sys
from pathlib import Path

STAGES = {
    "sequences": "cut, plant and count the sequences of the corpus",
    "model": "train the language model, or point to one",
    "score": "memorization score and perplexities of every sequence",
    "features": "ROUGE, templates and code, from the text alone",
    "pool": "the union of the sequences that the declared variants sample",
    "attention": "head-pooled attention patterns of the pool",
    "label": "classes of the current taxonomy, and the train and eval parts",
    "train": "train the grid of CNNs on the attention patterns",
    "evaluate": "confusion matrix, F1 and confidence intervals",
    "localize": "Δ maps: where in the attention the CNNs see each class",
    "ablate": "what the model still extracts when attention is cut",
    "figures": "every figure",
}
USAGE = f"""\
usage: python src/run.py STAGE

Parameters come from params.yaml, paths from dvc.yaml. The stages, in their order:
{chr(10).join(f"  {name:<10} {line}" for name, line in STAGES.items())}

`dvc repro` runs all that need it; `gor --help` lists the commands beside the pipeline."""


def main() -> int:
    """Run what the command line names; a user's mistake ends in one line, not a traceback."""
    from guess_or_recall import cli
    from guess_or_recall.ending import exit_status, set_environment

    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(USAGE)
        return 0
    if name not in STAGES:
        return cli.main()
    if rest:
        print(f"{name} takes no arguments: its parameters stand in params.yaml", file=sys.stderr)
        return 2
    set_environment()
    return exit_status(name, lambda: run_stage(name))


def run_stage(name: str) -> None:
    """Check the whole of params.yaml, of which a stage reads its own part, and run the stage."""
    from guess_or_recall.settings.params import read_params

    read_params()
    note_versions()
    importlib.import_module(f"guess_or_recall.stages.{name}").main()


def note_versions() -> None:
    """Say on stderr which installed libraries are not those that the results were made with."""
    from guess_or_recall.settings.versions import VERSIONS, differing_versions

    if differing := differing_versions(Path(__file__).parents[1] / VERSIONS):
        print(f"note: {', '.join(differing)}: `make setup` installs them", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
