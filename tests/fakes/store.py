"""A store in memory: ``RolloutStore``, ``IntentStore`` and ``Journal``, with faults to order.

It passes their contract, and is stricter than a real one: a status that is not JSON, or larger than
32 KiB, is an error.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from rollout.engine.observation import Command
from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError, Problem, Unavailable
from rollout.ports import Clock, Key, PolicyKey, Recorded, StoredRollout
from rollout.spec.resource import PolicyRef
from rollout.sqlite.documents import decoded
from tests.fakes.clock import FakeClock

Document = Mapping[str, object]

MOST_STATUS_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    """A recorded transition, and in which life of its Rollout it was."""

    life: int
    number: int
    recorded: Recorded


class FakeStore:
    """The three ports in memory; ``clock`` says when a Rollout is made.

    Faults: ``down`` lets every write fail; ``fail`` queues errors that come instead of the next writes,
    ``fail_after`` errors that come although the write was done; ``conflict_next`` lets somebody else write first;
    ``refusing`` refuses every record for good.
    ``records`` are (key, status) of every record that was done, ``checkpoints`` (key, judge, samples).
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.down = False
        self.refusing = False
        self._clock = clock or FakeClock()
        self.records: list[tuple[Key, dict[str, Any]]] = []
        self.checkpoints: list[tuple[Key, Document, Document]] = []
        self._before: deque[Exception] = deque()
        self._after: deque[Exception] = deque()
        self._conflicts = 0
        self._number = 0
        self._rollouts: dict[Key, StoredRollout] = {}
        self._sources: dict[Key, str] = {}
        self._policies: dict[PolicyKey, Document] = {}
        self._policy_sources: dict[PolicyKey, str] = {}
        self._journal: list[_Entry] = []
        self._lives: dict[Key, int] = {}
        self._newest: dict[Key, int] = {}
        self._last = 0
        self._listeners: list[Callable[[Key], None]] = []
        self._followers: dict[object, Callable[[Recorded], None]] = {}

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

    def policy_sources(self) -> Mapping[PolicyKey, str]:
        """Return from which file each policy (kind, namespace, name) came."""
        return dict(self._policy_sources)

    def source_of(self, key: Key) -> str:
        """Return the file that speaks for this Rollout, empty when none does."""
        return self.sources().get(key, "")

    def source_of_policy(self, policy: PolicyKey) -> str:
        """Return the file that speaks for this policy, empty when none does."""
        return self._policy_sources.get(policy, "")

    def policies(self) -> Mapping[PolicyKey, Document]:
        """Return the documents of all policies."""
        return dict(self._policies)

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout, or None."""
        return self._rollouts.get(key)

    def policy(self, ref: PolicyRef, namespace: str) -> Document | None:
        """Return the policy's document, or None."""
        return self._policies.get(_policy_key(ref.kind, namespace, ref.name))

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status if the stored version is ``expected``."""
        self._begin()
        if self.refusing:
            raise PermanentError("records are refused")
        stored = self._there(key)
        if self._conflicts:
            self._conflicts -= 1
            stored = self._put(stored)
        if stored.version != expected:
            raise ConflictError(f"{key} has changed since: version {stored.version}, expected {expected}")
        kept = _as_json(status)
        command = None if stored.command is not None and stored.command.id in _handled(kept) else stored.command
        stored = self._put(replace(stored, status=kept, command=command))
        self.records.append((key, kept))
        self._append(key, kept.get("transitions", []))
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

    def vanish(self, key: Key) -> None:
        """Let a Rollout be gone that nobody has deleted in due form."""
        del self._rollouts[key]
        self._end(key)

    async def remove(self, key: Key) -> None:
        """Take a Rollout that has been finished away; its history stays."""
        self._begin()
        if key in self._rollouts and not self._rollouts[key].deleting:
            raise ConflictError(f"{key} was applied again and is not being deleted any more")
        if self._rollouts.pop(key, None) is None:
            raise NotOursError(f"Rollout {key} is gone")
        self._sources.pop(key, None)
        self._end(key)

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` at once whenever a Rollout, its policy or its command changed."""
        self._listeners.append(listener)

    async def apply(self, document: Document, source: str = "", *, expected: str | None = None) -> Key:
        """Make or change a Rollout; the generation grows only if what is wanted changed."""
        self._begin()
        _check_kind(document, "Rollout")
        key = _key_of(document)
        before = self._rollouts.get(key)
        if expected is not None and expected != (before.version if before else ""):
            raise ConflictError(f"Rollout {key} is not at {expected or 'nothing'}")
        self._sources[key] = source
        if before is None:
            uid = f"life-{self._number + 1}"
            made = self._put(StoredRollout(key, document, {}, "", 1, created_at=self._clock.now(), uid=uid))
            self._lives[key], self._newest[key] = int(made.version), -1
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
        known = _handled(stored.status) | ({stored.command.id} if stored.command is not None else set())
        if command.id in known:
            return
        if stored.command is not None and command.action != "abort":
            raise ConflictError(f"{key}: command {stored.command.action} ({stored.command.id}) still waits")
        self._put(replace(stored, command=command))
        self._end(key)

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Document]:
        """Return the newest transitions first, those numbered below ``before``."""
        life = self._lives.get(key)
        past = [entry for entry in reversed(self._journal) if entry.recorded.key == key and entry.life == life]
        return tuple(entry.recorded.transition for entry in past if before is None or entry.number < before)[:limit]

    @property
    def last(self) -> int:
        """Return the sequence of the last recorded transition."""
        return self._last

    async def recorded(self, *, after: int, limit: int = 1000) -> Sequence[Recorded]:
        """Return the transitions of all Rollouts after this sequence, oldest first."""
        return tuple(entry.recorded for entry in self._journal if entry.recorded.sequence > after)[:limit]

    def may_miss(self, *, after: int, before: int) -> bool:
        """Return whether a sequence lies between these two: none is left out but by trimming."""
        return before > after + 1

    def follow(self, listener: Callable[[Recorded], None]) -> Callable[[], None]:
        """Call ``listener`` at once with each transition that is recorded; return what ends that."""
        place = object()
        self._followers[place] = listener

        def unfollow() -> None:
            self._followers.pop(place, None)

        return unfollow

    async def trim_history(self, keep: int) -> int:
        """Keep the newest ``keep`` (at least 1) transitions of each Rollout; return how many went."""
        kept: list[_Entry] = []
        counts: Counter[Key] = Counter()
        for entry in reversed(self._journal):
            counts[entry.recorded.key] += 1
            if counts[entry.recorded.key] <= max(1, keep):
                kept.append(entry)
        gone, self._journal = len(self._journal) - len(kept), kept[::-1]
        return gone

    def _append(self, key: Key, transitions: Iterable[dict[str, Any]]) -> None:
        for transition in transitions:
            if transition["number"] <= self._newest[key]:
                continue
            self._last, self._newest[key] = self._last + 1, transition["number"]
            recorded = Recorded(self._last, key, transition)
            self._journal.append(_Entry(self._lives[key], transition["number"], recorded))
            for listener in tuple(self._followers.values()):
                listener(recorded)

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

    def _users(self, policy: PolicyKey) -> list[Key]:
        kind, namespace, name = policy
        return [
            key
            for key, stored in self._rollouts.items()
            if namespace in {"", key.namespace}
            and cast("dict[str, Any]", stored.document.get("spec", {})).get("policy") == {"kind": kind, "name": name}
        ]


def _policy_key(kind: str, namespace: str, name: str) -> PolicyKey:
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
