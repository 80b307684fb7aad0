"""The Rollouts in memory, and the one way to patch one: what is kept, what is shown, and who hears of a change.

What is *kept* is the newest that is known; what is *shown* is the same unless routes are prepared for it first (see
``rollout.kube.publishing``). Called by ``store``, which decides what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from rollout.errors import ConflictError, NotOursError
from rollout.kube.api import KubeApi
from rollout.kube.cache import Name
from rollout.kube.journal import KubeJournal
from rollout.kube.kept import kept_rollout, stored
from rollout.kube.placing import reread
from rollout.kube.publishing import Prepare, Publisher
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import ROLLOUTS, Document, age_of, name_of, version_of
from rollout.kube.statuses import Operations, finalizers
from rollout.ports import Clock, Key, StoredRollout

RENEW_SECONDS = 15.0
"""The watch of Rollouts is renewed so often: a person's command is not to wait long behind a dead connection."""


class Memory:
    """The Rollouts of one cluster. Belongs to the event loop."""

    def __init__(
        self, api: KubeApi, clock: Clock, *, chance: Callable[[], float], namespace: str, prepare: Prepare | None
    ) -> None:
        """Watch the Rollouts of ``namespace`` (empty: of all); ``prepare`` goes before showing one with new routes."""
        self._api = api
        self._shown: dict[Key, StoredRollout] = {}
        self._recording: dict[Key, Mapping[str, object]] = {}
        self._listeners: list[Callable[[Key], None]] = []
        self._publisher = Publisher(self._show, prepare)
        self.journal = KubeJournal(self._status)
        options = ReflectorOptions(renew_seconds=RENEW_SECONDS)
        self.watch = Reflector(api, ROLLOUTS, self._keep, clock, chance=chance, namespace=namespace, options=options)
        self.watch.subscribe(self._changed)
        self.watch.follow(self.journal.hear)

    async def start(self) -> None:
        """Begin, and return when all that was listed is shown."""
        await self.watch.start()
        await self._publisher.all_settled()

    async def aclose(self) -> None:
        """End the watch; what is in memory stays."""
        await self.watch.aclose()
        await self._publisher.aclose()

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts that are shown."""
        return tuple(self._shown)

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout as it is shown, or None."""
        return self._shown.get(key)

    def all(self) -> tuple[StoredRollout, ...]:
        """Return all Rollouts as they are shown."""
        return tuple(self._shown.values())

    def kept(self, key: Key) -> Document:
        """Return the newest that is known of the Rollout.

        Raises:
            NotOursError: there is none.
        """
        kept = self.watch.get(key.namespace, key.name)
        if kept is None:
            raise NotOursError(f"Rollout {key} is gone")
        return kept

    async def put(self, key: Key, document: Document) -> None:
        """Take in what a write answered, and return when it is shown."""
        self.watch.put(document)
        await self._publisher.settled(key)

    async def read_again(self, key: Key) -> None:
        """Read the Rollout once, so that memory has it as it is now.

        Raises:
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        await reread(self._api, self.watch, (key.namespace, key.name))

    @contextmanager
    def recording(self, key: Key, status: Mapping[str, object]) -> Iterator[None]:
        """Let nobody hear of this status meanwhile: who records it knows it, even if the watch is quicker."""
        self._recording[key] = status
        try:
            yield
        finally:
            self._recording.pop(key, None)

    async def patch(self, key: Key, kept: Document, operations: Operations, *, subresource: str = "") -> Document:
        """Patch what is ``kept`` of the Rollout, if there is anything to do; return what is kept of the answer.

        Raises:
            ConflictError: it is another version; memory then has what is there.
            NotOursError: it is gone, and so it is in memory.
            PermanentError: the API server refuses it.
            Unavailable: the API server cannot be reached, or cannot answer now.
        """
        if not operations:
            return kept
        try:
            answer = await self._api.patch(ROLLOUTS, key.namespace, key.name, operations, subresource=subresource)
        except ConflictError:
            await self.read_again(key)
            raise
        except NotOursError as error:
            self.watch.forget(key.namespace, key.name, age=age_of(version_of(kept)))
            raise NotOursError(f"Rollout {key} is gone") from error
        now = self._keep(answer)
        if finalizers(kept) and not finalizers(answer) and answer["metadata"].get("deletionTimestamp"):
            # The patch took away what held up the deletion: there is no such object any more.
            self.watch.forget(key.namespace, key.name, age=age_of(version_of(answer)))
        else:
            self.watch.put(answer)
        return now

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` with every Rollout in which something changed that is not our own record."""
        self._listeners.append(listener)

    def tell(self, key: Key) -> None:
        """Let the listeners hear of the Rollout."""
        for listener in self._listeners:
            listener(key)

    def _keep(self, document: Document) -> Document:
        name = name_of(document)
        before = self.watch.get(*name)
        if before is not None and version_of(before) == version_of(document):
            return before
        return kept_rollout(document, partial(self.journal.shared, Key(*name)))

    def _changed(self, name: Name, _before: Document | None, now: Document | None) -> None:
        key = Key(*name)
        if now is not None:
            self._publisher.offer(key, now)
            return
        self._publisher.withdraw(key)
        self._shown.pop(key, None)
        self.tell(key)  # also of one that was never shown: somebody may have prepared for it

    def _show(self, key: Key, kept: Document) -> None:
        before, now = self._shown.get(key), stored(kept)
        self._shown[key] = now
        if before is None or _differs(before, now, self._recording.get(key)):
            self.tell(key)

    def _status(self, key: Key) -> Mapping[str, Any]:
        shown = self._shown.get(key)
        return shown.status if shown is not None else {}


def _differs(before: StoredRollout, now: StoredRollout, own: Mapping[str, object] | None) -> bool:
    """Return whether there is something to hear of; ``own`` is the status that is being recorded here."""
    if (before.uid, before.generation, before.deleting) != (now.uid, now.generation, now.deleting):
        return True
    if before.document != now.document:
        return True
    own_or_old = now.status == before.status or now.status == own  # noqa: PLR1714 - dictionaries have no hash
    return not own_or_old or (now.command is not None and now.command != before.command)
