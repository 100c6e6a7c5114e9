"""The variants that params.yaml declares in `pool`, and what to add there for another one."""

from guess_or_recall.settings.taxonomy import DeclaredSettings, LabelSettings
from guess_or_recall.taxonomy.trees import ALL, TREES, tree
from guess_or_recall.taxonomy.variants import Variant, current_variant, variants


def declared(settings: DeclaredSettings) -> list[Variant]:
    """List the distinct variants of `pool`: each tree with the δ and ρ that it depends on.

    A tree that is named takes every ρ; `all` brings the 20 trees at the first ρ alone, as in
    the paper's benchmark: with every ρ, their union is half as large again.
    """
    rhos, distinct = settings.pool.thresholds(), {}
    for entry in settings.pool.taxonomies:
        names, pairs = (TREES, rhos[:1]) if entry == ALL else ([entry], rhos)
        for name in names:
            taxonomy = tree(name, settings.taxonomies)
            for variant in variants(taxonomy, settings.pool.deltas, pairs):
                distinct.setdefault((name, *variant.thresholds.items()), variant)
    return list(distinct.values())


def way_out(settings: LabelSettings) -> str:
    """What to add to the pool of params.yaml so that it holds the current variant."""
    lacking = undeclared(settings)
    if not lacking:
        return "params.yaml declares this variant, so the pool is out of date: run `dvc repro pool`"
    complaint = ", ".join(f"pool.{key} lacks {yaml_text(value)}" for key, value in lacking.items())
    pool = settings.pool.model_dump()
    options = [f"-S 'pool.{key}={yaml_text([*pool[key], lacking[key]])}'" for key in lacking]
    return f"{complaint}: add it in params.yaml, or dvc exp run {' '.join(options)}"


def undeclared(settings: LabelSettings) -> dict:
    """Values of the current variant that `pool` does not list, under the key that lacks them."""
    variant, pool = current_variant(settings), settings.pool
    if variant in declared(settings):
        return {}
    name, rhos = variant.tree.name, pool.thresholds()
    benchmark = variants(variant.tree, [settings.delta], rhos[:1])
    by_all = ALL in pool.taxonomies and name in TREES and benchmark == [variant]
    lacking = {}
    if name not in pool.taxonomies and not by_all:
        lacking["taxonomies"] = name
    if "delta" in variant.tree.depends_on and settings.delta not in pool.deltas:
        lacking["deltas"] = settings.delta
    if variant not in variants(variant.tree, [settings.delta], rhos):
        lacking["rhos"] = rho_entry(settings.threshold("rho_l"), settings.threshold("rho_3"))
    return lacking


def rho_entry(rho_l: float, rho_3: float) -> float | list:
    """The entry of pool.rhos that covers a pair of thresholds."""
    finite = {rho for rho in (rho_l, rho_3) if rho <= 1}
    if len(finite) == 1:
        return finite.pop()
    return [rho if rho <= 1 else "off" for rho in (rho_l, rho_3)]


def yaml_text(value: object) -> str:
    """A value in YAML's one-line form, as `-S` takes it."""
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(yaml_text, value)) + "]"
    return str(value)
