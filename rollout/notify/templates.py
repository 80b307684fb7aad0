"""Templates of messages: which placeholders exist, and what is put in their place.

``{{ rollout.name }}`` and the like, as in the queries of a policy; anything else in double braces is refused where the
file of sinks is read, so that ``fill`` meets only these.
"""

from __future__ import annotations

from collections.abc import Mapping

from rollout.spec import placeholders

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
_NOTHING = dict.fromkeys(PLACEHOLDERS, "")


def refuse_unknown(text: str) -> str:
    """Return ``text`` as it is.

    Raises:
        ValueError: it holds a placeholder that does not exist, or braces that are never closed.
    """
    return placeholders.refuse_unknown(text, known=PLACEHOLDERS)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with each placeholder replaced by its value in ``values``; what has none is left out."""
    return placeholders.fill(text, {**_NOTHING, **values})
