"""A desk: what is known of one Rollout that we act for, who is told of it and how far each has been told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rollout.engine.observation import Cursor
from rollout.engine.state import State
from rollout.engine.telling import farthest
from rollout.notify.delivery.filters import ALL, Rule, fits
from rollout.notify.delivery.wanted import together, written
from rollout.notify.sinks import Sink
from rollout.ports import StoredRollout
from rollout.spec.resource import Rollout

UNKNOWN_SINK = "no such sink is set up"
NOT_TAKEN = "the sink is not told of this namespace or these labels"
STANDING = (UNKNOWN_SINK, NOT_TAKEN)
"""Problems that last as long as spec and sinks are what they are."""

MOST_WORKED_OUT = 2000
"""So many different wishes are remembered before all are worked out anew."""

NOTHING: Mapping[str, Cursor] = MappingProxyType({})

Life = tuple[str, float]
"""What tells one life of a name from the next: the platform's id, and when it was made."""

NO_LIFE: Life = ("", 0.0)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Who is told of a Rollout (``sinks``, each once), of what, and the standing problems with that, by sink."""

    sinks: tuple[str, ...]
    rules: Mapping[str, Rule]
    problems: Mapping[str, str]


@dataclass(slots=True)
class Desk:
    """The mutable part. ``told`` has the cursors that are newer than the record, and is replaced, never changed.

    ``due``: the next pass is to record them, ``asked`` were those for which a pass was woken last. ``seen`` is the
    number of the last transition that was looked at (-1: none). ``last`` is the state with which something was owed
    last, for a Rollout that is gone before all was told.
    """

    life: Life
    rollout: Rollout | None
    wishes: Wishes
    told: Mapping[str, Cursor] = field(default_factory=lambda: NOTHING)
    due: bool = False
    asked: Mapping[str, Cursor] = field(default_factory=lambda: NOTHING)
    seen: int = -1
    last: State | None = None

    def cursor(self, sink: str, state: State) -> Cursor | None:
        """Return how far the sink was told; None: it is not wanted, or not noted yet."""
        recorded = next((cursor for cursor in state.notified if cursor.sink == sink), None)
        return farthest(self.told.get(sink), recorded)  # others may have told of it meanwhile

    def rewind(self, number: int) -> None:
        """Forget cursors beyond transition ``number``: what they are of was never recorded, and did not happen."""
        if any(cursor.number > number for cursor in self.told.values()):
            self.told = {sink: cursor for sink, cursor in self.told.items() if cursor.number <= number}
            self.asked = NOTHING


def is_recorded(told: Mapping[str, Cursor], state: State) -> bool:
    """Return whether the state has all these cursors, as far as they are wanted still."""
    recorded = {cursor.sink: cursor for cursor in state.notified}
    return all(_covers(recorded.get(sink), cursor) for sink, cursor in told.items() if sink in recorded)


def _covers(recorded: Cursor | None, cursor: Cursor) -> bool:
    if recorded is None or recorded.number < cursor.number:
        return False
    same = (recorded.thread, recorded.problem) == (cursor.thread, cursor.problem)
    return same or recorded.number > cursor.number


def life_of(stored: StoredRollout) -> Life:
    """Return which life of the name this is."""
    return stored.uid, stored.created_at


class Wisher:
    """Works out who is told of a Rollout, from its spec and from the sinks as the operator set them up."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        """Take the sinks in the order of the file."""
        self._sinks = {sink.name: sink for sink in sinks}
        self._labels = frozenset(name for sink in self._sinks.values() for name in sink.labels)
        self._worked_out = dict[object, Wishes]()

    def of(self, stored: StoredRollout, rollout: Rollout | None, state: State) -> Wishes:
        """Return who is told; without a ``rollout``, which is then invalid, those who were told before.

        Rollouts that want the same share it: there are many of them.
        """
        namespace = stored.key.namespace
        if rollout is None:
            labels, named = written(stored.document)
            asked = {cursor.sink: named.get(cursor.sink, ALL) for cursor in state.notified}
            return self._named(asked, namespace, labels)
        labels = {name: value for name, value in rollout.metadata.labels.items() if name in self._labels}
        wanted = tuple((wish.sink, wish.on) for wish in rollout.spec.notify)
        place = (namespace, tuple(sorted(labels.items())), wanted)
        if place not in self._worked_out:
            if len(self._worked_out) >= MOST_WORKED_OUT:
                self._worked_out.clear()
            self._worked_out[place] = self._named(self._asked(wanted, namespace, labels), namespace, labels)
        return self._worked_out[place]

    def _asked(
        self, wanted: Iterable[tuple[str, tuple[str, ...]]], namespace: str, labels: Mapping[str, str]
    ) -> Mapping[str, frozenset[str]]:
        """Return for what each sink is asked: those that are named, and those that are told of every Rollout."""
        asked = dict(together(wanted))
        for name, one in self._sinks.items():
            if one.every and name not in asked and fits(one, namespace, labels):
                asked[name] = ALL
        return asked

    def _named(self, asked: Mapping[str, frozenset[str]], namespace: str, labels: Mapping[str, str]) -> Wishes:
        rules, problems = dict[str, Rule](), dict[str, str]()
        for name, words in asked.items():
            sink = self._sinks.get(name)
            if sink is None:
                rules[name], problems[name] = Rule(shut=True), UNKNOWN_SINK
                continue
            shut = not fits(sink, namespace, labels)
            if shut:
                problems[name] = NOT_TAKEN
            loud = frozenset(sink.quiet.besides) if sink.quiet is not None else ALL
            rules[name] = Rule(words, frozenset(sink.on), loud, shut)
        return Wishes(tuple(asked), rules, problems)
