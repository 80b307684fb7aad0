"""Templates of messages: which placeholders exist, and what is put in their place.

``{{ rollout.name }}`` and the like, as in the queries of a policy; anything else in double braces is refused where the
file of sinks is read, so that ``fill`` meets only these.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDERS = (
    "rollout.namespace",
    "rollout.name",
    "reason",
    "message",
    "phase",
    "attempt",
    "step",
    "steps",
    "revision",
    "weights",
    "failover.phase",
    "failover.active",
    "failover.epoch",
    "number",
    "at",
    "link",
)
"""All that may stand between ``{{`` and ``}}``; ``at`` is RFC 3339, ``weights`` reads ``a 90, b 10``."""

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")


def refuse_unknown(text: str) -> str:
    """Return ``text`` as it is.

    Raises:
        ValueError: it holds a placeholder that does not exist, or braces that are never closed.
    """
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"has the unknown placeholder {{{{ {unknown[0]} }}}}")
    if "{{" in _PLACEHOLDER.sub("", text):
        raise ValueError("has a placeholder that is not closed by }}")
    return text


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each placeholder replaced by its value in ``values``; what has none is left out."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), text)
