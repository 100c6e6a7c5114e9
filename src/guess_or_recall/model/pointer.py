"""The pointer to a model, which later stages follow: where it is, what it is, and its hash."""

from pathlib import Path

from transformers import PretrainedConfig

from guess_or_recall.errors import say_all
from guess_or_recall.model.bos import bos_tokens
from guess_or_recall.model.fit import check_fit
from guess_or_recall.model.hub import snapshot
from guess_or_recall.model.layers import attention_layers
from guess_or_recall.model.load import check_folder, read_folder, require_accelerate
from guess_or_recall.model.scoring import ends_of_text
from guess_or_recall.model.weights import content_of_model
from guess_or_recall.remarks import of_bos, of_model
from guess_or_recall.settings.model import Bos, Hub


def pointer_to_folder(folder: Path, dtype: str, bos: Bos, sequences: Path, length: int) -> dict:
    """Point to a model in a folder.

    Raises:
        UserError: it is none, or does not fit the corpus (see `fitting_bos`).
    """
    config, named = check_folder(folder), f"model.path: '{folder}'"
    tokens = fitting_bos(folder, config, sequences, length, bos, named)
    return {**describe("path", folder, dtype), "bos": tokens}


def fitting_bos(
    folder: Path, config: PretrainedConfig, sequences: Path, length: int, bos: Bos, named: str
) -> list[int]:
    """The BOS token of a model (see `bos_tokens`) that fits a corpus.

    Raises:
        UserError: it does not (see `check_fit`), or see `bos_tokens`.
    """
    tokens = bos_tokens(folder, sequences, bos, config.get_text_config().vocab_size)
    check_fit(folder, config, sequences, length, named, len(tokens))
    say_all(of_bos(named, tokens))
    return tokens


def pointer_to_hub(hub: Hub, bos: Bos, sequences: Path, length: int) -> dict:
    """Point to one commit of a model of the hub; its weights stay in the cache of the hub.

    Raises:
        UserError: there is none, or it does not fit the corpus (see `fitting_bos`).
    """
    folder, named = snapshot(hub.name, hub.revision), f"model.hub: '{hub.name}'"
    config = check_folder(folder, named)
    require_accelerate(hub.device_map)
    tokens = fitting_bos(folder, config, sequences, length, bos, named)
    return {
        "source": "hub",
        **hub.model_dump(),
        "commit": folder.name,
        **content_of_model(folder, named),
        **in_short(config, named),
        "bos": tokens,
    }


def describe(source: str, folder: Path, dtype: str) -> dict:
    """The pointer to a folder, whose weights are loaded to see that they are whole."""
    named = f"model.path: '{folder}'"
    facts = in_short(check_folder(folder), named)  # before the weights are looked at
    unused = read_folder(folder, dtype).unused
    return {
        "source": source,
        "path": str(folder),
        "dtype": dtype,
        **content_of_model(folder, named),
        **facts,
        **({"unused_weights": len(unused)} if unused else {}),
    }


def in_short(config: PretrainedConfig, named: str) -> dict:
    """What a model is, in a few lines; says what is unusual about it.

    Raises:
        UserError: its attention cannot be observed.
    """
    text, (inside, outside) = config.get_text_config(), ends_of_text(config)
    facts = {
        "architecture": text.model_type,
        "layers": text.num_hidden_layers,
        "attention_layers": attention_layers(config, named),
        "heads": text.num_attention_heads,
        "vocabulary": text.vocab_size,
        "end_of_text": inside,
        **({"end_of_text_ignored": outside} if outside else {}),
    }
    say_all(of_model(named, facts))
    return facts
