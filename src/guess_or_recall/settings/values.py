"""Values that params.yaml may hold: numbers within bounds, words, and what stands for both."""

import re
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from guess_or_recall.errors import UserError
from guess_or_recall.settings.yaml import parse_yaml

Bounded = TypeVar("Bounded", int, float)


def number(value: object) -> object:
    """Read a number, in quotes too (pydantic would take yes and no for 1 and 0, and 1_0 for 10)."""
    if isinstance(value, str):
        return number_of(value)
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


def number_of(text: str) -> int | float:
    """The number that a text in quotes is, as YAML reads it without."""
    try:
        parsed = parse_yaml(text, "") if re.fullmatch(r"[-+.\w]{1,30}", text) else None
    except UserError:
        parsed = None
    if isinstance(parsed, bool) or not isinstance(parsed, int | float):
        raise ValueError("give a number")
    return parsed


def printable(text: str) -> str:
    """Refuse a text with line breaks and control characters where a name or a path belongs."""
    if not text.isprintable():
        raise ValueError("give a text on one line, without control characters")
    return text


def at_most(limit: float, reason: str) -> AfterValidator:
    """Refuse a number beyond a limit, and say why there is one."""

    def check(value: Bounded) -> Bounded:
        if value > limit:
            raise ValueError(f"give at most {limit:,}: {reason}")
        return value

    return AfterValidator(check)


def own_threshold(value: object) -> float | str:
    """Check a threshold that may follow `rho` or be off."""
    if value in ("rho", "off"):
        return str(value)
    try:
        parsed = number(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, int | float) or not 0 < parsed <= 1:
        raise ValueError("give rho (to follow it), off, or a number in (0, 1]")
    return float(parsed)


def listed(value: object) -> object:
    """Let one name stand for a list of one."""
    return [value] if isinstance(value, str) else value


def low_to_high(pair: tuple[float, float]) -> tuple[float, float]:
    """Refuse a range that holds nothing."""
    if pair[0] >= pair[1]:
        raise ValueError("give [low, high], the lower bound first (low < high)")
    return pair


def encoding(name: str) -> str:
    """Check the name of an encoding of texts, or `auto`."""
    try:
        is_text = name == "auto" or isinstance("".encode(name), bytes)
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise ValueError("give auto, or an encoding that Python knows, such as cp1252 or gb18030")
    return name


def batch(value: object) -> int | str:
    """Check a number of sequences, or `auto`."""
    if value == "auto":
        return "auto"
    try:
        parsed = number(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, int) or not 1 <= parsed <= 10**6:
        raise ValueError("give auto, or a number of sequences, at most 1,000,000")
    return parsed


def rho_setting(value: object) -> float | str | list[float | str]:
    """Check an entry of pool.rhos: a number in (0, 1], or a pair [rho_l, rho_3]."""
    pair = value if isinstance(value, list) else [value, value]
    checked = [own_threshold(part) for part in pair]
    if len(checked) != 2 or "rho" in checked or (checked[0] == "off" and value is not pair):
        raise ValueError("give a number in (0, 1], or a pair [rho_l, rho_3] of such numbers or off")
    return checked if value is pair else checked[0]


Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(number)]
Batch = Annotated[int | str, PlainValidator(batch)]
Count = Annotated[int, Field(ge=1), BeforeValidator(number)]
Rows = Annotated[Count, at_most(10**8, "a study holds its sequences in memory")]
Together = Annotated[Count, at_most(10**6, "so many are held in memory together")]
Draws = Annotated[Count, at_most(10**6, "more resamples change no interval")]
Unit = Annotated[float, Field(ge=0, le=1), BeforeValidator(number)]
Threshold = Annotated[float, Field(gt=0, le=1), BeforeValidator(number)]
OwnThreshold = Annotated[float | str, PlainValidator(own_threshold)]
Seed = Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(number)]
Delta = Annotated[int, Field(ge=0), BeforeValidator(number)]
Text = Annotated[str, Field(max_length=1000), AfterValidator(printable)]
