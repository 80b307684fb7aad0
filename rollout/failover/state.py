"""The state of failover of one Rollout: everything that must survive a restart, small and frozen.

``rollout.failover.status`` turns it into the ``failover`` part of a status and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from rollout.failover.health import Signal
from rollout.failover.shares import Shares
from rollout.failover.table import Stage

MOST_FAILOVERS = 100
"""So many failovers are counted at most; a larger ``maxFailovers`` latches at this number."""

_CAMEL = ConfigDict(
    alias_generator=to_camel, populate_by_name=True, serialize_by_alias=True, allow_inf_nan=False, extra="ignore"
)


class Result(StrEnum):
    """How a drill ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ABORTED = "ABORTED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Drilling:
    """The drill under way: its id, its backup, since when (Unix seconds)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    id: str
    backup: str
    began_at: float


@dataclass(frozen=True, slots=True)
class Drilled:
    """The last drill: how and when it ended, and why so."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    id: str
    at: float
    result: Result
    why: str


@dataclass(frozen=True, slots=True)
class Journey:
    """A way from one distribution to another in steps: ``step`` (1-based) was entered ``at`` (Unix seconds).

    ``back``: a failback, towards ``target`` (empty: tier 0), ``ordered`` by a person or not; else the ramp-up of a cold
    backup.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    origin: Shares
    goal: Shares
    step: int
    at: float
    back: bool = False
    target: str = ""
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Well:
    """How long a backend has been healthy: ``seconds`` up to ``since``, from when on it counts (None: not now)."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    name: str
    seconds: float = 0.0
    since: float | None = None

    def full_at(self, seconds: float, session_started_at: float) -> float | None:
        """Return the Unix time at which it will have counted ``seconds``, None while it stands still."""
        if self.since is None:
            return None
        return max(self.since, session_started_at) + seconds - self.seconds

    def at(self, now: float, session_started_at: float) -> float:
        """Return the seconds counted up to ``now``; what an earlier session has not recorded nobody has seen."""
        if self.since is None:
            return self.seconds
        return self.seconds + max(0.0, now - max(self.since, session_started_at))


@dataclass(frozen=True, slots=True)
class FailoverState:
    """Where failover stands. Times are Unix seconds, 0 where it has not been.

    ``active`` is the backup that carries the traffic, or most of it (empty: tier 0 does), ``shares`` what
    the backups are to have. ``epoch`` numbers failovers and proposals. ``since`` is when the stage began,
    ``pressing_since`` since when something that carries is down, ``moved_at`` when the shares last changed,
    ``left_at`` when tier 0 lost its traffic.
    ``cause`` are the signals that moved the traffic away. ``wait_seconds`` is the grown wait before
    failback (0: ``stableFor``). ``ordered``: moved by a person, so only a person moves it back; ``held``: a
    person wants that nothing moves. ``spread``: shares are equal because all are down. ``told`` are the
    loud reasons already told of, ``drill_seen`` is the last drill of the calendar that was taken note of.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL

    stage: Annotated[Stage, Field(alias="phase")] = Stage.NORMAL
    since: float = 0.0
    reason: Annotated[str, Field(max_length=64)] = ""
    message: Annotated[str, Field(max_length=1024)] = ""
    active: str = ""
    shares: Shares = ()
    epoch: Annotated[int, Field(ge=0)] = 0
    proposed: bool = False
    approved: bool = False
    ordered: bool = False
    held: bool = False
    spread: bool = False
    standby: bool = False
    cause: tuple[Signal, ...] = ()
    pressing_since: float = 0.0
    moved_at: float = 0.0
    left_at: float = 0.0
    wait_seconds: float = 0.0
    failovers: Annotated[tuple[float, ...], Field(max_length=MOST_FAILOVERS)] = ()
    well: Annotated[tuple[Well, ...], Field(max_length=9)] = ()
    journey: Journey | None = None
    drilling: Drilling | None = None
    drilled: Drilled | None = None
    drill_seen: Annotated[str, Field(max_length=128)] = ""
    told: Annotated[tuple[str, ...], Field(max_length=16)] = field(default=())

    @property
    def is_away(self) -> bool:
        """Return whether traffic is where only failover knows to bring it back from."""
        return bool(self.active) or self.spread or self.drilling is not None

    @property
    def is_normal(self) -> bool:
        """Return whether an attempt may start: nothing is moved, nor about to be."""
        return self.stage is Stage.NORMAL and not self.spread
