"""Taxonomies by name: ordered nodes that cut the memorized sequences into classes.

A node is an expression (see `expressions`) over the feature columns. The 20 trees of the study and
those that a user declares are written in the same language and read by the same code.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from guess_or_recall.errors import UserError
from guess_or_recall.settings.expressions import names, parse
from guess_or_recall.settings.taxonomy import Tree

NON_MEMORIZED = "non-memorized"
THRESHOLDS = ("delta", "rho_l", "rho_3")
ALL = "all"  # short for the 20 built-in trees, where params.yaml lists trees
NODES = {
    "recite": "sequence_duplicates > delta",
    "recollect": "sequence_duplicates <= delta",
    "reconstruct": "is_incrementing or is_repeating",
    "guess": "is_incrementing or is_repeating or rouge_l >= rho_l or rouge_3 >= rho_3",
    "code": "is_code",
}
COMPLETIONS = ("reconstruct", "guess", "code")
FAMILIES = (
    "recite-then-{}",
    "{}-then-recite",
    "recollect-then-{}",
    "recite-or-{}",
    "{}-or-recollect",
    "{}",
)
TREES = (
    *(family.format(node) for node in COMPLETIONS for family in FAMILIES),
    "recite",
    "recollect",
)


@dataclass(frozen=True)
class TaxonomyTree:
    """Nodes tried in order on the memorized sequences; what no node takes is `others`."""

    name: str
    nodes: tuple[tuple[str, str], ...]
    others: str

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return (NON_MEMORIZED, *(name for name, _ in self.nodes), self.others)

    @property
    def depends_on(self) -> frozenset[str]:
        """Which of delta, rho_l and rho_3 its expressions name."""
        named = {name for _, expression in self.nodes for name in names(parse(expression))}
        return frozenset(named & set(THRESHOLDS))


def tree(name: str, declared: Mapping[str, Tree]) -> TaxonomyTree:
    """Find a tree by name among the 20 of the study and the user's own.

    Source: Guess or Recall?, section "Taxonomies" (the families A, A-or-B and A-then-B).

    Raises:
        UserError: the name is unknown, a declared tree takes the name of a built-in one, or two of
            its classes have one name.
    """
    for key in declared:
        if key in (*TREES, ALL):
            raise UserError(f"taxonomies.{key}: '{key}' is taken; give your tree another name")
    if name in TREES:
        return built_in(name)
    if name not in declared:
        raise UserError(unknown_tree(name, [*TREES, *declared]))
    nodes, others = declared[name].nodes, declared[name].others
    return with_checked_classes(TaxonomyTree(name, tuple(nodes.items()), others))


def built_in(name: str) -> TaxonomyTree:
    """Compose one of the 20 trees from its name."""
    if "-or-" in name:
        nodes = ((name, " or ".join(NODES[part] for part in name.split("-or-"))),)
    else:
        nodes = tuple((part, NODES[part]) for part in name.split("-then-"))
    return TaxonomyTree(name, nodes, "recall" if name == "guess" else "others")


def with_checked_classes(tree: TaxonomyTree) -> TaxonomyTree:
    """Return the tree; UserError where a class name is reserved, empty or used twice."""
    for position, name in enumerate(tree.classes):
        if not name.strip():
            raise UserError(f"taxonomies.{tree.name}: a class needs a name, '{name}' is empty")
        if name in tree.classes[:position]:
            kind = "reserved" if name == NON_MEMORIZED else "used twice"
            raise UserError(
                f"taxonomies.{tree.name}: class name '{name}' is {kind}; choose another"
            )
    return tree


def unknown_tree(name: str, existing: list[str]) -> str:
    """The message about a taxonomy that does not exist."""
    close = difflib.get_close_matches(name, existing, n=3)
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    return (
        f"unknown taxonomy '{name}'{hint}: use one of {', '.join(existing)}, "
        "or declare it under `taxonomies` in params.yaml"
    )
