"""The pointer to a model, which later stages follow: where it is, what it is, and its hash."""

from pathlib import Path

from transformers import PretrainedConfig

from guess_or_recall.io.files import content_hash
from guess_or_recall.model.fit import check_fit
from guess_or_recall.model.hub import commit_of, snapshot, weights_hash
from guess_or_recall.model.load import check_folder, load_folder, require_accelerate
from guess_or_recall.settings.model import Hub


def pointer_to_folder(folder: Path, sequences: Path, length: int) -> dict:
    """Point to a model in a folder.

    Raises:
        UserError: it is none, or does not fit the corpus (see `check_fit`).
    """
    check_fit(folder, check_folder(folder), sequences, length, f"model.path: '{folder}'")
    return describe("path", folder)


def pointer_to_hub(hub: Hub, sequences: Path, length: int) -> dict:
    """Point to one commit of a model of the hub; its weights stay in the cache of the hub.

    Raises:
        UserError: there is none, or it does not fit the corpus (see `check_fit`).
    """
    folder, named = snapshot(hub.name, hub.revision), f"model.hub: '{hub.name}'"
    config = check_folder(folder, named)
    require_accelerate(hub.device_map)
    check_fit(folder, config, sequences, length, named)
    return {
        "source": "hub",
        **hub.model_dump(),
        "commit": commit_of(hub.name, folder),
        "weights": weights_hash(folder),
        **in_short(config),
    }


def describe(source: str, folder: Path) -> dict:
    """The pointer to a folder, whose weights are loaded to see that they are whole."""
    return {
        "source": source,
        "path": str(folder),
        "weights": content_hash(*sorted(folder.glob("*.safetensors"))),
        **in_short(load_folder(folder).config),
    }


def in_short(config: PretrainedConfig) -> dict:
    """What a model is, in four lines."""
    config = config.get_text_config()
    return {
        "architecture": config.model_type,
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "vocabulary": config.vocab_size,
    }
