"""The operator's switch, which stops all automatic failover: the setting of this replica, and the record of all.

Either of them stops it. What the record last said holds while it cannot be read; before it was read once, nobody knows,
and failover waits. Joined by ``rollout.bootstrap``; asked in every pass, and by the API, which turns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from rollout.errors import Unavailable
from rollout.ports import Clock
from rollout.signals import Position, SwitchRecord

log = structlog.get_logger(__name__)

AUTOMATIC = "Failover is automatic."
BY_SETTING = "Failover is stopped by the setting failover of this replica."


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether automatic failover is stopped, and in one sentence by whom, since when and why.

    ``position`` is the record's (None: not read yet), ``by_setting`` whether the setting of this replica stops it.
    """

    stopped: bool
    message: str
    position: Position | None
    by_setting: bool


class OperatorSwitch:
    """``Switch`` of one replica."""

    def __init__(self, record: SwitchRecord, clock: Clock, *, by_setting: bool = False) -> None:
        """Look at ``record``; with ``by_setting``, failover is stopped here whatever that says."""
        self._record = record
        self._clock = clock
        self._by_setting = by_setting
        self._listeners: list[Callable[[], None]] = []
        self._told: Standing | None = None
        record.subscribe(self._changed)

    @property
    def stopped(self) -> str:
        """Return one sentence that says who stopped it, when and why; empty: it is not stopped."""
        return self.standing().message if self._is_stopped() else ""  # asked in every pass: most need no sentence

    def standing(self) -> Standing:
        """Return how things stand."""
        try:
            position = self._record.read()
        except Unavailable as error:
            message = BY_SETTING if self._by_setting else f"Failover is stopped until its switch was read: {error}."
            return Standing(stopped=True, message=message, position=None, by_setting=self._by_setting)
        stopped = position.stopped or self._by_setting
        message = BY_SETTING if self._by_setting and not position.stopped else told(position, self._clock.now())
        return Standing(stopped, message, position, self._by_setting)

    def _is_stopped(self) -> bool:
        try:
            return self._by_setting or self._record.read().stopped
        except Unavailable:
            return True

    async def turn(self, *, stopped: bool, by: str, reason: str = "") -> Standing:
        """Stop all automatic failover, or let it be; return how things stand then. What stands so already stays so.

        Raises:
            Unavailable: it cannot be kept now.
            NotAllowedError: the platform does not let us.
        """
        before = self.standing().position
        if before is None or (before.stopped, before.reason) != (stopped, reason):
            await self._record.turn(Position(stopped, by, self._clock.now(), reason))
        return self.standing()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each change of ``stopped``."""
        self._listeners.append(listener)

    def begin(self) -> None:
        """Say in the log how things stand at the start."""
        self._tell()

    def _changed(self) -> None:
        self._tell()
        for listener in self._listeners:
            listener()

    def _tell(self) -> None:
        """Log what changed: that it is stopped as a warning, since it is meant to last for a while only."""
        standing, before = self.standing(), self._told
        if before is not None and (before.stopped, before.position) == (standing.stopped, standing.position):
            return
        self._told = standing
        if standing.stopped:
            log.warning("failover is stopped", why=standing.message)
        elif before is not None and before.stopped:
            log.warning("failover is automatic again", why=standing.message)


def told(position: Position, now: float) -> str:
    """Return who turned the switch, when and why, in one sentence."""
    verb = "stopped" if position.stopped else "automatic"
    if not (position.by or position.at or position.reason or position.stopped):
        return AUTOMATIC
    by = f" by {position.by}" if position.by else ""
    since = f" since {_time(position.at, now)}" if position.at else ""
    why = f": {position.reason.rstrip('.')}" if position.reason else ""
    return f"Failover is {verb}{by}{since}{why}."


def _time(at: float, now: float) -> str:
    """Return the time of day, with the date unless it is today's (UTC)."""
    then, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC).date()
    return f"{then:%H:%M} UTC" if then.date() == today else f"{then:%Y-%m-%d %H:%M} UTC"
