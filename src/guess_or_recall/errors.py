"""The one exception that reaches the user as a line, not as a traceback."""


class UserError(ValueError):
    """Bad input: the message names the offending value, what is allowed, and the way out."""
