"""Load a causal language model from a local folder: safetensors only, no remote code."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from guess_or_recall.errors import UserError, first_line
from guess_or_recall.files import read_json

LENGTH = 64


def device() -> torch.device:
    """The first GPU, or the CPU where there is none (CUDA_VISIBLE_DEVICES= hides the GPUs)."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_folder(folder: Path) -> None:
    """Raise UserError where `folder` cannot be a model of sequences of 64 tokens."""
    if not (folder / "config.json").exists():
        raise UserError(f"model.path: '{folder}' holds no config.json: name a model's folder")
    if not list(folder.glob("*.safetensors")):
        raise UserError(
            f"model.path: '{folder}' holds no .safetensors weights (pickled weights are not read)"
        )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise UserError(f"model.path: '{folder}' is not supported: {first_line(error)}") from None
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise UserError(f"model.path: '{folder}' is a {config.model_type}, not a causal LM")
    positions = getattr(config, "max_position_embeddings", LENGTH)
    if positions < LENGTH:
        raise UserError(f"model.path: '{folder}' reads {positions} tokens, {LENGTH} are needed")


def load_folder(folder: Path) -> PreTrainedModel:
    """Load a model in float32 on `device()`, ready for inference."""
    check_folder(folder)
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            output_loading_info=True,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )  # pyright: ignore[reportGeneralTypeIssues]  (a pair, with output_loading_info)
    except (ValueError, OSError, RuntimeError, SafetensorError) as error:
        raise UserError(f"model.path: '{folder}' cannot be read: {first_line(error)}") from None
    if absent := sorted(loaded["missing_keys"]):
        raise UserError(f"model.path: '{folder}' has no weights for {', '.join(absent[:3])}")
    torch.nn.Module.to(model, device())  # PreTrainedModel.to is typed for strings alone
    return model.eval()


def load_model(stage_output: Path) -> PreTrainedModel:
    """Load the model that the stage `model` made or points to."""
    return load_folder(Path(read_json(stage_output / "model.json")["path"]))
