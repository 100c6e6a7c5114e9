"""From the grids of sweeps.yaml to named variants: `expand(grids, params)`."""

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from guess_or_recall.errors import UserError
from guess_or_recall.settings.names import LONGEST_FILE, name_of_files
from guess_or_recall.settings.params import Params
from guess_or_recall.settings.profiles import leaves
from guess_or_recall.settings.section import PARAMS, checked
from guess_or_recall.settings.yaml import parse_yaml, read_yaml
from guess_or_recall.taxonomy.declared import undeclared, way_out
from guess_or_recall.taxonomy.trees import ALL, TREES
from guess_or_recall.taxonomy.variants import current_variant

SWEEPS = Path("sweeps.yaml")
VARIANT = ("taxonomy", "delta", "rho", "rho_l", "rho_3")  # keys that the classes depend on
SEED = "train.seed"
MOST = 10_000  # variants of a sweep
ABOVE = ("train", "evaluate")  # sections that --set may change: no stage left of `label` reads them


@dataclass(frozen=True)
class Setting:
    """One variant of a sweep: what it changes in params.yaml, and the params that it so has."""

    name: str
    changes: tuple[tuple[str, Any], ...]
    params: Params
    prefix: str = ""
    sweep: str = ""  # with the prefix: the group of its wandb run

    @property
    def variant(self) -> str:
        """The name without the repeat's seed: what is trained several times."""
        return self.name.removeprefix(self.prefix).removesuffix(f"-seed{self.params.train.seed}")


def read_sweeps(names: list[str], path: Path = SWEEPS) -> dict[str, list[Mapping]]:
    """Read the grids of some sweeps, of all if none is named.

    Raises:
        UserError: the file is missing or wrong, or has no sweep of a name.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold sweeps: their names, and a list of grids for each")
    for name, grids in content.items():
        if not isinstance(grids, list) or not all(isinstance(grid, dict) for grid in grids):
            raise UserError(f"{path}: {name} must be a list of grids such as {{taxonomy: all}}")
    for name in names:
        if name not in content:
            raise UserError(
                f"{path} has no sweep '{name}': there are {', '.join(map(str, content))}"
            )
    return {name_of_files(str(name)): content[name] for name in names or content}


def expand(sweeps: Mapping[str, list[Mapping]], base: Mapping, prefix: str = "") -> list[Setting]:
    """List the distinct variants of some sweeps, in order.

    Args:
        sweeps: name -> grids; a grid is key of params.yaml (dotted below the top) -> value or
            values.
        base: content of params.yaml.
        prefix: of every name.

    Raises:
        UserError: a grid names an unknown key or tree, or a value that is not allowed; or two
            variants would have one name.
    """
    settings: dict[str, Setting] = {}
    for sweep, grid in ((name, grid) for name, grids in sweeps.items() for grid in grids):
        lists = [values_of(str(key), value) for key, value in grid.items()]
        if (count := math.prod(map(len, lists))) > MOST:
            raise UserError(f"sweep {sweep} has {count:,} variants: at most {MOST:,} can be run")
        for values in product(*lists):
            setting = settle(dict(zip(map(str, grid), values, strict=True)), base, prefix)
            earlier = settings.setdefault(setting.name, replace(setting, sweep=prefix + sweep))
            if earlier.params != setting.params:
                raise UserError(
                    f"sweep {sweep}: two variants would be called {setting.name}: {setting.changes}"
                    f" and {earlier.changes}: leave one out"
                )
    return list(settings.values())


def declared(names: list[str], changes: list[str], prefix: str) -> list[Setting]:
    """Variants of some sweeps, as changes of params.yaml.

    Args:
        names: of the sweeps; all of them if none is named.
        changes: KEY=VALUE of all variants.
        prefix: of every name.

    Raises:
        UserError: the sweeps or the changes are wrong, or the pool does not hold a variant.
    """
    base = read_yaml(PARAMS)
    common = dict(change_of(text) for text in changes)
    common = typed(common, changed(base, common))
    settings = [
        replace(variant, changes=(*variant.changes, *common.items()))
        for variant in expand(read_sweeps(names), overlaid(base, common), prefix)
    ]
    for variant in settings:
        if undeclared(variant.params):
            raise UserError(f"{variant.name} is not in the pool: {way_out(variant.params)}")
    return settings


def change_of(text: str) -> tuple[str, object]:
    """Read KEY=VALUE, the value in YAML."""
    key, equals, value = text.partition("=")
    if not equals or key.partition(".")[0] not in ABOVE:
        raise UserError(f"--set {text}: give KEY=VALUE with a key below {' or '.join(ABOVE)}")
    return key, parse_yaml(value, f"--set {text}")


def values_of(key: str, value: object) -> list:
    """The values of a key of a grid; `all` stands for the 20 trees."""
    values = value if isinstance(value, list) else [value]
    if not values:
        raise UserError(f"{key} = []: a grid gives a key one value or several")
    if key != "taxonomy":
        return values
    return [name for value in values for name in (TREES if value == ALL else [value])]


def settle(changes: dict[str, Any], base: Mapping, prefix: str) -> Setting:
    """Make one variant: thresholds in one form, whatever way they were given."""
    params = changed(base, changes)
    variant = current_variant(params)
    others = typed({key: changes[key] for key in changes if key not in VARIANT}, params)
    canonical = {"taxonomy": params.taxonomy, **thresholds(variant.thresholds), **others}
    name = prefix + "-".join([variant.slug, *map(said, others.items())])
    name_of_files(name, LONGEST_FILE)
    return Setting(name, tuple(canonical.items()), changed(base, canonical), prefix)


def typed(changes: Mapping[str, Any], params: Params) -> dict[str, Any]:
    """Changes with the values that the checked params have, in whatever way they were written."""
    known = leaves(params.model_dump())
    return {key: known.get(key, value) for key, value in changes.items()}


def thresholds(used: Mapping[str, float]) -> dict[str, Any]:
    """The keys of params.yaml that set these thresholds, and no other way round them."""
    keys: dict[str, Any] = {"delta": used["delta"]} if "delta" in used else {}
    if not (rhos := [used[key] for key in ("rho_l", "rho_3") if key in used]):
        return keys
    rho_l, rho_3 = rhos[0], rhos[-1]
    finite = {*rhos} - {math.inf}
    if len(finite) == 2:
        return keys | {"rho_l": rho_l, "rho_3": rho_3}
    written = {math.inf: "off"} | dict.fromkeys(finite, "rho")
    rho = {"rho": max(finite)} if finite else {}
    return keys | rho | {"rho_l": written[rho_l], "rho_3": written[rho_3]}


def said(change: tuple[str, Any]) -> str:
    """Another changed key as it stands in a name: the last part of its path and its value."""
    key, value = change
    values = value if isinstance(value, list | tuple) else [value]
    text = key.rpartition(".")[2] + "_".join(str(part).removesuffix(".0") for part in values)
    return re.sub(r"[^A-Za-z0-9._-]+|\.{2,}", "_", text).strip("_")  # a path of a model, say


def changed(base: Mapping, changes: Mapping[str, Any]) -> Params:
    """Check the content of params.yaml with some keys changed.

    Raises:
        UserError: there is no such key, or a value is not allowed.
    """
    return checked(Params, overlaid(base, changes), "params")


def overlaid(base: Mapping, changes: Mapping[str, Any]) -> dict:
    """A copy of params.yaml's content with some keys changed; UserError on an unknown key."""
    content = copy.deepcopy(dict(base))
    for key, value in changes.items():
        *sections, last = key.split(".")
        place = content
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            raise UserError(f"params.yaml has no key '{key}' that a sweep could change")
        place[last] = value
    return content
