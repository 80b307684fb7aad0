"""``Journal`` of the kubernetes runtime: the recorded transitions of all Rollouts, as the watch tells of them.

There is no table to number them in, so the number comes from the cluster: a transition that is seen when it is written
has the sequence ``resourceVersion of that write x 128 + its place in the write, counted from behind``. That is the same
in every replica, grows over all Rollouts, outlives restarts and never comes again. The next status that is written
carries it along (``status.transitions[n].sequence``), so that who comes later knows it too.

Of the last transitions of a Rollout, which nobody has written after, a replica that starts knows only that they are no
newer than the object. It takes the object's version for that of the write: never less than the true one, so who goes
on where it was may be given one again (its Rollout and number tell), and misses none. Of Rollouts that were gone
before it started it knows nothing.

What is told comes from the watch alone, also where this replica wrote it, so that all replicas tell the same, once and
in one order. Statuses keep 20 transitions, and while a sink was not told up to 100, the older ones compact. A
transition is told, and remembered, as it was seen first. Beyond what statuses keep only what was seen by this process,
and a bounded part of it, is remembered. Called by ``store``.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rollout.kube.resources import Document, age_of, name_of, version_of
from rollout.kube.statuses import SEQUENCE, plain, transitions_of
from rollout.ports import Key, Recorded

PLACES = 128
"""So many transitions of one write have numbers of their own; a status keeps 100 at most."""

MOST_OF_ONE = 100
"""So many transitions of one Rollout are remembered."""

MOST_OF_ALL = 16_384
"""So many transitions are remembered in order."""

MOST_GONE = 1000
"""The transitions of so many Rollouts stay that are gone."""

Listener = Callable[[Recorded], None]


@dataclass(slots=True)
class _Life:
    """The transitions of one life of a Rollout: of one object, until its status is lost."""

    uid: str
    known: deque[Recorded] = field(default_factory=lambda: deque(maxlen=MOST_OF_ONE))
    newest: int = -1
    lost: bool = False


class KubeJournal:
    """The journal; fed by ``hear``. Belongs to the event loop."""

    def __init__(self, status: Callable[[Key], Mapping[str, Any]]) -> None:
        """Know nothing yet; ``status`` gives that of a Rollout as it was read or written last."""
        self._status = status
        self._lives: dict[Key, _Life] = {}
        self._gone: dict[Key, _Life] = {}
        self._order: list[Recorded] = []
        self._listed: list[Recorded] = []
        self._seen: set[Key] = set()
        self._trimmed_to = 0
        self._last = 0
        self._listeners: dict[object, Listener] = {}

    @property
    def last(self) -> int:
        """Return the sequence of the last transition that was told, 0 before the first."""
        return self._last

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Mapping[str, object]]:
        """Return transitions of the Rollout's last life, newest first, those numbered below ``before``.

        One that was just written here is among them, also before the watch has told of it.
        """
        life = self._lives.get(key) or self._gone.get(key) or _Life("")
        known = {_number(one): one.transition for one in life.known}
        known |= {number: entry for number, entry in transitions_of(self._status(key)) if number > life.newest}
        found = [known[number] for number in sorted(known, reverse=True) if before is None or number < before]
        return found[: max(0, limit)]

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Return the transitions of all Rollouts after this sequence, oldest first; trimmed ones are left out."""
        first = bisect_right(self._order, after, key=lambda one: one.sequence)
        return self._order[first : first + max(0, limit)]

    def may_miss(self, *, after: int, before: int) -> bool:
        """Return whether a transition with a sequence between these two may have been trimmed."""
        return after < min(before - 1, self._trimmed_to)

    def follow(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each transition once the watch has told of it, in order; return what ends that."""
        place = object()
        self._listeners[place] = listener

        def unfollow() -> None:
            self._listeners.pop(place, None)

        return unfollow

    def sequences(self, key: Key) -> Mapping[int, int]:
        """Return the sequences that are known of the Rollout's transitions, by number."""
        life = self._lives.get(key)
        return {_number(one): one.sequence for one in life.known} if life is not None else {}

    def shared(self, key: Key, transitions: object) -> object:
        """Return the transitions of a status with those that are remembered here in place of equal ones."""
        life = self._lives.get(key)
        if life is None or not isinstance(transitions, list):
            return transitions
        known = {_number(one): one.transition for one in life.known}
        return [_same(known, entry) for entry in transitions]

    def hear(self, kind: str, document: Document) -> None:
        """Take what the stream told: LISTING, LISTED with each object, and SYNCED of a list, or an event of the watch.

        A list that was broken off begins again; what it found is told once one is complete.
        """
        if kind == "LISTING":
            self._seen = set()
        elif kind == "LISTED":
            self._seen.add(Key(*name_of(document)))
            self._listed += self._fresh(document, live=False)
        elif kind == "SYNCED":
            self._settle()
        elif kind in {"ADDED", "MODIFIED"}:
            self._tell(self._fresh(document, live=True))
        elif kind == "DELETED":
            self._end(Key(*name_of(document)))

    def _settle(self) -> None:
        for key in self._lives.keys() - self._seen:
            self._end(key)
        listed, self._listed, self._seen = self._listed, [], set()
        self._tell(sorted(listed, key=lambda one: one.sequence))

    def _fresh(self, document: Document, *, live: bool) -> list[Recorded]:
        """Return the transitions of the object that are new here, with their sequences, and remember them."""
        key = Key(*name_of(document))
        entries = sorted(transitions_of(document.get("status")), key=lambda numbered: numbered[0])
        life = self._life(key, document, entries[-1][0] if entries else None)
        fresh = [(number, entry) for number, entry in entries if number > life.newest][-PLACES:]
        after = max(life.newest, 0)
        upper = age_of(version_of(document)) * PLACES + PLACES - 1
        made = []
        for left, (number, entry) in zip(range(len(fresh) - 1, -1, -1), fresh, strict=True):
            told = entry.get(SEQUENCE)
            sequence = told if not live and isinstance(told, int) and 0 < told < upper else upper - left
            made.append(Recorded(sequence, key, plain(entry)))
            life.newest = number
        if made and _number(made[0]) > after + 1:
            self._trimmed_to = max(self._trimmed_to, made[0].sequence - 1)
        life.known.extend(made)
        return made

    def _life(self, key: Key, document: Document, newest: int | None) -> _Life:
        """Return the life of which the status tells; a status that is lost ends one, the next begins another."""
        uid = str((document.get("metadata") or {}).get("uid") or "")
        life = self._lives.get(key)
        if life is None or life.uid != uid or (newest is not None and (life.lost or newest < life.newest)):
            life = self._lives[key] = _Life(uid)
            self._gone.pop(key, None)
        elif newest is None and life.known:
            life.lost = True
        return life

    def _end(self, key: Key) -> None:
        life = self._lives.pop(key, None)
        if life is None or not life.known:
            return
        self._gone[key] = life
        while len(self._gone) > MOST_GONE:
            del self._gone[next(iter(self._gone))]

    def _tell(self, made: Sequence[Recorded]) -> None:
        loop = asyncio.get_running_loop()
        for one in made:
            # Only in a cluster that was restored from a backup is a number below those that were given.
            recorded = one if one.sequence > self._last else Recorded(self._last + 1, one.key, one.transition)
            self._last = recorded.sequence
            self._order.append(recorded)
            for place in self._listeners:
                loop.call_soon(self._call, place, recorded)
        if len(self._order) > 2 * MOST_OF_ALL:
            self._trimmed_to = max(self._trimmed_to, self._order[-MOST_OF_ALL - 1].sequence)
            del self._order[:-MOST_OF_ALL]

    def _call(self, place: object, recorded: Recorded) -> None:
        listener = self._listeners.get(place)
        if listener is not None:
            listener(recorded)


def _number(recorded: Recorded) -> int:
    number: Any = recorded.transition["number"]
    return int(number)


def _same(known: Mapping[int, Mapping[str, object]], entry: Any) -> object:  # noqa: ANN401 - any JSON
    number = entry.get("number") if isinstance(entry, Mapping) else None
    remembered = known.get(number) if isinstance(number, int) else None
    return remembered if remembered == plain(entry) else entry
