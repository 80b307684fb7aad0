"""A user's RDS file as text: which weights it holds, and the same text with other weights.

Text in, text out; ``rollout.envoy.routes`` does the reading and writing. The file is parsed only
to find *where* each weight stands, and an edit replaces those characters and the version. Writing
the parsed tree back would reformat the user's indentation, line widths and flow style; this way
every byte that is not a weight or the version stays as it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate

from rollout.errors import NotOursError, Problem

MAX_WEIGHT = 4_294_967_295
"""The largest weight, and the largest sum of a rule's weights (uint32 in Envoy's API)."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value stands in the text: characters from ``start`` up to ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FileRef:
    """One entry of ``weighted_clusters.clusters``; ``cluster`` is empty where the entry has no ``name``."""

    cluster: str
    weight: int
    spot: Spot


@dataclass(frozen=True, slots=True)
class FileRule:
    """One entry of ``virtual_hosts[].routes[]`` with the route's name; ``name`` is the virtual host's."""

    index: int
    name: str
    refs: tuple[FileRef, ...]


@dataclass(frozen=True, slots=True)
class FileRoute:
    """All rules of one EnvoyRoute, the route configurations they stand in, and why it cannot be used (if it cannot)."""

    name: str
    configurations: tuple[str, ...]
    rules: tuple[FileRule, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionSlot:
    """Where ``version_info`` stands, or would: ``before`` and ``after`` are written around a new one."""

    value: str
    spot: Spot
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class RouteFile:
    """One parsed RDS file: its text, its version and its named weighted routes."""

    source: str
    text: str
    version: VersionSlot
    routes: Mapping[str, FileRoute]

    def configurations(self) -> tuple[str, ...]:
        """Return the names of the route configurations that hold a named weighted route, each once, in order."""
        return tuple(dict.fromkeys(name for route in self.routes.values() for name in route.configurations))


@dataclass(frozen=True, slots=True)
class _Edit:
    """One replacement in the text."""

    spot: Spot
    text: str


def edit(file: RouteFile, route: FileRoute, weights: Mapping[int, Mapping[str, int]], *, version: str) -> RouteFile:
    """Return ``file`` with these weights (rule index -> cluster -> weight) and this version; nothing else changes.

    Raises:
        NotOursError: a rule or a cluster of ``weights`` is not in the route.
        ValueError: a rule's weights would be all zero, or above ``MAX_WEIGHT`` in sum.
    """
    edits = [
        _Edit(ref.spot, str(weight))
        for index, wanted in weights.items()
        for ref, weight in _changed_refs(_rule(route, index), wanted, source=file.source)
    ]
    return _apply(file, [_version_edit(file.version, version), *edits])


def with_version(file: RouteFile, *, version: str) -> RouteFile:
    """Return ``file`` with another version and nothing else changed."""
    return _apply(file, [_version_edit(file.version, version)])


def _rule(route: FileRoute, index: int) -> FileRule:
    """Return the rule with this index."""
    for rule in route.rules:
        if rule.index == index:
            return rule
    message = f"EnvoyRoute {route.name} has no rule {index}; it has {len(route.rules)}"
    raise NotOursError(message)


def _changed_refs(rule: FileRule, wanted: Mapping[str, int], *, source: str) -> Iterator[tuple[FileRef, int]]:
    """Yield the refs whose weight changes, with the new weight, once the whole rule is known to be sound."""
    missing = sorted(set(wanted) - {ref.cluster for ref in rule.refs})
    if missing:
        message = f"{source}: the rule in virtual host {rule.name} does not name the cluster {', '.join(missing)}"
        raise NotOursError(message)
    after = [wanted.get(ref.cluster, ref.weight) if ref.cluster else ref.weight for ref in rule.refs]
    if min(after) < 0 or not 0 < sum(after) <= MAX_WEIGHT:
        message = (
            f"the weights of the rule in virtual host {rule.name} would sum to {sum(after)}; allowed: 1 to {MAX_WEIGHT}"
        )
        raise ValueError(message)
    return ((ref, weight) for ref, weight in zip(rule.refs, after, strict=True) if weight != ref.weight)


def _version_edit(slot: VersionSlot, version: str) -> _Edit:
    """Return the replacement that puts ``version`` into its slot."""
    return _Edit(slot.spot, slot.before + version + slot.after)


def _apply(file: RouteFile, edits: list[_Edit]) -> RouteFile:
    """Return the edited file with every spot moved along, so that it need not be parsed again."""
    ordered = sorted(edits, key=lambda edit: edit.spot.start)
    moves = _Moves(ordered)
    slot = file.version
    version_edit = next(edit for edit in edits if edit.spot == slot.spot)
    start = moves.start_of(slot.spot) + len(slot.before)
    value = version_edit.text[len(slot.before) : len(version_edit.text) - len(slot.after)]
    text = _replaced(file.text, ordered)
    routes = {name: _moved_route(route, moves, text) for name, route in file.routes.items()}
    return replace(file, text=text, version=VersionSlot(value, Spot(start, start + len(value))), routes=routes)


def _replaced(text: str, ordered: list[_Edit]) -> str:
    """Return ``text`` with the replacements made, which come in order and do not overlap."""
    pieces: list[str] = []
    at = 0
    for one in ordered:
        pieces += [text[at : one.spot.start], one.text]
        at = one.spot.end
    return "".join([*pieces, text[at:]])


class _Moves:
    """How far the edits before a place move it."""

    def __init__(self, ordered: list[_Edit]) -> None:
        """Remember the start of each edit and the sum of the growth up to it."""
        self._starts = [one.spot.start for one in ordered]
        self._lengths = {one.spot: len(one.text) for one in ordered}
        growth = (len(one.text) - (one.spot.end - one.spot.start) for one in ordered)
        self._growth = list(accumulate(growth, initial=0))

    def start_of(self, spot: Spot) -> int:
        """Return where ``spot`` starts after the edits."""
        return spot.start + self._growth[bisect_left(self._starts, spot.start)]

    def moved(self, spot: Spot) -> Spot:
        """Return ``spot`` after the edits, with its own new length if it was edited."""
        start = self.start_of(spot)
        return Spot(start, start + self._lengths.get(spot, spot.end - spot.start))


def _moved_route(route: FileRoute, moves: _Moves, text: str) -> FileRoute:
    """Return the route with its spots moved and its weights read from the new text."""
    return replace(
        route,
        rules=tuple(
            replace(rule, refs=tuple(_moved_ref(ref, moves, text) for ref in rule.refs)) for rule in route.rules
        ),
    )


def _moved_ref(ref: FileRef, moves: _Moves, text: str) -> FileRef:
    """Return the ref at its new place with the weight that stands there."""
    spot = moves.moved(ref.spot)
    return replace(ref, spot=spot, weight=int(text[spot.start : spot.end]))
