"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def not_a_file(path: Path) -> Path:
    """Refuse a folder to write to where a file stands in its way."""
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise typer.BadParameter(f"{place} is a file, not a folder")
    return path


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="SWEEP", help="Of sweeps.yaml; all of them if none is named."),
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        *("-S", "--set"),
        metavar="KEY=VALUE",
        help="Change a key of params.yaml below train or evaluate for all, such as "
        "train.grid.kernel=[6,8]; give a --prefix too.",
    ),
]
Prefix = Annotated[str, typer.Option(help="Of the experiments' names.")]
Out = Annotated[Path, typer.Option(callback=not_a_file, help="Folder to write to.")]
