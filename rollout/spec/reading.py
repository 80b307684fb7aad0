"""Reading a raw document as a model, with every problem told at once.

A model stops at a document whose shape is wrong, and the rules over several fields
(``rollout.spec.admission``) need a whole model. So what is wrong is cut out, or a stand-in put in
its place where the model needs it, and the rest is read again: the rules then speak of everything
that is not touched by a cut. Called by ``rollout.spec.merge``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from rollout.errors import Problem
from rollout.spec.fields import Location, path_of
from rollout.spec.sentences import REQUIRED, told

MOST_AT_ONCE = 200
"""A document with more problems than this at once is told of so many; to look for more would take too long."""

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_CUT = object()
_STAND_INS: Mapping[str, object] = {
    "buckets": "x",
    "by": 1,
    "every": "1m",
    "from": 1,
    "name": "x",
    "query": "x",
    "to": 100,
    "total": "x",
    "url": "http://x",
    "weight": 1,
}
"""What stands in for a required field that is absent or wrong, so that the fields around it are looked at."""

M = TypeVar("M", bound=BaseModel)
Located = tuple[Location, Problem]
Holes = Mapping[Location, object]


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """What came of a document: its problems by location, and the model (None where something was cut)."""

    value: M | None
    problems: tuple[Located, ...]


def read(document: Mapping[str, object], model: type[M], rules: Callable[[M], Iterable[Problem]]) -> Reading[M]:
    """Read ``document`` as ``model`` and apply ``rules``; locations are those of ``document``."""
    holes: dict[Location, object] = {}
    found: dict[tuple[Location, str], Problem] = {}
    while () not in holes:
        rest = _without(document, holes) if holes else document
        try:
            value = model.model_validate(rest, by_alias=True, by_name=False)
        except ValidationError as error:
            first = islice(told(error, rest, model), MOST_AT_ONCE + 1)
            fresh = [(_original(location, holes), problem) for location, problem in first]
            _keep(found, fresh[:MOST_AT_ONCE], holes)
            if len(fresh) > MOST_AT_ONCE:
                break
            for location, problem in fresh:
                _dig(location, problem, holes)
        else:
            _keep(found, [(_original(location_of(problem.field), holes), problem) for problem in rules(value)], holes)
            return Reading(None if holes else value, _located(found))
    return Reading(None, _located(found))


def _keep(found: dict[tuple[Location, str], Problem], fresh: Iterable[Located], holes: Holes) -> None:
    """Remember each problem of ``fresh`` that does not come from a hole."""
    for location, problem in fresh:
        if not any(_touches(location, hole) for hole in holes):
            found.setdefault((location, problem.message), replace(problem, field=path_of(location)))


def _located(found: Mapping[tuple[Location, str], Problem]) -> tuple[Located, ...]:
    return tuple((location, problem) for (location, _), problem in found.items())


def _touches(location: Location, hole: Location) -> bool:
    """Return whether one of the two contains the other."""
    shorter = min(len(location), len(hole))
    return location[:shorter] == hole[:shorter]


def _dig(location: Location, problem: Problem, holes: dict[Location, object]) -> None:
    """Make the hole in which ``problem`` is gone: cut the field, put a stand-in there, or cut what is around it."""
    absent = problem.message == REQUIRED or location in holes
    name = location[-1] if location else ""
    if not absent:
        holes[location] = _CUT
    elif name in _STAND_INS and holes.get(location, _CUT) is _CUT:
        holes[location] = _STAND_INS[str(name)]
    else:
        # A second problem of what is cut already cannot be; if it is, nothing is left, so that this always ends.
        holes[() if location[:-1] in holes else location[:-1]] = _CUT


def _without(node: object, holes: Holes, here: Location = ()) -> object:
    """Return a copy of ``node`` without what is cut, and with what stands in."""
    if isinstance(node, Mapping):
        rest = {key: _without(item, holes, (*here, key)) for key, item in node.items() if (*here, key) not in holes}
        return rest | {hole[-1]: item for hole, item in holes.items() if hole[:-1] == here and item is not _CUT}
    if isinstance(node, list | tuple):
        return [_without(item, holes, (*here, i)) for i, item in enumerate(node) if (*here, i) not in holes]
    return node


def _original(location: Location, holes: Holes) -> Location:
    """Return where ``location`` was before the cuts: list indexes behind a cut move back up."""
    place: Location = ()
    for part in location:
        index = part
        if isinstance(index, int):
            for cut in sorted(hole[-1] for hole in holes if hole[:-1] == place and isinstance(hole[-1], int)):
                index += cut <= index
        place = (*place, index)
    return place


def location_of(path: str) -> Location:
    """Return the location that ``path`` (as ``path_of`` writes it) names."""
    return tuple(int(index) if index else name for name, index in _PART.findall(path))
