"""Lists: which Rollouts the filters let through, in order of namespace and name, a page at a time.

Called by the routes. Looks at plain values only, so that a page out of ten thousand costs milliseconds. A page goes on
after a name, so that Rollouts which come and go meanwhile are neither skipped nor told twice.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollout.api.problems import Refused, invalid
from rollout.api.service import Service
from rollout.errors import Problem
from rollout.failover.table import Stage
from rollout.ports import Key, StoredRollout
from rollout.spec.fields import printable

MOST_LABELS = 20
LABEL_ALLOWED = "name=value"
CONTINUE_ALLOWED = "what the page before gave as next"
_PLACE = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]{0,252})/([A-Za-z0-9][-A-Za-z0-9_.]{0,252})")


@dataclass(frozen=True, slots=True)
class Filters:
    """Which Rollouts are wanted: of a namespace (empty: all), in one of these phases (none: any), with these labels.

    ``failover`` are phases of failover (none: any).
    """

    namespace: str = ""
    phases: frozenset[str] = frozenset()
    failover: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Those of a page, how many there are in all, and after which key the next page begins (None: there is none)."""

    found: tuple[StoredRollout, ...]
    total: int
    last: Key | None


class Listing:
    """Lists the Rollouts of one service; keeps their order as long as none comes or goes."""

    def __init__(self, service: Service) -> None:
        """Begin with nothing in order."""
        self._service = service
        self._keys: tuple[Key, ...] = ()
        self._ordered: tuple[Key, ...] = ()

    def page(self, filters: Filters, *, after: Key | None, limit: int) -> Page:
        """Return at most ``limit`` Rollouts behind ``after``."""
        keys = self._found(filters)
        begin = 0 if after is None else bisect_right(keys, _order(after), key=_order)
        page = keys[begin : begin + limit]
        read = (self._service.store.read(key) for key in page)
        more = begin + limit < len(keys)
        return Page(tuple(stored for stored in read if stored is not None), len(keys), page[-1] if more else None)

    def _found(self, filters: Filters) -> Sequence[Key]:
        keys: Sequence[Key] = self._in_order()
        if filters.namespace:
            keys = [key for key in keys if key.namespace == filters.namespace]
        if filters.phases:
            keys = [key for key in keys if self._phase(key) in filters.phases]
        if filters.failover:
            keys = [key for key in keys if self._failover(key) in filters.failover]
        if filters.labels:
            wanted = tuple(filters.labels.items())
            keys = [key for key in keys if self._has(key, wanted)]
        return keys

    def _phase(self, key: Key) -> str:
        """Return the phase, empty before the first look."""
        state = self._service.controller.state(key)
        if state is not None:
            return state.phase.value
        stored = self._service.store.read(key)
        return "" if stored is None else str(stored.status.get("phase", ""))

    def _failover(self, key: Key) -> str:
        """Return the phase of failover; Normal where there is none."""
        state = self._service.controller.state(key)
        if state is not None:
            return state.failover.stage.value
        stored = self._service.store.read(key)
        failover = stored.status.get("failover") if stored is not None else None
        return str(failover.get("phase", Stage.NORMAL)) if isinstance(failover, Mapping) else Stage.NORMAL

    def _has(self, key: Key, wanted: Sequence[tuple[str, str]]) -> bool:
        stored = self._service.store.read(key)
        metadata = stored.document.get("metadata") if stored is not None else None
        labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
        return isinstance(labels, Mapping) and all(labels.get(name) == value for name, value in wanted)

    def _in_order(self) -> tuple[Key, ...]:
        keys = tuple(self._service.store.keys())
        if keys != self._keys:
            self._keys, self._ordered = keys, tuple(sorted(keys, key=_order))
        return self._ordered


def _order(key: Key) -> tuple[str, str]:
    return key.namespace, key.name


def labels_in(given: Sequence[str]) -> Mapping[str, str]:
    """Return the labels that are asked for as ``name=value``.

    Raises:
        Refused: one is not of this form, or there are too many.
    """
    if len(given) > MOST_LABELS:
        raise invalid(Problem("label", "is given too often", given=str(len(given)), allowed=f"at most {MOST_LABELS}"))
    wanted: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            problem = Problem("label", "does not have the right form", given=printable(text), allowed=LABEL_ALLOWED)
            raise invalid(problem)
        if wanted.setdefault(name, value) != value:
            raise invalid(Problem("label", "asks for two values", given=printable(text), allowed="each name once"))
    return wanted


def cursor_of(key: Key) -> str:
    """Return what stands for the place behind this Rollout."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Key:
    """Return the Rollout behind which a page goes on.

    Raises:
        Refused: the text is not one that a page gave.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        match = _PLACE.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
    except (binascii.Error, ValueError):
        match = None
    key = Key(match[1], match[2]) if match is not None else None
    if key is None or cursor_of(key) != cursor:
        raise _not_a_place(cursor)
    return key


def _not_a_place(cursor: str) -> Refused:
    return invalid(Problem("continue", "was not given by a page", given=printable(cursor), allowed=CONTINUE_ALLOWED))
