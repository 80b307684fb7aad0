"""How the command line writes times, weights and what others wrote."""

from __future__ import annotations


def safe(text: str) -> str:
    """Return ``text`` with every character that is not for printing escaped, so that a terminal obeys nobody else."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def age(seconds: float) -> str:
    """Return how long ago something was, as Kubernetes does: ``45s``, ``12m``, ``5h``, ``3d``, ``2y``."""
    for unit, size, most in (("s", 1, 120), ("m", 60, 120), ("h", 3600, 48), ("d", 86400, 730)):
        if seconds < size * most:
            return f"{max(0, int(seconds / size))}{unit}"
    return f"{int(seconds / 86400 / 365)}y"


def span(seconds: float) -> str:
    """Return a duration for a countdown: ``0s``, ``59s``, ``4m05s``, ``1h02m``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes_left:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def percent(weight: float) -> str:
    """Return a weight in percent, with as many digits as it needs."""
    return f"{weight:.4g}%"
