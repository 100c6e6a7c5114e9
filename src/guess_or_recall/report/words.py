"""Values as several commands print them."""


def duration(seconds: float) -> str:
    """A time to be read: 1 h 5 min, 12 min, 40 s."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
