"""What one pass knows of health, as values: readings, the calendar, a command. Time is one of them.

Filled by the controller, read by ``rollout.failover.decide``.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.failover.health import Reading
from rollout.failover.table import Action

BLIND_SECONDS = 30.0
"""So long after a start nobody knows yet how the backends are, and that is nothing to tell of."""


@dataclass(frozen=True, slots=True)
class BackendSeen:
    """A backend and what each signal says of it; ``resting``: it is said to be scaled to zero on purpose."""

    name: str
    readings: tuple[Reading, ...] = ()
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the cron expressions of windows and drills come to at this moment (Unix seconds; None: no such time).

    ``window_until``: the failback window that is open ends then; ``window_opens_at``: the next one opens.
    ``blocked_until``: drills are blocked until then. ``drill_due`` identifies the last drill that came due
    within the past minutes (empty: none), ``next_drill_at`` is the next time of the schedule.
    """

    window_until: float | None = None
    window_opens_at: float | None = None
    blocked_until: float | None = None
    drill_due: str = ""
    next_drill_at: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A command of a person: ``to`` is for failover, ``epoch`` for failback and approve; ``by`` is shown as it is."""

    action: Action
    to: str = ""
    epoch: int | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that a pass has seen of failover.

    ``stable`` is the backend in the stable role, ``canary`` the one in the canary role with ``split`` percent
    of tier 0, ``backups`` in order of preference. ``attempt``: an attempt is under way. ``stopped``: the
    operator stopped all automatic failover. ``suspended``: nothing may be written. ``crowded``: more
    primaries are down than may fail over at once (``rollout.failover.fleet``). ``written_at`` is when the
    present shares were written (None: they were not), ``followed`` whether the gateway says it serves them
    (None: it does not say).
    """

    stable: BackendSeen
    backups: tuple[BackendSeen, ...] = ()
    canary: BackendSeen | None = None
    split: float = 0.0
    session_started_at: float = 0.0
    attempt: bool = False
    stopped: bool = False
    suspended: bool = False
    crowded: bool = False
    calendar: Calendar = Calendar()
    order: Order | None = None
    written_at: float | None = None
    followed: bool | None = None
