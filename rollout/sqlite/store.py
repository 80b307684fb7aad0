"""``RolloutStore``, ``IntentStore`` and ``Journal`` of the envoy runtime: intent and state in one SQLite file.

Everything is loaded once; reads come from that cache and cost nothing. Writes are transactions in
the writer's thread, synced to the disk before they count, and only then enter the cache. The
folder of manifests and the API feed it; the controller reads and records.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rollout.clock import SystemClock
from rollout.engine.observation import Command
from rollout.errors import PermanentError
from rollout.ports import Clock, Key, PolicyKey, Recorded, StoredRollout
from rollout.spec.identity import POLICY_KINDS, kind_of, policy_key, policy_named
from rollout.spec.resource import PolicyRef
from rollout.sqlite import journal, rows, switch
from rollout.sqlite.database import open_database
from rollout.sqlite.documents import (
    Document,
    decoded,
    encoded,
    key_of,
    wanted,
    with_judge,
)
from rollout.sqlite.followers import Followers
from rollout.sqlite.lock import FileLock
from rollout.sqlite.writer import Writer

LIMIT_SECONDS = 3.0
"""How long a write may take before its caller is told that the store is not available."""

MOST_HISTORY = 1000
"""How many transitions are read at once, of one Rollout or of all."""

TRIM_TOGETHER = 2000
"""How many transitions are trimmed in one transaction, so that records do not wait for them."""


class SqliteStore:
    """The store; made by ``open``, ended by ``close``. All methods belong to the event loop."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: FileLock, *, clock: Clock, limit_seconds: float
    ) -> None:
        """Load everything from the connection, and begin to write through it. Callers use ``open``."""
        self._lock = lock
        self._clock = clock
        loaded = rows.load(connection)
        self._cache = {key: stored for key, (stored, _) in loaded.items()}
        self._sources = {key: source for key, (_, source) in loaded.items()}
        policies = rows.load_policies(connection)
        self._policies = {key: document for key, (document, _) in policies.items()}
        self._policy_sources = {key: source for key, (_, source) in policies.items()}
        self._listeners: list[Callable[[Key], None]] = []
        self._followers = Followers(journal.last(connection))
        position = switch.load(connection)
        self._writer = Writer(connection, str(path), limit_seconds=limit_seconds)
        self.switch = switch.SqliteSwitch(self._writer, position)

    @classmethod
    async def open(cls, path: Path, *, clock: Clock | None = None, limit_seconds: float = LIMIT_SECONDS) -> SqliteStore:
        """Open the file, check and migrate it, and load it; it is made when it does not exist.

        ``clock`` (the machine's when None) says when a Rollout is made.

        Raises:
            NotOursError: another process uses it.
            PermanentError: it is damaged, not ours, or of a newer program; it is left as it is.
            Unavailable: it cannot be opened.
        """
        lock = FileLock(path.with_name(f"{path.name}.lock"))
        try:
            connection = await asyncio.to_thread(open_database, path)
            try:
                return cls(path, connection, lock, clock=clock or SystemClock(), limit_seconds=limit_seconds)
            except (sqlite3.Error, ValueError, TypeError) as error:
                connection.close()
                raise PermanentError(f"{path}: the database holds what cannot be read: {error}") from error
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Finish what waits to be written and give the file back."""
        await self._writer.close()
        self._lock.release()

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts."""
        return tuple(self._cache)

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout as it is on disk, or None."""
        return self._cache.get(key)

    def policy(self, ref: PolicyRef, namespace: str) -> Document | None:
        """Return the policy's document, or None."""
        return self._policies.get(policy_key(ref.kind, namespace, ref.name))

    def sources(self) -> Mapping[Key, str]:
        """Return from which file each Rollout that is not being deleted came."""
        return {key: source for key, source in self._sources.items() if not self._cache[key].deleting}

    def policy_sources(self) -> Mapping[PolicyKey, str]:
        """Return from which file each policy (kind, namespace, name) came."""
        return dict(self._policy_sources)

    def source_of(self, key: Key) -> str:
        """Return the file that speaks for this Rollout, empty when none does, as for one that is being deleted."""
        stored = self._cache.get(key)
        return "" if stored is None or stored.deleting else self._sources[key]

    def source_of_policy(self, policy: PolicyKey) -> str:
        """Return the file that speaks for this policy, empty when none does."""
        return self._policy_sources.get(policy, "")

    def policies(self) -> Mapping[PolicyKey, Document]:
        """Return the documents of all policies."""
        return dict(self._policies)

    @property
    def last(self) -> int:
        """Return the sequence of the last recorded transition, 0 before the first."""
        return self._followers.last

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` on the loop whenever a Rollout, its policy or its command changed."""
        self._listeners.append(listener)

    def follow(self, listener: Callable[[Recorded], None]) -> Callable[[], None]:
        """Call ``listener`` on the loop with each transition once it is on disk, in order; return what ends that."""
        return self._followers.follow(listener)

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status if the stored version is ``expected``; return the new version.

        Raises:
            ConflictError: the version is another one.
            NotOursError: the Rollout is gone.
            PermanentError: the status is not JSON.
            Unavailable: the file cannot be written now.
        """
        text = encoded(status)
        kept = decoded(text)

        def land(written: rows.Written) -> None:
            stored = self._cache[key]
            command = stored.command
            if command is not None and command.id == written.handled:
                command = None
            self._cache[key] = replace(stored, status=kept, version=written.version, command=command)
            self._followers.tell(written.transitions)

        write = partial(rows.record, key=key, status=kept, text=text, expected=expected)
        return (await self._writer.do(write, land)).version

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Keep the judge's state and the source's samples beside the status; the version stays.

        Raises:
            NotOursError: the Rollout is gone.
            PermanentError: they are not JSON.
            Unavailable: the file cannot be written now.
        """
        judge_text, samples_text = encoded(judge), encoded(samples)

        def land(_: None) -> None:
            stored = self._cache[key]
            status = with_judge(stored.status, decoded(judge_text))
            self._cache[key] = replace(stored, status=status, samples=decoded(samples_text))

        await self._writer.do(partial(rows.checkpoint, key=key, judge=judge_text, samples=samples_text), land)

    async def remove(self, key: Key) -> None:
        """Take a finished Rollout away; its history stays.

        Raises:
            NotOursError: it is gone.
            Unavailable: the file cannot be written now.
        """

        def land(_: None) -> None:
            del self._cache[key], self._sources[key]
            self._tell(key)

        await self._writer.do(partial(rows.delete, key=key), land)

    async def apply(self, document: Document, source: str = "", *, expected: str | None = None) -> Key:
        """Make or change a Rollout; its generation grows only if what is wanted changed.

        ``source`` says where it came from. A Rollout that is being deleted and is applied again stays.

        Raises:
            ConfigurationError: it is not a Rollout, or has no usable name.
            ConflictError: its version is not ``expected`` (empty: it must not exist, not even as one that is
                being deleted; None: whatever it is).
            PermanentError: it is not JSON.
            Unavailable: the file cannot be written now.
        """
        kind_of(document, "Rollout")
        key, text = key_of(document), encoded(document)
        write = partial(self._put, key=key, text=text, source=source, expected=expected)
        await self._writer.do(write, lambda land: land())
        return key

    def _put(
        self, connection: sqlite3.Connection, *, key: Key, text: str, source: str, expected: str | None
    ) -> Callable[[], None]:
        """Write the manifest in the writer's thread; return what lands it in the cache."""
        before = rows.manifest_of(connection, key)
        rows.refuse_other(before, key, expected)
        if before is None:
            made_at = self._clock.now()
            version = rows.insert(connection, key, document=text, source=source, created_at=made_at)
            fresh = StoredRollout(key, decoded(text), {}, version, 1, created_at=made_at)
            return partial(self._land_manifest, fresh, source)
        if not before.deleting and wanted(decoded(before.document)) == wanted(decoded(text)):
            rows.set_source(connection, key, source)
            return partial(self._sources.__setitem__, key, source)
        version, generation = rows.change(connection, key, text, source), before.generation + 1
        return lambda: self._land_manifest(
            replace(self._cache[key], document=decoded(text), version=version, generation=generation, deleting=False),
            source,
        )

    def _land_manifest(self, stored: StoredRollout, source: str) -> None:
        self._cache[stored.key] = stored
        self._sources[stored.key] = source
        self._tell(stored.key)

    async def apply_policy(self, document: Document, source: str = "") -> None:
        """Make or change a policy.

        Raises:
            ConfigurationError: it is no policy, or has no usable name.
            PermanentError: it is not JSON.
            Unavailable: the file cannot be written now.
        """
        kind = kind_of(document, *POLICY_KINDS)
        key, text = key_of(document), encoded(document)
        policy = policy_key(kind, key.namespace, key.name)
        if encoded(self._policies.get(policy, {})) == text and self._policy_sources.get(policy) == source:
            return

        def land(_: None) -> None:
            self._policies[policy], self._policy_sources[policy] = decoded(text), source
            self._tell_users(policy)

        await self._writer.do(partial(rows.put_policy, policy=policy, document=text, source=source), land)

    async def remove_policy(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away; its Rollouts then say that it is missing.

        Raises:
            Unavailable: the file cannot be written now.
        """
        policy = policy_key(kind, namespace, name)

        def land(_: None) -> None:
            self._policy_sources.pop(policy, None)
            if self._policies.pop(policy, None) is not None:
                self._tell_users(policy)

        await self._writer.do(partial(rows.delete_policy, policy=policy), land)

    async def mark_deleting(self, key: Key) -> None:
        """Say that the Rollout is to go: the controller finishes it, then removes it.

        Raises:
            NotOursError: it is gone.
            Unavailable: the file cannot be written now.
        """
        stored = self._cache.get(key)
        if stored is not None and stored.deleting:
            return

        def land(version: str) -> None:
            self._cache[key] = replace(self._cache[key], deleting=True, version=version)
            self._tell(key)

        await self._writer.do(partial(rows.set_deleting, key=key), land)

    async def command(self, key: Key, command: Command) -> None:
        """Leave a command for the controller; one with the id of the waiting or of a handled one changes nothing.

        Raises:
            ConflictError: another command waits; only abort replaces it.
            NotOursError: the Rollout is gone.
            PermanentError: its arguments are not JSON.
            Unavailable: the file cannot be written now.
        """

        def land(version: str | None) -> None:
            if version is not None:
                self._cache[key] = replace(self._cache[key], command=command, version=version)
                self._tell(key)

        await self._writer.do(partial(rows.put_command, key=key, command=command), land)

    async def history(self, key: Key, *, limit: int = 100, before: int | None = None) -> Sequence[Document]:
        """Return transitions of the Rollout's last life, newest first, at most 1,000, those numbered below ``before``.

        Raises:
            Unavailable: the file cannot be read now.
        """
        read = partial(journal.history, key=key, limit=_at_most(limit), before=before)
        return await self._writer.do(read, _keep_nothing)

    async def recorded(self, *, after: int, limit: int = MOST_HISTORY) -> Sequence[Recorded]:
        """Return the transitions of all Rollouts after this sequence, oldest first, at most 1,000.

        Raises:
            Unavailable: the file cannot be read now.
        """
        return await self._writer.do(partial(journal.recorded, after=after, limit=_at_most(limit)), _keep_nothing)

    def may_miss(self, *, after: int, before: int) -> bool:
        """Return whether a transition between these two sequences was trimmed: none is left out otherwise."""
        return before > after + 1

    async def trim_history(self, keep: int) -> int:
        """Keep the newest ``keep`` (at least 1) transitions of each Rollout; return how many went.

        One is always kept, since by it a record knows which transitions are new.

        Raises:
            Unavailable: the file cannot be written now; what went is gone nevertheless.
        """
        gone = 0
        while True:
            trimmed = await self._writer.do(partial(journal.trim, keep=max(1, keep), most=TRIM_TOGETHER), _keep_nothing)
            gone += trimmed
            if trimmed < TRIM_TOGETHER:
                return gone

    def _tell(self, key: Key) -> None:
        for listener in self._listeners:
            listener(key)

    def _tell_users(self, policy: PolicyKey) -> None:
        for key, stored in self._cache.items():
            ref = policy_named(stored.document)
            if ref is not None and policy_key(ref.kind, key.namespace, ref.name) == policy:
                self._tell(key)


def _at_most(limit: int) -> int:
    return max(0, min(limit, MOST_HISTORY))


def _keep_nothing(_: object) -> None:
    """Leave the cache as it is."""
