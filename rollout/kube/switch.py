"""``SwitchRecord`` of a cluster: the operator's switch as one ConfigMap, which people may turn with kubectl, too.

Its key ``failover`` says ``auto`` or ``stopped``, ``failover-reason`` why. Whoever turns it by the API stands in
``failover-by`` and ``failover-since``; that counts only while nobody else has set ``failover`` since, which the API
server keeps book of (``managedFields``). What is neither ``auto`` nor absent stops: somebody meant to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rollout.ending import end
from rollout.errors import ConflictError, NotOursError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.cache import Name
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import CONFIG_MAPS, MANAGER, Document, version_of
from rollout.ports import Clock, Key
from rollout.signals import Position
from rollout.spec.fields import printable

NAME = "rollout-controller"
"""The name of the ConfigMap, in the namespace of the Leases."""

STATE, REASON, BY, SINCE = "failover", "failover-reason", "failover-by", "failover-since"
AUTO, STOPPED = "auto", "stopped"

RENEW_SECONDS = 15.0
"""A watch that died without a word is found as soon as this."""

PATIENCE_SECONDS = 2.0
MOST_TRIES = 5
MOST_KEPT = 1024
MOST_REASON = 256
"""A longer reason is cut: it is shown in one sentence."""


class KubeSwitch:
    """The operator's switch of one cluster; begun with ``start``, ended with ``aclose``."""

    def __init__(self, api: KubeApi, clock: Clock, *, chance: Callable[[], float], namespace: str) -> None:
        """Watch the ConfigMap in ``namespace``; ``chance`` gives jitter from 0 to 1."""
        self._api = api
        self._namespace = namespace
        options = ReflectorOptions(renew_seconds=RENEW_SECONDS, name=NAME)
        self._watch = Reflector(
            api, CONFIG_MAPS, kept_switch, clock, chance=chance, namespace=namespace, options=options
        )
        self._watch.subscribe(self._changed)
        self._listeners: list[Callable[[], None]] = []
        self._first: asyncio.Task[None] | None = None

    @property
    def key(self) -> Key:
        """Return namespace and name of the ConfigMap."""
        return Key(self._namespace, NAME)

    @property
    def uid(self) -> str:
        """Return its uid, empty while there is none."""
        found = self._watch.get(self._namespace, NAME)
        return "" if found is None else str(found["metadata"].get("uid") or "")

    async def start(self) -> None:
        """Begin, and return when the ConfigMap was read or is known not to be there; soon at any rate.

        Where it cannot be read nobody fails over, and everything else goes on.
        """
        self._first = asyncio.create_task(self._begin(), name="first reading of the switch")
        await self._watch.start(patience_seconds=PATIENCE_SECONDS)

    async def aclose(self) -> None:
        """End the watch."""
        await self._watch.aclose()
        await end(self._first)

    def read(self) -> Position:
        """Return the position as last seen.

        Raises:
            Unavailable: it was not seen yet.
        """
        if not self._watch.synced:
            why = f" ({self._watch.problem})" if self._watch.problem else ""
            raise Unavailable(f"ConfigMap {self._namespace}/{NAME} was not read yet{why}")
        found = self._watch.get(self._namespace, NAME)
        return _said(found)

    async def turn(self, position: Position) -> None:
        """Write the position into the ConfigMap, which is made where there is none; its other keys stay.

        Raises:
            Unavailable: the API server cannot be reached, or others wrote each time.
            Forbidden: we may not.
        """
        for _ in range(MOST_TRIES):
            try:
                self._watch.put(await self._write(position))
            except (ConflictError, NotOursError):
                continue
            return
        raise Unavailable(f"ConfigMap {self._namespace}/{NAME} was changed by others each of {MOST_TRIES} times")

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each change, the first reading included."""
        self._listeners.append(listener)

    async def _write(self, position: Position) -> Document:
        entries = _entries(position)
        try:
            found = await self._api.get(CONFIG_MAPS, self._namespace, NAME)
        except NotOursError:
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": entries}
            return await self._api.create(CONFIG_MAPS, made, namespace=self._namespace)
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": version_of(found)}
        entries = {**(found.get("data") or {}), **entries}
        change = {"op": "add", "path": "/data", "value": entries}
        return await self._api.patch(CONFIG_MAPS, self._namespace, NAME, [test, change])

    def _changed(self, _name: Name, before: Document | None, now: Document | None) -> None:
        if self._watch.synced and _said(before) != _said(now):
            self._tell()

    async def _begin(self) -> None:
        await self._watch.answered()
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _said(kept: Document | None) -> Position:
    position: Position = Position() if kept is None else kept["position"]
    return position


def position_of(document: Document) -> Position:
    """Return what the ConfigMap says."""
    data, metadata = document.get("data") or {}, document["metadata"]
    entries = {key: str(data[key])[:MOST_KEPT] for key in (STATE, REASON, BY, SINCE) if key in data}
    setter = _setter(metadata.get("managedFields") or ())
    if STATE not in entries:
        return Position()
    state, reason = entries[STATE].strip().lower(), " ".join(entries.get(REASON, "").split())
    if setter.get("manager", MANAGER) == MANAGER:
        by, since = entries.get(BY, ""), entries.get(SINCE, "")
    else:
        by, since = f"ConfigMap, field manager {setter['manager']}", setter["time"]
    if state not in {AUTO, STOPPED}:
        odd = f"{STATE} is {printable(state)!r}, which is neither {AUTO} nor {STOPPED}"
        reason = f"{odd}; {reason}" if reason else odd
    return Position(state != AUTO, printable(by), _seconds(since), _plain(reason))


def kept_switch(document: Document) -> Document:
    """Return what stays in memory of the ConfigMap: what it says, worked out once, since every pass asks."""
    metadata = {name: document["metadata"].get(name) for name in ("namespace", "name", "uid", "resourceVersion")}
    return {"metadata": metadata, "position": position_of(document)}


def _setter(managed: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """Return the manager that set ``failover`` last, and when; empty where nobody keeps book."""
    own = [entry for entry in managed if f"f:{STATE}" in ((entry.get("fieldsV1") or {}).get("f:data") or {})]
    if not own:
        return {}
    last = max(own, key=lambda entry: str(entry.get("time", "")))
    return {"manager": str(last.get("manager", "")), "time": str(last.get("time", ""))}


def _entries(position: Position) -> dict[str, str]:
    """Return the keys of the ConfigMap that say so."""
    return {
        STATE: STOPPED if position.stopped else AUTO,
        REASON: position.reason,
        BY: position.by,
        SINCE: datetime.fromtimestamp(position.at, UTC).isoformat(timespec="milliseconds"),
    }


def _seconds(time: str) -> float:
    """Return the Unix seconds of a time after RFC 3339, 0 where that is none."""
    try:
        read = datetime.fromisoformat(time)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _plain(text: str) -> str:
    """Return the text without what cannot be printed, and no longer than a sentence should be."""
    plain = "".join(char for char in text if char.isprintable())
    return plain if len(plain) <= MOST_REASON else f"{plain[: MOST_REASON - 3]}..."
