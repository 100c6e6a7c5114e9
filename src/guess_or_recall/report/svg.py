"""Shapes and words of an SVG drawing, in colours of the reader's light or dark scheme."""

from collections.abc import Callable, Iterable

CELLS = 14  # of a side of an attention pattern
CELL = 7  # pixels a cell

Pattern = Callable[[int, int], float]  # of a query and a key, in [0, 1]

LIGHT = {
    "card": "#ffffff",
    "panel": "#f5f7f9",
    "edge": "#c9d1d9",
    "ink": "#1f2328",
    "soft": "#59636e",
    "attention": "#3d4852",
    "suffix": "#1a7f64",
    "non-memorized": "#8b949e",
    "guess": "#0072b2",
    "recall": "#d98200",
}
DARK = {
    "card": "#0d1117",
    "panel": "#161b22",
    "edge": "#3d444d",
    "ink": "#e6edf3",
    "soft": "#a5afba",
    "attention": "#c9d1d9",
    "suffix": "#3fb695",
    "non-memorized": "#8b949e",
    "guess": "#56b4e9",
    "recall": "#f0a830",
}


ARROWHEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto"><path d="M0 0L8 4L0 8z" class="fill-soft"/></marker></defs>'
)


def style() -> str:
    """Rules for text, and a class for each colour, in the light and in the dark scheme."""
    fonts = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
    text = (
        f"text {{ font-family: {fonts}; font-size: 13px }}\n"
        ".title { font-size: 14.5px; font-weight: 600 }\n"
        ".line { fill: none; stroke-width: 1.6 }\n"
    )
    dark = "".join(f"  {rule}\n" for rule in color_rules(DARK).splitlines())
    return f"{text}{color_rules(LIGHT)}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def color_rules(colors: dict[str, str]) -> str:
    """Rules of one colour scheme."""
    fills = "".join(f".fill-{name} {{ fill: {value} }}\n" for name, value in colors.items())
    strokes = "".join(
        f".stroke-{name} {{ stroke: {colors[name]} }}\n" for name in ("edge", "soft", "ink")
    )
    return fills + strokes


def box(x: float, y: float, width: float, height: float, color: str) -> str:
    """Draw a rounded box with an edge."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" '
        f'class="fill-{color} stroke-edge"/>'
    )


def cell(x: float, y: float, side: float, color: str, opacity: float = 1.0) -> str:
    """Draw a small square."""
    faint = "" if opacity == 1 else f' fill-opacity="{opacity:.2f}"'
    square = f'x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}"'
    return f'<rect {square} class="fill-{color}"{faint}/>'


def words(x: float, y: float, text: str, look: str = "fill-soft", anchor: str = "start") -> str:
    """Write one line of text."""
    return f'<text x="{x:g}" y="{y:g}" class="{look}" text-anchor="{anchor}">{text}</text>'


def paragraph(x: float, y: float, *lines: str) -> list[str]:
    """Write lines of text below one another."""
    return [words(x, y + 18 * row, line) for row, line in enumerate(lines)]


def panel(x: float, y: float, width: float, height: float, title: str) -> list[str]:
    """Draw a titled box."""
    return [box(x, y, width, height, "panel"), words(x + 14, y + 26, title, "title fill-ink")]


def arrow(*points: tuple[float, float]) -> str:
    """Draw a line with a head through some points."""
    path = "L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path d="M{path}" class="line stroke-soft" marker-end="url(#head)"/>'


def name(x: float, y: float, label: str) -> list[str]:
    """Write the name of a class beside its colour."""
    return [cell(x, y - 11, 12, label), words(x + 18, y, label, "fill-ink")]


def triangle(x: float, y: float, pattern: Pattern, color: str) -> Iterable[str]:
    """Draw an attention pattern: queries go down, keys go right, above the diagonal is nothing."""
    for query in range(CELLS):
        for key in range(query + 1):
            strength = pattern(query, key)
            if strength >= 0.05:
                yield cell(x + CELL * key, y + CELL * query, CELL - 0.6, color, min(strength, 1))
