"""How commands print: a text is printed as it is, whatever it holds.

Rich would read `[bold]` in the name of a class as a style, and `:book:` as a picture.
"""

import sys

from rich.console import Console


def plain_console(soft_wrap: bool = False) -> Console:
    """A console on stdout that reads no markup; `soft_wrap` leaves long lines whole."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)
