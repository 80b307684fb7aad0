"""The store of a rehearsal: one Rollout, its policies, its status and its commands, in memory.

Implements ``RolloutStore``. What people do (commands, edits, deletion) comes through the API as well, so it
waits while the API is down; commands wait for one another besides.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rollout.engine.observation import Command
from rollout.errors import ConflictError, NotOursError
from rollout.ports import Key, StoredRollout
from rollout.rehearsal.api import Api
from rollout.spec.merge import over
from rollout.spec.resource import PolicyRef

RECORD_SECONDS = 0.002
"""How long a record takes."""

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a record said: Unix seconds, the reason, the sentence, and whether a transition came with it."""

    at: float
    reason: str
    message: str
    moved: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that was refused: Unix seconds, what was ordered, and why not."""

    at: float
    command: str
    reason: str
    message: str


class SimulatedStore:
    """``RolloutStore`` in memory, for one Rollout."""

    def __init__(self, key: Key, document: Mapping[str, object], api: Api, now: Callable[[], float]) -> None:
        self.history: list[Status] = []
        self.doubled: list[Status] = []
        self.refused: list[Refused] = []
        self.said: list[Said] = []
        self.last_status: Status = {}
        self._key = key
        self._api = api
        self._now = now
        self._stored: StoredRollout | None = StoredRollout(key, document, {}, "1", 1)
        self._by_number: dict[int, Status] = {}
        self._policies: dict[tuple[str, str, str], Mapping[str, object]] = {}
        self._waiting: list[Command] = []
        self._ordered = 0
        self._listeners: list[Callable[[Key], None]] = []

    def keys(self) -> Iterable[Key]:
        """Return the key of the Rollout while it is there."""
        return () if self._stored is None else (self._key,)

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout while it is there."""
        return self._stored if key == self._key else None

    def policy(self, ref: PolicyRef, namespace: str) -> Mapping[str, object] | None:
        """Return a policy's document, or None."""
        return self._policies.get(_policy_key(ref.kind, namespace, ref.name))

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` after each change of the manifest, a policy or the waiting command."""
        self._listeners.append(listener)

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status, and take a handled command away.

        Raises:
            ConflictError: the version is another one, or the API is in conflict.
            NotOursError: the Rollout is gone.
            Unavailable: the API is down.
        """
        await asyncio.sleep(RECORD_SECONDS)
        stored = self._there(key)
        try:
            self._api.check(f"Rollout {key}")
        except ConflictError:
            self._put(stored)
            raise
        if stored.version != expected:
            raise ConflictError(f"{key} has changed since")
        self.last_status = json.loads(json.dumps(status))
        self._remember()
        command = None if self._is_handled(stored.command) else stored.command
        version = self._put(replace(stored, status=self.last_status, command=command)).version
        self._deliver()
        return version

    def _there(self, key: Key) -> StoredRollout:
        if key != self._key or self._stored is None:
            raise NotOursError(f"Rollout {key} is gone")
        return self._stored

    def _remember(self) -> None:
        """Append new transitions to the history, once by number; one that changed is kept apart for tests."""
        status, before = self.last_status, len(self.history)
        for entry in status.get("transitions", []):
            if entry["number"] > max(self._by_number, default=0):
                self.history.append(entry)
                self._by_number[entry["number"]] = entry
            elif self._by_number.get(entry["number"]) != entry:
                self.doubled.append(entry)
        self.said.append(Said(self._now(), status["reason"], status["message"], len(self.history) > before))

    def _is_handled(self, command: Command | None) -> bool:
        if command is None:
            return True
        for entry in self.last_status.get("handledCommands", []):
            if entry["id"] == command.id:
                if not entry["done"]:
                    self.refused.append(Refused(self._now(), command.action, entry["reason"], entry["message"]))
                return True
        return False

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Do nothing: the source can be asked again."""

    async def remove(self, key: Key) -> None:
        """Take the finished Rollout away.

        Raises:
            Unavailable: the API is down.
        """
        self._there(key)
        self._api.check(f"Rollout {key}")
        self._stored = None
        self._tell()

    def order(self, action: str, args: Mapping[str, object], reason: str) -> None:
        """Give a command, which is delivered as soon as the API is up and no other one waits."""
        self._ordered += 1
        self._waiting.append(Command(f"command-{self._ordered}", action, args, 0.0, reason, "rehearsal"))
        self._deliver()

    def _deliver(self) -> None:
        stored = self._stored
        if stored is None or stored.command is not None or self._api.down or not self._waiting:
            return
        self._put(replace(stored, command=replace(self._waiting.pop(0), at=self._now())))
        self._tell()

    def edit(self, spec: Mapping[str, object]) -> None:
        """Lay ``spec`` over the manifest's spec."""
        if self._stored is not None:
            document = over(self._stored.document, {"spec": spec})
            self._put(replace(self._stored, document=document, generation=self._stored.generation + 1))
            self._tell()

    def annotate(self, annotations: Mapping[str, str]) -> None:
        """Lay ``annotations`` over those of the manifest."""
        if self._stored is not None:
            document = over(self._stored.document, {"metadata": {"annotations": annotations}})
            self._put(replace(self._stored, document=document))
            self._tell()

    def delete(self) -> None:
        """Delete the Rollout: it stays until the controller has finished it."""
        if self._stored is not None:
            self._put(replace(self._stored, deleting=True, generation=self._stored.generation + 1))
            self._tell()

    def lose_status(self) -> None:
        """Forget the status, as when a Rollout is restored without it: its transitions are numbered from 1 again."""
        if self._stored is not None:
            self._by_number.clear()
            self._put(replace(self._stored, status={}))

    def add_policy(self, document: Mapping[str, Any]) -> None:
        """Make or replace a policy."""
        metadata = document["metadata"]
        key = _policy_key(document["kind"], metadata.get("namespace", "default"), metadata["name"])
        self._policies[key] = document
        self._tell()

    def came_back(self) -> None:
        """Say that the API is there again, and deliver what waited."""
        self._deliver()
        self._tell()

    def _put(self, stored: StoredRollout) -> StoredRollout:
        self._stored = replace(stored, version=str(int(stored.version) + 1))
        return self._stored

    def _tell(self) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, self._key)


def _policy_key(kind: str, namespace: str, name: str) -> tuple[str, str, str]:
    return (kind, "" if kind == "ClusterRolloutPolicy" else namespace, name)
