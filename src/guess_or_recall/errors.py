"""The one exception that reaches the user as a line, not as a traceback."""


class UserError(ValueError):
    """Bad input: the message names the offending value, what is allowed, and the way out."""


def first_line(error: Exception) -> str:
    """The first line of another library's message, to be part of a UserError's."""
    return str(error).strip().split("\n")[0]
