"""A store in memory that passes the contract of ``RolloutStore``, with faults to order.

It is stricter than a real one: a status that is not JSON, or larger than 32 KiB, is an error.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from rollout.engine.observation import Command
from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError, Problem, Unavailable
from rollout.ports import Key, StoredRollout
from rollout.spec.resource import PolicyRef
from rollout.sqlite.documents import decoded

Document = Mapping[str, object]

MOST_STATUS_BYTES = 32 * 1024


class FakeStore:
    """``RolloutStore`` in memory, and the ways by which intent comes in.

    Faults: ``down`` lets every write fail; ``fail`` queues errors that come instead of the next writes,
    ``fail_after`` errors that come although the write was done; ``conflict_next`` lets somebody else write first.
    ``records`` are (key, status) of every record that was done, ``checkpoints`` (key, judge, samples).
    """

    def __init__(self) -> None:
        self.down = False
        self.records: list[tuple[Key, dict[str, Any]]] = []
        self.checkpoints: list[tuple[Key, Document, Document]] = []
        self._before: deque[Exception] = deque()
        self._after: deque[Exception] = deque()
        self._conflicts = 0
        self._number = 0
        self._rollouts: dict[Key, StoredRollout] = {}
        self._sources: dict[Key, str] = {}
        self._policies: dict[tuple[str, str, str], Document] = {}
        self._policy_sources: dict[tuple[str, str, str], str] = {}
        self._history: dict[Key, dict[int, dict[str, object]]] = {}
        self._listeners: list[Callable[[Key], None]] = []

    def fail(self, *errors: Exception) -> None:
        """Raise these from the next writes, one each, which then change nothing."""
        self._before.extend(errors)

    def fail_after(self, *errors: Exception) -> None:
        """Raise these from the next writes, one each, after they have been done."""
        self._after.extend(errors)

    def conflict_next(self, times: int = 1) -> None:
        """Let somebody else write just before each of the next ``times`` records."""
        self._conflicts += times

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts."""
        return tuple(self._rollouts)

    def sources(self) -> Mapping[Key, str]:
        """Return from which file each Rollout that is not being deleted came."""
        return {key: source for key, source in self._sources.items() if not self._rollouts[key].deleting}

    def policy_sources(self) -> Mapping[tuple[str, str, str], str]:
        """Return from which file each policy (kind, namespace, name) came."""
        return dict(self._policy_sources)

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout, or None."""
        return self._rollouts.get(key)

    def policy(self, ref: PolicyRef, namespace: str) -> Document | None:
        """Return the policy's document, or None."""
        return self._policies.get(_policy_key(ref.kind, namespace, ref.name))

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status if the stored version is ``expected``."""
        self._begin()
        stored = self._there(key)
        if self._conflicts:
            self._conflicts -= 1
            stored = self._put(stored)
        if stored.version != expected:
            raise ConflictError(f"{key} has changed since: version {stored.version}, expected {expected}")
        kept = _as_json(status)
        command = None if stored.command is not None and stored.command.id in _handled(kept) else stored.command
        stored = self._put(replace(stored, status=kept, command=command))
        past = self._history.setdefault(key, {})
        for entry in kept.get("transitions", []):
            past.setdefault(entry["number"], entry)
        self.records.append((key, kept))
        self._end()
        return stored.version

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Keep the judge's state and the samples beside the status."""
        self._begin()
        stored = self._there(key)
        status = dict(stored.status)
        if _is_newer(judge, status.get("judge")):
            status["judge"] = _as_json(judge)
        self._rollouts[key] = replace(stored, status=status, samples=_as_json(samples))
        self.checkpoints.append((key, judge, samples))
        self._end()

    async def remove(self, key: Key) -> None:
        """Take a Rollout that has been finished away; its history stays."""
        self._begin()
        if self._rollouts.pop(key, None) is None:
            raise NotOursError(f"Rollout {key} is gone")
        self._sources.pop(key, None)
        self._end(key)

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` at once whenever a Rollout, its policy or its command changed."""
        self._listeners.append(listener)

    async def apply(self, document: Document, source: str = "") -> Key:
        """Make or change a Rollout; the generation grows only if what is wanted changed."""
        self._begin()
        _check_kind(document, "Rollout")
        key = _key_of(document)
        before = self._rollouts.get(key)
        self._sources[key] = source
        if before is None:
            self._history[key] = {}
            self._put(StoredRollout(key, document, {}, "", 1))
        elif before.deleting or _wanted(before.document) != _wanted(document):
            self._put(replace(before, document=document, generation=before.generation + 1, deleting=False))
        else:
            return key
        self._end(key)
        return key

    async def apply_policy(self, document: Document, source: str = "") -> None:
        """Make or change a policy."""
        self._begin()
        _check_kind(document, "RolloutPolicy", "ClusterRolloutPolicy")
        key = _key_of(document)
        name = _policy_key(str(document["kind"]), key.namespace, key.name)
        self._policy_sources[name] = source
        if self._policies.get(name) != document:
            self._policies[name] = document
            self._end(*self._users(name))

    async def remove_policy(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away."""
        self._begin()
        policy = _policy_key(kind, namespace, name)
        self._policy_sources.pop(policy, None)
        if self._policies.pop(policy, None) is not None:
            self._end(*self._users(policy))

    async def mark_deleting(self, key: Key) -> None:
        """Say that the Rollout is to go; the controller finishes it and then removes it."""
        self._begin()
        stored = self._there(key)
        if not stored.deleting:
            self._put(replace(stored, deleting=True))
            self._end(key)

    async def command(self, key: Key, command: Command) -> None:
        """Leave a command; another one that waits is a conflict, except that abort replaces it."""
        self._begin()
        stored = self._there(key)
        if stored.command is not None and command.action != "abort":
            raise ConflictError(f"{key}: command {stored.command.action} ({stored.command.id}) still waits")
        self._put(replace(stored, command=command))
        self._end(key)

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Document]:
        """Return the newest transitions first, those numbered below ``before``."""
        past = self._history.get(key, {})
        numbers = sorted((n for n in past if before is None or n < before), reverse=True)
        return tuple(past[number] for number in numbers[:limit])

    async def trim_history(self, keep: int) -> int:
        """Keep the newest ``keep`` transitions of each Rollout; return how many went."""
        gone = 0
        for past in self._history.values():
            outdated = sorted(past)[: max(0, len(past) - keep)]
            gone += len(outdated)
            for number in outdated:
                del past[number]
        return gone

    def _begin(self) -> None:
        if self.down:
            raise Unavailable("the store is down")
        if self._before:
            raise self._before.popleft()

    def _end(self, *changed: Key) -> None:
        for key in changed:
            for listener in self._listeners:
                listener(key)
        if self._after:
            raise self._after.popleft()

    def _there(self, key: Key) -> StoredRollout:
        stored = self._rollouts.get(key)
        if stored is None:
            raise NotOursError(f"Rollout {key} is gone")
        return stored

    def _put(self, stored: StoredRollout) -> StoredRollout:
        self._number += 1
        self._rollouts[stored.key] = replace(stored, version=str(self._number))
        return self._rollouts[stored.key]

    def _users(self, policy: tuple[str, str, str]) -> list[Key]:
        kind, namespace, name = policy
        return [
            key
            for key, stored in self._rollouts.items()
            if namespace in {"", key.namespace}
            and cast("dict[str, Any]", stored.document.get("spec", {})).get("policy") == {"kind": kind, "name": name}
        ]


def _policy_key(kind: str, namespace: str, name: str) -> tuple[str, str, str]:
    return (kind, "" if kind == "ClusterRolloutPolicy" else namespace, name)


def _check_kind(document: Document, *kinds: str) -> None:
    if document.get("kind") not in kinds:
        raise ConfigurationError((Problem("kind", "is another kind", allowed=", ".join(kinds)),))


def _key_of(document: Document) -> Key:
    metadata = document.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    names = [given.get("namespace", "default"), given.get("name")]
    for field, name in zip(("metadata.namespace", "metadata.name"), names, strict=True):
        if not isinstance(name, str) or not name:
            raise ConfigurationError((Problem(field, "is not a name"),))
    return Key(*names)


def _wanted(document: Document) -> object:
    metadata = cast("dict[str, Any]", document.get("metadata", {}))
    rest = {name: value for name, value in document.items() if name not in {"metadata", "status"}}
    return rest, metadata.get("labels"), metadata.get("annotations")


def _handled(status: Mapping[str, Any]) -> set[str]:
    return {entry["id"] for entry in status.get("handledCommands", [])}


def _is_newer(judge: Mapping[str, object], recorded: object) -> bool:
    if not isinstance(recorded, Mapping) or judge.get("beganAt") != recorded.get("beganAt"):
        return False
    return cast("float", judge.get("lastTickAt") or 0) > cast("float", recorded.get("lastTickAt") or 0)


def _as_json(value: Mapping[str, object]) -> dict[str, Any]:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PermanentError(f"what is to be kept is not JSON: {error}") from error
    if len(text.encode()) > MOST_STATUS_BYTES:
        raise PermanentError(f"the status has {len(text.encode())} bytes; allowed: {MOST_STATUS_BYTES}")
    return decoded(text)
