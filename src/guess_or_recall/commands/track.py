"""Report the curves of data/train to wandb again: `python src/run.py track`.

For results that DVC had in its cache, or pulled with the attention, and so were not trained here. A
run of the same training is replaced. WANDB_RUN_GROUP groups runs; train.wandb of params.yaml says
whether they are offline or online.
"""

import argparse

from guess_or_recall.report.runs import report_again
from guess_or_recall.settings.params import read_params


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python src/run.py track", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def main(*arguments: str) -> None:
    """Report the current variant.

    Raises:
        UserError: it was not trained.
    """
    parser().parse_args(arguments)
    report_again(read_params())
