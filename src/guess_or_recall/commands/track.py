"""Report the curves of data/train to wandb again.

For results that DVC had in its cache, or pulled with the attention, and so were not trained here. A
run of the same training is replaced. WANDB_RUN_GROUP groups runs; `train.wandb` of params.yaml says
whether they are offline or online.
"""

from guess_or_recall.errors import UserError
from guess_or_recall.settings.params import read_params
from guess_or_recall.tracking.runs import report_again


def main() -> None:
    """Report the current variant.

    Raises:
        UserError: it was not trained, or wandb is disabled.
    """
    params = read_params()
    if params.train.wandb == "disabled":
        raise UserError("train.wandb = disabled: set it to offline or online to report the curves")
    report_again(params)
