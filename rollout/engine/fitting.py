"""Fitting: what of the transitions has room in a status, so that no number of sinks and names makes that too large.

The last ones stand there whole, as far as the names of backends and the rest of the status let them. Of older ones,
which are there for sinks that were not told of them, stands what a message needs, with as much of its sentence as has
room; where there is none, the oldest go first. Called by ``status``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rollout.engine.state import MOST_TRANSITIONS, Transition

MOST_STATUS = 32 * 1024
"""So many bytes of JSON has a status at most."""

MOST_TEXT = 8192
"""So many bytes have the messages of whole transitions together; what is beyond is cut, the oldest first."""

MOST_WEIGHTS = 4096
"""So many characters have the weights of whole transitions together; with many long names older ones are compact."""

WEIGHT_TEXT = 12
LEAST_WHOLE = 5
"""So many transitions stay whole, however long the names of their backends are."""

SHORTEST_TEXT = 80
"""So much of a message stays of a whole transition in any case."""

COMPACT_TEXT = 40
"""So much of a message stays of a compact one."""

BESIDE = 36
"""So many bytes a transition takes beside its own: what stands between two, and the number that a store may add."""

Entry = dict[str, object]
EntryOf = Callable[[Transition], Entry]


@dataclass(slots=True)
class _Room:
    """What is left: in the status, for messages and for weights of whole transitions."""

    status: int
    text: int
    weights: int


def fitted(transitions: tuple[Transition, ...], entry_of: EntryOf, status: Mapping[str, object]) -> list[Entry]:
    """Return the entries of those transitions for which the rest of ``status`` leaves room, oldest first.

    The newest is among them, whole, in any case.
    """
    left = MOST_STATUS - _size(status)
    room = _Room(left, min(MOST_TEXT, left // 2), MOST_WEIGHTS)
    newest = transitions[::-1]
    whole: list[Entry] = []
    for made in newest[:MOST_TRANSITIONS]:
        entry = _whole(made, room, entry_of)
        room.status -= (size := _size(entry) + BESIDE)
        is_wide = room.weights < 0 and len(whole) >= LEAST_WHOLE
        if is_wide or (whole and room.status < 0):
            room.status += size
            break
        whole.append(entry)
    return [*_compact(newest[len(whole) :], room.status, entry_of), *whole[::-1]]


def _whole(made: Transition, room: _Room, entry_of: EntryOf) -> Entry:
    room.weights -= sum(len(name) + WEIGHT_TEXT for name, _ in made.weights)
    entry = entry_of(made)
    length = _length(made.message)
    if length > (most := max(room.text, SHORTEST_TEXT)):
        entry["message"] = _cut(made.message, most)
        length = _length(entry["message"])
    room.text -= length
    return entry


def _compact(newest: tuple[Transition, ...], room: int, entry_of: EntryOf) -> list[Entry]:
    """Return the entries without weights, oldest first; what is left beside them has the sentences of the newest."""
    fitting: list[tuple[Entry, str]] = []
    for made in newest:
        entry = entry_of(replace(made, weights=(), message=_cut(made.message, COMPACT_TEXT)))
        size = _size(entry) + BESIDE
        if size > room:
            break
        room -= size
        fitting.append((entry, made.message))
    for entry, message in fitting:
        short = _length(entry["message"])
        entry["message"] = _cut(message, short + room)
        room -= _length(entry["message"]) - short
    return [entry for entry, _ in reversed(fitting)]


def _cut(text: str, room: int) -> str:
    """Return as much of the text as has room in JSON."""
    while (length := _length(text)) > room:
        text = text[: len(text) * room // length]
    return text


def _length(text: object) -> int:
    return _size(text) - 2


def _size(value: object) -> int:
    return len(json.dumps(value))
