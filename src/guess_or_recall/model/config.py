"""The configuration of a model, as config.json has it: read, and checked for nonsense."""

import re
from pathlib import Path

from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from guess_or_recall.errors import UserError

CAUSAL = "CausalLM|LMHead|ConditionalGeneration"  # in the name of an architecture
MOST = {  # of what config.json may ask for, far above any model's
    "num_hidden_layers": 10_000,
    "num_attention_heads": 100_000,
    "hidden_size": 10**7,
    "vocab_size": 10**8,
}
AGAIN = "config.json or weights are damaged: fetch or copy the folder again"
WITHOUT = "install it, or take what asks for it out of config.json"


def read_config(place: Path, folder: Path, named: str) -> PretrainedConfig:
    """Read the configuration of a model.

    Args:
        place: where its config.json is read.
        folder: that of the model, for errors.
        named: what errors call it.

    Raises:
        UserError: it cannot be that of a causal language model.
    """
    if not (place / "config.json").is_file():
        raise UserError(f"{named} holds no config.json: name a model's folder")
    try:
        config = AutoConfig.from_pretrained(place, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # nonsense in it raises any kind
        raise UserError(f"{named} is not supported: {reason(error, place, folder)}") from None
    listed = config.architectures or []
    architectures = ", ".join(map(str, listed if isinstance(listed, list) else [listed]))
    if type(config) not in AutoModelForCausalLM._model_mapping or not re.search(
        CAUSAL, architectures or CAUSAL
    ):
        raise UserError(f"{named} is a {architectures or config.model_type}, not a causal LM")
    check_values(config, named)
    text = config.get_text_config()
    pad = getattr(text, "pad_token_id", None)
    if pad is not None and not 0 <= pad < text.vocab_size:
        text.pad_token_id = None  # a tokenizer's alone, which transformers refuses; we pad nothing
    return config


def reason(error: Exception, *places: Path) -> str:
    """Why a model cannot be read, in one line, and where to look.

    Args:
        error: of transformers, which says of a wrong value in its second line what it is.
        places: the folder that transformers has read, and that of the model in its place.
    """
    lines = [line.strip() for line in str(error).strip().splitlines()] or [""]
    said = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    if places:
        said = said.replace(str(places[0]), str(places[1]))
    if isinstance(error, KeyError):
        said = f"{said} is nothing that transformers knows"
    way_out = WITHOUT if isinstance(error, ImportError) else AGAIN
    return f"{said or type(error).__name__} ({way_out})"


def check_values(config: PretrainedConfig, named: str) -> None:
    """Raise UserError where config.json asks for what no model has, or transformers cannot."""
    text = config.get_text_config()
    if not isinstance(text, PretrainedConfig):
        raise UserError(
            f"{named}: config.json has {text!r} for the settings of the model ({AGAIN})"
        )
    for name, most in MOST.items():
        value = getattr(text, name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise UserError(
                f"{named}: config.json has {name} = {value!r}: a whole number from 1 to {most:,} "
                "is needed (fetch or copy the folder again)"
            )
    end = getattr(text, "eos_token_id", None)
    ids = end if isinstance(end, list) else [] if end is None else [end]
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in ids):
        raise UserError(
            f"{named}: config.json has eos_token_id = {end!r}: a token id, a list of them, or null "
            "is needed"
        )
    if "/" in str(getattr(config, "_attn_implementation", "")):
        raise UserError(
            f"{named}: config.json asks for the attention kernel {config._attn_implementation}, "
            "which is code of the hub: take attn_implementation out of it"
        )
