"""Load a causal language model, of a folder or of the hub: safetensors only, no remote code."""

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from guess_or_recall.device import device
from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io.files import existing, read_json
from guess_or_recall.io.paths import MODEL_POINTER
from guess_or_recall.model.config import read_config, reason
from guess_or_recall.model.front import put_in_front
from guess_or_recall.model.hub import snapshot
from guess_or_recall.model.weights import (
    INDEX,
    SETTINGS,
    content_of_model,
    conversion,
    weight_files,
)
from guess_or_recall.remarks import NO_PLACE, name_of

PACKED = 4  # parameters that a byte holds at the most
HARMLESS = 10**8  # parameters: so many are read, and what does not fit is named one by one


def check_folder(folder: Path, named: str | None = None) -> PretrainedConfig:
    """Read the configuration of the model in a folder.

    Args:
        folder: with config.json and the weights.
        named: what errors call it, if it is not model.path.

    Raises:
        UserError: it cannot be a causal language model.
    """
    named = named or f"model.path: '{folder}'"
    if folder.is_file():
        raise UserError(
            f"{named} is a file{conversion(folder.parent)}: name the folder of a model, with "
            "config.json and model.safetensors"
        )
    files = weight_files(folder, named)
    with only(folder, files) as view:
        return read_config(view, folder, named)


@contextmanager
def only(folder: Path, weights: list[Path]) -> Iterator[Path]:
    """A folder of links to those files of a model that its hashes cover, and to no others.

    What else lies in a model's folder, such as adapters or pickled checkpoints, cannot be read.
    """
    names = [*SETTINGS, INDEX]
    files = [folder / name for name in names if (folder / name).is_file()]
    with tempfile.TemporaryDirectory() as view:
        for file in {*files, *weights}:
            (Path(view) / file.name).symlink_to(file.absolute())
        yield Path(view)


class Loaded(NamedTuple):
    """A model, and the weights in its files that it has no place for."""

    model: PreTrainedModel
    unused: list[str]


def load_folder(
    folder: Path, dtype: str = "float32", device_map: str = "single", named: str | None = None
) -> PreTrainedModel:
    """Load a model, ready for inference; see `read_folder`."""
    return read_folder(folder, dtype, device_map, named).model


def read_folder(
    folder: Path, dtype: str = "float32", device_map: str = "single", named: str | None = None
) -> Loaded:
    """Load a model, ready for inference.

    Args:
        folder: with config.json and .safetensors weights.
        dtype: of the weights and of all that is computed: float32, float16 or bfloat16.
        device_map: `single` puts it on `device()`, `auto` spreads it over all GPUs.
        named: what errors call it, if it is not model.path.

    Raises:
        UserError: see `check_folder`; or its weights are damaged or do not fit on the device.
    """
    config = check_folder(folder, named)
    require_accelerate(device_map)
    key = "model.hub" if named and named.startswith("model.hub") else "model"
    named = named or f"model.path: '{folder}'"
    files = weight_files(folder, named)
    require_size(config, files, named)
    with only(folder, files) as view:
        try:
            model, loaded = AutoModelForCausalLM.from_pretrained(
                view,
                config=config,
                output_loading_info=True,
                dtype=getattr(torch, dtype),
                device_map="auto" if device_map == "auto" else None,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
            )  # pyright: ignore[reportGeneralTypeIssues]  (a pair, with output_loading_info)
            if device_map == "single":
                torch.nn.Module.to(model, device())  # PreTrainedModel.to is typed for strings alone
        except torch.OutOfMemoryError:
            raise UserError(
                f"{named} does not fit on the GPU in {dtype}: load it in float16 or bfloat16 "
                f"({key}.dtype), or a model of the hub on several GPUs (model.hub.device_map: auto)"
            ) from None
        except Exception as error:  # damaged files raise any kind
            raise UserError(f"{named} cannot be read: {reason(error, view, folder)}") from None
    return Loaded(model.eval(), unused_weights(loaded, named))


def require_size(config: PretrainedConfig, files: list[Path], named: str) -> None:
    """Raise UserError where config.json asks for far more than the weights hold, of memory too."""
    try:
        with torch.device("meta"):
            parameters = AutoModelForCausalLM.from_config(config).num_parameters()
    except Exception:  # of any kind: whoever loads the model says it
        return
    held = sum(file.stat().st_size for file in files)
    if parameters > max(PACKED * held, HARMLESS):
        raise UserError(
            f"{named}: config.json describes a model of {parameters:,} parameters, its weights "
            f"have {held:,} bytes: take both from one place, or copy the folder again"
        )


def unused_weights(loaded: dict, named: str) -> list[str]:
    """The weights that a model has no place for, said; UserError where some are missing."""
    if absent := sorted(loaded["missing_keys"]):
        raise UserError(f"{named} has no weights for {', '.join(absent[:3])}")
    if unused := sorted(loaded["unexpected_keys"]):
        say_once(
            f"note: {named} has {len(unused)} {NO_PLACE}, such as {unused[0]}: does config.json "
            "belong to them?"
        )
    return unused


def require_accelerate(device_map: str) -> None:
    """Raise UserError where a model is to be spread over GPUs without what does it."""
    if device_map == "auto" and importlib.util.find_spec("accelerate") is None:
        raise UserError(
            "model.hub.device_map = auto needs accelerate: pip install accelerate (or set it to "
            "single, for a model that fits on one GPU)"
        )


def load_model(stage_output: Path) -> PreTrainedModel:
    """Load the model that the stage `model` made or points to; of the hub, the very same commit.

    Raises:
        UserError: its files have changed since; or see `snapshot` and `load_folder`.
    """
    pointer, folder = read_json(stage_output / MODEL_POINTER.name), model_folder(stage_output)
    is_hub, named = pointer.get("source") == "hub", name_of(pointer)
    check_folder(folder, named)
    changed = [
        name
        for name, content in content_of_model(folder, named).items()
        if pointer.get(name, content) != content
    ]
    if changed:
        raise UserError(
            f"{named}: its {' and '.join(changed)} have changed since the stage `model` looked at "
            "them: dvc repro -f model"
        )
    device_map = pointer["device_map"] if is_hub else "single"
    model = load_folder(folder, pointer.get("dtype", "float32"), device_map, named)
    return put_in_front(model, pointer.get("bos", []))


def model_folder(stage_output: Path) -> Path:
    """The folder of that model; UserError as `snapshot`, or where the output is damaged."""
    pointer = read_json(existing(stage_output) / MODEL_POINTER.name)
    if pointer.get("source") != "hub":
        return Path(pointer["path"])
    return snapshot(pointer["name"], pointer["commit"])


def identity(pointer: dict) -> dict[str, str | list[int]]:
    """What of a pointer decides what its model computes: hashes, its type, and its BOS token."""
    names = "weights", "settings", "dtype", "bos"
    return {name: pointer[name] for name in names if pointer.get(name)}
