"""The weights that Envoy is told, read from its route file, and when they changed.

Used by trials and the live view. It reads the file itself, and takes no word of the controller for
it: what stands in the file is what Envoy serves a few milliseconds later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

_LOOK_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Change:
    """The weights by backend, over all routes, from the moment ``at`` (Unix seconds) on."""

    at: float
    weights: Mapping[str, int]


class WeightWatch:
    """Looks at the route file again and again, and keeps every change."""

    def __init__(self, routes: Path) -> None:
        """Begin with what stands in the file ``routes``."""
        self._routes = routes
        self.changes = [self._read()]

    @property
    def now(self) -> Mapping[str, int]:
        """Return the weights in force."""
        return self.changes[-1].weights

    def zero_since(self, backend: str, after: float) -> float | None:
        """Return when ``backend`` first had no weight after the moment ``after``; None while it has."""
        moments = (change.at for change in self.changes if change.at >= after and not change.weights.get(backend))
        return next(moments, None)

    async def follow(self) -> None:
        """Look for ever; the moment of the file's rename is kept, so that looking rarely costs no precision."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._changed_at() != self.changes[-1].at:
                self.changes.append(self._read())

    def _changed_at(self) -> float:
        return self._routes.stat().st_ctime

    def _read(self) -> Change:
        at = self._changed_at()
        document = YAML(typ="safe").load(self._routes.read_text())
        return Change(at, dict(_weights(document)))


def _weights(node: object) -> Iterator[tuple[str, int]]:
    """Give (name, weight) of everything that has both, wherever it stands."""
    if isinstance(node, dict):
        if "name" in node and "weight" in node:
            yield str(node["name"]), int(str(node["weight"]))
        for child in node.values():
            yield from _weights(child)
    elif isinstance(node, list):
        for child in node:
            yield from _weights(child)
