"""What one variant of a sweep gave, read from its experiment or its folder."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io import paths, schemas
from guess_or_recall.settings.profiles import leaves
from guess_or_recall.settings.yaml import parse_yaml
from guess_or_recall.statistics.compare import Votes
from guess_or_recall.sweep.declare import SEED, VARIANT, Setting

MEASURED = ("min_f1", "min_f1_low", "min_f1_high", "eval_loss")  # of metrics/evaluate.json


@dataclass(frozen=True)
class Result:
    """One variant, trained with one seed, on one model."""

    setting: Setting
    model: str
    params: dict  # dotted keys of its params.yaml
    evaluate: dict
    label: dict
    confusion: Int[np.ndarray, "classes classes"]
    classes: list[str]
    votes: Votes

    @property
    def samples(self) -> tuple[int, int]:
        """Training and evaluation sequences of each class."""
        part = next(iter(self.label["sampled"].values()))
        return part["train"], part["eval"]


def finished(folder: Path, setting: Setting) -> bool:
    """Whether the results of a variant lie in a folder."""
    return (folder / setting.name / paths.metrics_of("label")).exists()


def read_result(setting: Setting, read: Callable[[str], bytes]) -> Result:
    """Read a result from the files of an experiment; `read` gives their bytes.

    Its model is called by the prefix of its name, or by the folder that it lies in.

    Raises:
        UserError: a file is missing or damaged, or was made by other code than this.
    """
    try:
        return parsed(setting, read)
    except UserError:
        raise
    except OSError as error:
        raise UserError(
            f"the results of {setting.name} are not here ({first_line(error)}): fetch them "
            "(docs/sharing.md), or run the sweep again"
        ) from None
    except (pa.ArrowException, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"the results of {setting.name} cannot be read ({type(error).__name__}: "
            f"{first_line(error)}): they are damaged, or other code has made them: remove them "
            f"(`dvc exp remove {setting.name}`, or its folder), and run the sweep again"
        ) from None


def parsed(setting: Setting, read: Callable[[str], bytes]) -> Result:
    """Read a result; some error of the libraries where a file is damaged."""
    params = leaves(parse_yaml(read("params.yaml").decode(), f"params.yaml of {setting.name}"))
    evaluate = parsed_json(read(str(paths.metrics_of("evaluate"))), *MEASURED)
    table = pd.read_csv(io.BytesIO(read(str(paths.CONFUSION))), dtype=str, keep_default_na=False)
    label = parsed_json(read(str(paths.metrics_of("label"))), "corpus", "sampled", "shortage")
    classes = list(label["corpus"])
    cells = table[table["epoch"] == "all"].set_index(["actual", "predicted"])["count"].astype(int)
    confusion = np.array([[cells[actual, guess] for guess in classes] for actual in classes])
    columns = schemas.votes(len(classes)).names
    votes = pq.read_table(io.BytesIO(read(str(paths.VOTES))), columns=columns).to_pandas()
    counts = votes[columns[2:]].to_numpy()
    return Result(
        setting,
        setting.prefix.strip("-") or model_name(params),
        params,
        evaluate,
        label,
        confusion,
        classes,
        Votes(votes["sequence_id"].to_numpy(), votes["label"].to_numpy(), counts),
    )


def parsed_json(content: bytes, *keys: str) -> dict:
    """An object of JSON; KeyError where it lacks a key."""
    entries = json.loads(content)
    return dict(entries) | {key: entries[key] for key in keys}


def model_name(params: dict) -> str:
    """The last part of the model's folder, or of its name on the hub."""
    of_hub = params.get("model.source") == "hub"
    return Path(str(params["model.hub.name" if of_hub else "model.path"])).name


def require_alike(results: list[Result]) -> None:
    """Refuse to put results of different settings into one table.

    Raises:
        UserError: two differ in a parameter that is not the variant's, the seed's or the model's.
    """
    free = {*VARIANT, SEED, "model.path", "model.hub.name"}
    for first, second in pairwise(results):
        for key in {**first.params, **second.params}:
            values = first.params.get(key), second.params.get(key)
            if key not in free and values[0] != values[1]:
                raise UserError(
                    f"{first.setting.name} and {second.setting.name} differ in {key} "
                    f"({values[0]}, {values[1]}): one table must not mix them; choose by --prefix"
                )
