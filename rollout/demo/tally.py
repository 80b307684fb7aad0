"""What the clients of the demo saw, counted: the values that the load program reports.

Written by ``rollout.demo.load`` four times a second, read and added up by ``rollout.demo.traffic``.
A failed answer is anything but 2xx or gRPC OK, a time-out or a broken connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

NOBODY = ""
"""The backend of a request that no backend answered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The answers of one backend: how many, how many failed, how many were slow, and when (Unix seconds)."""

    answered: int = 0
    failed: int = 0
    slow: int = 0
    first_failed_at: float | None = None
    first_slow_at: float | None = None
    last_at: float | None = None
    first_at: float | None = None

    def __add__(self, later: Seen) -> Seen:
        """Return what both saw; ``later`` came after."""
        return Seen(
            self.answered + later.answered,
            self.failed + later.failed,
            self.slow + later.slow,
            _first(self.first_failed_at, later.first_failed_at),
            _first(self.first_slow_at, later.first_slow_at),
            later.last_at if later.last_at is not None else self.last_at,
            _first(self.first_at, later.first_at),
        )

    def with_answer(self, at: float, *, failed: bool, slow: bool) -> Seen:
        """Return what was seen with one answer more."""
        return self + Seen(1, int(failed), int(slow), at if failed else None, at if slow else None, at, at)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one service's clients saw: requests sent, and answers by backend.

    ``p50_seconds`` and ``p99_seconds`` are of all answers, measured from the moment when the
    request was due; they are those of the latest part when tallies are added.
    """

    sent: int = 0
    backends: Mapping[str, Seen] | None = None
    p50_seconds: float = 0.0
    p99_seconds: float = 0.0

    @property
    def answered(self) -> int:
        """Return how many requests have ended, one way or the other."""
        return sum(seen.answered for seen in self._seen)

    @property
    def failed(self) -> int:
        """Return how many requests failed."""
        return sum(seen.failed for seen in self._seen)

    @property
    def first_failed_at(self) -> float | None:
        """Return when the first failed answer came."""
        return min((seen.first_failed_at for seen in self._seen if seen.first_failed_at is not None), default=None)

    def of(self, backend: str) -> Seen:
        """Return what was seen of ``backend``."""
        return (self.backends or {}).get(backend, Seen())

    def __add__(self, later: Tally) -> Tally:
        """Return what both saw; ``later`` came after."""
        names = {*(self.backends or {}), *(later.backends or {})}
        backends = {name: self.of(name) + later.of(name) for name in sorted(names)}
        return Tally(self.sent + later.sent, backends, later.p50_seconds, later.p99_seconds)

    @property
    def _seen(self) -> Iterable[Seen]:
        return (self.backends or {}).values()


@dataclass(frozen=True, slots=True)
class Report:
    """One report of the load program: what every service's clients saw between two moments (Unix seconds)."""

    since: float
    until: float
    services: Mapping[str, Tally]

    def to_wire(self) -> dict[str, object]:
        """Return the report as JSON has it."""
        return asdict(self)


def report_from_wire(wire: Mapping[str, object]) -> Report:
    """Return the report that ``to_wire`` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    services = {name: _tally(_mapping(tally)) for name, tally in _mapping(wire["services"]).items()}
    return Report(float(str(wire["since"])), float(str(wire["until"])), services)


def _tally(wire: Mapping[str, object]) -> Tally:
    backends = {name: _seen(_mapping(seen)) for name, seen in _mapping(wire["backends"] or {}).items()}
    return Tally(_whole(wire["sent"]), backends, float(str(wire["p50_seconds"])), float(str(wire["p99_seconds"])))


def _seen(wire: Mapping[str, object]) -> Seen:
    return Seen(
        _whole(wire["answered"]),
        _whole(wire["failed"]),
        _whole(wire["slow"]),
        _moment(wire["first_failed_at"]),
        _moment(wire["first_slow_at"]),
        _moment(wire["last_at"]),
        _moment(wire["first_at"]),
    )


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = f"not an object: {value!r}"
        raise TypeError(message)
    return value


def _whole(value: object) -> int:
    return int(str(value))


def _moment(value: object) -> float | None:
    return None if value is None else float(str(value))


def _first(earlier: float | None, later: float | None) -> float | None:
    return later if earlier is None else earlier
