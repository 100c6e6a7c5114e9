"""Run one stage of the pipeline: `python src/run.py STAGE`. `dvc repro` runs all that need it.

Standing in src/, this file makes the package importable from any clone or `dvc exp run --temp`
workspace without an installation. The commands of `gor` run from here too, with the code of this
checkout.
"""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guess_or_recall.settings.params import Params

ROOT = Path(__file__).parents[1]
STAGES = ROOT / "src/guess_or_recall/stages"
USAGE = """\
usage: python src/run.py STAGE

Parameters come from params.yaml, paths from dvc.yaml. The stages, in their order:
{stages}

`dvc repro` runs all that need it; `gor --help` lists the commands beside the pipeline."""


def main() -> int:
    """Run what the command line names; a user's mistake ends in one line, not a traceback."""
    from guess_or_recall import cli
    from guess_or_recall.ending import exit_status, set_environment

    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in {path.stem for path in STAGES.glob("[a-z]*.py")}:
        return cli.main()
    if rest:
        print(f"{name} takes no arguments: its parameters stand in params.yaml", file=sys.stderr)
        return 2
    set_environment()
    return exit_status(name, lambda: run_stage(name))


def usage() -> str:
    """The stages with their descriptions of dvc.yaml."""
    from guess_or_recall.io.scratch import declared_stages

    lines = (f"  {name:<10} {stage['desc']}" for name, stage in declared_stages().items())
    return USAGE.format(stages="\n".join(lines))


def run_stage(name: str) -> None:
    """Check the whole of params.yaml, of which a stage reads its own part, and run the stage.

    Inputs are checked against their checksums before the start, so that a damaged file is named at
    once and never read, and the outputs get theirs at the end. As soon as the model is known, the
    cuts of its attention are checked, which are made hours later.
    """
    from guess_or_recall.io.checksums import NAME, verify
    from guess_or_recall.io.files import seal
    from guess_or_recall.io.paths import MODEL
    from guess_or_recall.io.scratch import declared_stages
    from guess_or_recall.settings.params import read_params

    params = read_params()
    note_versions()
    note_kernel(params)
    stage = declared_stages()[name]
    for path in map(Path, stage["deps"]):
        if path.parts[0] in ("data", "metrics"):
            verify(path)
    if str(MODEL) in stage["deps"]:
        check_cuts(params)
    outputs = [Path(path) for output in stage["outs"] for path in output]
    folders = {Path(*path.parts[:2]) for path in outputs if path.parts[0] == "data"}
    for folder in folders:
        (folder / NAME).unlink(missing_ok=True)  # of what is made anew
    importlib.import_module(f"guess_or_recall.stages.{name}").main()
    if MODEL in outputs:
        check_cuts(params)
    for folder in folders:
        seal(folder)


def check_cuts(params: "Params") -> None:
    """Refuse to cut more layers in a row than the current model has."""
    from guess_or_recall.io.files import read_json
    from guess_or_recall.io.paths import MODEL_POINTER
    from guess_or_recall.settings.ablate import require_windows

    layers = read_json(MODEL_POINTER).get("attention_layers")
    if layers:  # a model that was looked at before they were recorded is checked by `ablate`
        require_windows(params.ablate.cuts, len(layers))


def note_kernel(params: "Params") -> None:
    """Say on stderr what `train` will refuse after hours; who only scores need not mind."""
    kernel, length = max(params.train.grid.kernel), params.sequences.total
    most = (length - 1) // 3  # two convolutions and poolings by half leave one cell of it
    if kernel > most:
        print(
            f"note: train.grid.kernel = {kernel} leaves nothing of patterns of {length} tokens: "
            f"the stage train takes at most {most}",
            file=sys.stderr,
        )


def note_versions() -> None:
    """Say on stderr which installed libraries are not those that the results were made with."""
    from guess_or_recall.settings.versions import VERSIONS, differing_versions

    if differing := differing_versions(ROOT / VERSIONS):
        print(f"note: {', '.join(differing)}: `make setup` installs them", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
