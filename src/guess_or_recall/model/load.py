"""Load a causal language model, of a folder or of the hub: safetensors only, no remote code."""

import importlib.util
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from guess_or_recall.device import device
from guess_or_recall.errors import UserError, first_line
from guess_or_recall.io.files import read_json
from guess_or_recall.model.hub import snapshot

CAUSAL = "CausalLM|LMHead|ConditionalGeneration"  # in the name of an architecture


def check_folder(folder: Path, named: str | None = None) -> PretrainedConfig:
    """Read the configuration of the model in a folder.

    Args:
        folder: with config.json and the weights.
        named: what errors call it, if it is not model.path.

    Raises:
        UserError: it cannot be a causal language model.
    """
    named = named or f"model.path: '{folder}'"
    if not (folder / "config.json").exists():
        raise UserError(f"{named} holds no config.json: name a model's folder")
    if not list(folder.glob("*.safetensors")):
        raise UserError(f"{named} holds no .safetensors weights (pickled weights are not read)")
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{named} is not supported: {first_line(error)}") from None
    architectures = ", ".join(config.architectures or [])
    if type(config) not in AutoModelForCausalLM._model_mapping or not re.search(
        CAUSAL, architectures or CAUSAL
    ):
        raise UserError(f"{named} is a {architectures or config.model_type}, not a causal LM")
    return config


def load_folder(
    folder: Path, dtype: str = "float32", device_map: str = "single", named: str | None = None
) -> PreTrainedModel:
    """Load a model, ready for inference.

    Args:
        folder: with config.json and .safetensors weights.
        dtype: of the weights and of all that is computed: float32, float16 or bfloat16.
        device_map: `single` puts it on `device()`, `auto` spreads it over all GPUs.
        named: what errors call it, if it is not model.path.

    Raises:
        UserError: see `check_folder`; or its weights are damaged or do not fit on the device.
    """
    check_folder(folder, named)
    require_accelerate(device_map)
    named = named or f"model.path: '{folder}'"
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder,
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
            f"{named} does not fit on the GPU in {dtype}: load a model of the hub in float16 or "
            "bfloat16 (model.hub.dtype), or on several GPUs (model.hub.device_map: auto)"
        ) from None
    except (ValueError, OSError, RuntimeError, ImportError, SafetensorError) as error:
        raise UserError(f"{named} cannot be read: {first_line(error)}") from None
    if absent := sorted(loaded["missing_keys"]):
        raise UserError(f"{named} has no weights for {', '.join(absent[:3])}")
    return model.eval()


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
        UserError: see `snapshot` and `load_folder`.
    """
    pointer, folder = read_json(stage_output / "model.json"), model_folder(stage_output)
    if pointer.get("source") != "hub":
        return load_folder(folder)
    named = f"model.hub: '{pointer['name']}'"
    return load_folder(folder, pointer["dtype"], pointer["device_map"], named)


def model_folder(stage_output: Path) -> Path:
    """The folder of that model; UserError as `snapshot`."""
    pointer = read_json(stage_output / "model.json")
    if pointer.get("source") != "hub":
        return Path(pointer["path"])
    return snapshot(pointer["name"], pointer["commit"] or pointer["revision"])
