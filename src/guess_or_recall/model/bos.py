"""Whether a model is to see a BOS token in front of every sequence: `model.bos` of params.yaml.

A model that was trained with such a token in front of every text is measured with it.
"""

from pathlib import Path

from guess_or_recall.errors import UserError, say_once
from guess_or_recall.io.files import read_json
from guess_or_recall.io.paths import CORPUS
from guess_or_recall.model.fit import ids_of, read_tokenizer
from guess_or_recall.settings.model import Bos

CONFIG = "tokenizer_config.json"
PROBE = "a text"


def bos_tokens(folder: Path, sequences: Path, bos: Bos, vocabulary: int) -> list[int]:
    """The ids of the tokens in front of every sequence: one, or none (some tokenizers put more).

    Args:
        folder: of the model, with its tokenizer; without one, that of the sequences counts.
        sequences: what the stage `sequences` made.
        bos: `auto` is the tokenizer's own rule, but for a model that was trained here, on windows
            without such a token; `always`; `never`.
        vocabulary: of the model.

    Raises:
        UserError: the tokenizer has no BOS token for `always`, or one that the model does not know.
    """
    if bos == "never" or (bos == "auto" and (folder / CORPUS.name).exists()):
        return []
    places = [place for place in (folder, sequences / "tokenizer") if has_tokenizer(place)]
    tokens = rule_of(places[0]) if places else []
    if bos == "always" and not tokens:
        tokens = bos_token(places[0]) if places else []
        if not tokens:
            raise UserError(
                f"model.bos = always: {places[0] if places else folder} has no tokenizer with a "
                "BOS token (bos_token of tokenizer_config.json): set it to auto or never"
            )
    if wrong := [token for token in tokens if token >= vocabulary]:
        raise UserError(
            f"model.bos = {bos}: the BOS token of {places[0]} has the id {wrong[0]}, the model "
            f"knows 0 to {vocabulary - 1}: set model.bos to never, or take both from one place"
        )
    return tokens


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder has a tokenizer."""
    return (folder / "tokenizer.json").is_file()


def rule_of(folder: Path) -> list[int]:
    """What a tokenizer puts in front of a text by its own files.

    That is what the template of its tokenizer.json puts there, or, where tokenizer_config.json has
    `add_bos_token: true`, its BOS token.
    """
    by_template, declared = template_front(folder), config_of(folder).get("add_bos_token")
    if declared is True and not by_template and not bos_token(folder):
        say_once(
            f"note: {folder}: tokenizer_config.json has add_bos_token = true, but no bos_token "
            "that tokenizer.json knows: the model is measured without one"
        )
    if isinstance(declared, bool) and declared != bool(by_template) and bos_token(folder):
        say_once(
            f"note: {folder}: tokenizer_config.json has add_bos_token = {str(declared).lower()}, "
            f"the template of tokenizer.json puts {'a' if by_template else 'no'} token in front of "
            "a text: the model is measured with one (model.bos: always or never says it outright)"
        )
    return by_template or (bos_token(folder) if declared is True else [])


def template_front(folder: Path) -> list[int]:
    """The ids that a tokenizer puts in front of a text's own."""
    tokenizer = read_tokenizer(folder / "tokenizer.json")
    if not tokenizer.num_special_tokens_to_add(False):
        return []
    text, whole = (ids_of(PROBE, tokenizer, added) for added in (False, True))
    if text is None or whole is None:
        raise UserError(
            f"{folder / 'tokenizer.json'} has no tokens for '{PROBE}', by which to see what it "
            "puts in front of a text: set model.bos to never"
        )
    starts = range(len(whole) - len(text) + 1)
    start = next(start for start in starts if whole[start : start + len(text)] == text)
    return whole[:start]


def bos_token(folder: Path) -> list[int]:
    """The id of the BOS token that a tokenizer's settings name; none where they name none."""
    contents = [config_of(folder, name) for name in (CONFIG, "special_tokens_map.json")]
    named = next(filter(None, (content.get("bos_token") for content in contents)), None)
    text = named.get("content") if isinstance(named, dict) else named
    if not isinstance(text, str):
        return []
    token = read_tokenizer(folder / "tokenizer.json").token_to_id(text)
    return [] if token is None else [token]


def config_of(folder: Path, name: str = CONFIG) -> dict:
    """Content of a file of settings beside a tokenizer; empty without one."""
    path = folder / name
    return read_json(path) if path.is_file() else {}
