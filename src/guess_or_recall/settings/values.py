"""Values that params.yaml may hold: numbers within bounds, words, and what stands for both."""

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator


def number(value: object) -> object:
    """Refuse yes and no where a number belongs (pydantic would take them for 1 and 0)."""
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


def own_threshold(value: object) -> float | str:
    """Check a threshold that may follow `rho` or be off."""
    if value in ("rho", "off"):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("give rho (to follow it), off, or a number in (0, 1]")
    return float(value)


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
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError("give auto, or a number of sequences")
    return value  # pyright: ignore[reportReturnType]


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
Unit = Annotated[float, Field(ge=0, le=1), BeforeValidator(number)]
Threshold = Annotated[float, Field(gt=0, le=1), BeforeValidator(number)]
OwnThreshold = Annotated[float | str, PlainValidator(own_threshold)]
Seed = Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(number)]
Delta = Annotated[int, Field(ge=0), BeforeValidator(number)]
