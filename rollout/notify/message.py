"""What is told: a notice for each transition, and the message that carries one of them, or a list.

Values only; which sink shows them how is in ``rollout.notify.shapes``, when and in which order they go in
``rollout.notify.delivery``. What a notice says of its transition is recorded, and with that its id is the same after a
crash and on another replica. But for this: steps and revision are known while the attempt is the one of now, and of
what is told late the sentence may be cut and the weights may be missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rollout.ports import Key


class Level(StrEnum):
    """How a notice is meant: it colours a message, and nothing else."""

    GOOD = "Good"
    NEWS = "News"
    WARNING = "Warning"
    BAD = "Bad"


class Kind(StrEnum):
    """What a message is: of one transition, of many at once, of those that were not told one by one, or a trial."""

    TRANSITION = "Transition"
    DIGEST = "Digest"
    EARLIER = "Earlier"
    TRIAL = "Trial"


@dataclass(frozen=True, slots=True)
class Notice:
    """One transition as it is told.

    ``id`` is the same whenever and by whomever it is told; no two transitions have the same, also not those of two
    lives of a name. ``at`` is Unix seconds, ``step`` 1-based (0: none), ``steps`` how many there are (0: not known),
    ``weights`` by backend after it. ``message`` is the sentence of the status, whole. ``stage``, ``active`` and
    ``epoch`` tell of failover (empty and 0: there is none). ``link`` leads to more (empty: there is none).
    """

    id: str
    key: Key
    number: int
    at: float
    reason: str
    message: str
    level: Level
    phase: str
    attempt: int = 0
    step: int = 0
    steps: int = 0
    revision: str = ""
    weights: Mapping[str, int] | None = None
    stage: str = ""
    active: str = ""
    epoch: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent at once to one sink; ``id`` is the same when it is sent again.

    Of kind ``TRANSITION`` it has one notice, of kind ``DIGEST`` those of many Rollouts (and ``more`` that are only
    counted), in order for each Rollout. ``EARLIER`` says that ``more`` transitions of ``key`` were not told one by one
    (they were undelivered for too long). ``title`` (at most 120 characters) says who and what, ``text`` (at most 2,000)
    why, both without any markup. ``folded`` of the ``more`` are kept no more. ``thread`` is what the sink
    called the thread that this belongs to, empty for the first of it.
    """

    id: str
    kind: Kind
    title: str
    text: str
    level: Level
    notices: tuple[Notice, ...] = ()
    key: Key | None = None
    more: int = 0
    folded: int = 0
    thread: str = ""
