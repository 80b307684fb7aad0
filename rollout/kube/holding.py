"""One Lease in our name, from its taking to its end: renewed, and held no longer than is safe.

It ends by itself at a deadline that counts from before the last renewal was sent, and that comes a third of a lease
before anybody else may take it: however slow the network, and however long the process stood still, nobody else acts
while ``good`` is true. A Lease that had to be made anew, since somebody deleted it, is held only a lease later: who
held the one before may not know yet. A holding that has ended never comes back; another one has to be taken. Made by
``rollout.kube.elector``, which decides what to take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from rollout.errors import ConflictError, NotOursError, RolloutError
from rollout.kube.api import KubeApi
from rollout.kube.leases import Claim, holder_of
from rollout.kube.resources import LEASES, Document
from rollout.ports import Clock

log = structlog.get_logger(__name__)

RENEW_PART = 1 / 3
"""A Lease is renewed after this part of its length."""

HOLD_PART = 2 / 3
"""It is held for this part of its length after a renewal was sent."""

ANSWER_PART = 1 / 6
"""An answer is waited for this part of its length, so that a renewal can be tried twice before the deadline."""

GAP_PART = 1 / 30
"""How long after a renewal that failed the next is tried."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where Leases are kept, and by which clock and for how long (seconds) they are held."""

    api: KubeApi
    clock: Clock
    namespace: str
    lease_seconds: float

    @property
    def answer_seconds(self) -> float:
        """Return how long an answer is waited for."""
        return self.lease_seconds * ANSWER_PART

    async def write(self, document: dict[str, Any], *, within: float) -> Document:
        """Put the Lease in place of the version that it names, or make it; return it as it is then.

        Raises:
            ConflictError: it is another version, or is there already.
            NotOursError: it is gone.
            TimeoutError: there was no answer within so many seconds; it may have been written nevertheless.
            RolloutError: as the API server says.
        """
        metadata = document["metadata"]
        async with asyncio.timeout(within):
            if metadata.get("resourceVersion"):
                return await self.api.replace(LEASES, self.namespace, metadata["name"], document)
            return await self.api.create(LEASES, document, namespace=self.namespace)


class Holding:
    """A Lease that we hold, or held; begun with ``take``."""

    def __init__(self, desk: Desk, claim: Claim, ended: Callable[[Holding], None]) -> None:
        """Write ``claim`` into it; ``ended`` is called once when it is held no more, whatever the reason."""
        self._desk = desk
        self._claim = claim
        self._ended = ended
        self._document: Document = {}
        self._sent_at = 0.0
        self._from = 0.0
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Return the name of the Lease."""
        return self._claim.name

    @property
    def is_member(self) -> bool:
        """Return whether the Lease only says that we live."""
        return self._claim.is_member

    @property
    def good(self) -> bool:
        """Return whether it is ours at this very moment."""
        return self._from <= self._desk.clock.monotonic() < self._until

    @property
    def wait_seconds(self) -> float:
        """Return how long it has yet to be kept before it is held, 0 when it need not."""
        return max(0.0, self._from - self._desk.clock.monotonic())

    @property
    def _is_kept(self) -> bool:
        return self._desk.clock.monotonic() < self._until

    async def take(self, found: Document | None, *, was_deleted: bool = False) -> None:
        """Write our name into the Lease that was ``found`` (None: into a new one), and keep it from then on.

        One that ``was_deleted`` before is kept for a lease before it is held.

        Raises:
            ConflictError, NotOursError: it is another than was found.
            TimeoutError: there was no answer in time.
            RolloutError: as the API server says.
        """
        sent_at = self._desk.clock.monotonic()
        taken = await self._write(found, within=self._desk.answer_seconds)
        self._from = self._desk.clock.monotonic() + (self._desk.lease_seconds if was_deleted else 0.0)
        self._take_in(taken, sent_at)
        self._task = asyncio.create_task(self._keep(), name=f"Lease {self.name}")

    async def release(self) -> None:
        """Hold it no more, at once, and let the next one have it.

        Raises:
            TimeoutError, RolloutError: it could not be written; it then runs out by itself.
        """
        self.stop()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        try:
            await self._free(self._document)
        except ConflictError:
            found = await self._read()  # a renewal that was under way has landed
            if holder_of(found) == self._claim.holder:
                await self._free(found)

    def stop(self) -> None:
        """Hold it no more, at once; in the Lease it stays ours until it runs out."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
        self._end()

    async def _keep(self) -> None:
        """Renew until that fails for too long."""
        renew_seconds = self._desk.lease_seconds * RENEW_PART
        try:
            while self._is_kept:
                await asyncio.sleep(max(0.0, self._sent_at + renew_seconds - self._desk.clock.monotonic()))
                await self._renew()
        except (ConflictError, NotOursError) as error:
            log.warning("Lease lost", lease=self.name, why=str(error))
        except Exception:
            log.exception("Lease lost", lease=self.name)
        else:
            log.warning("Lease lost", lease=self.name, why="it could not be renewed in time")
        self._end()

    async def _renew(self) -> None:
        """Renew, tried again until it is done or the deadline is over.

        Raises:
            ConflictError, NotOursError: it is somebody else's, or gone.
        """
        while self._is_kept:
            sent_at = self._desk.clock.monotonic()
            try:
                renewed = await self._write(
                    self._document, within=min(self._desk.answer_seconds, self._until - sent_at)
                )
            except ConflictError as error:
                await self._look_again(error)
            except NotOursError:
                raise
            except (TimeoutError, RolloutError) as error:
                log.info("Lease not renewed yet", lease=self.name, why=str(error) or "no answer in time")
            else:
                if self._is_kept:
                    self._take_in(renewed, sent_at)
                return
            await asyncio.sleep(self._desk.lease_seconds * GAP_PART)

    async def _look_again(self, error: ConflictError) -> None:
        """Go on from the Lease as it is now, if it is ours: an answer of ours got lost, or somebody set a label.

        Raises:
            ConflictError, NotOursError: it is somebody else's, or gone.
        """
        try:
            found = await self._read()
        except NotOursError:
            raise
        except (TimeoutError, RolloutError):
            return  # to be tried again until the deadline
        if holder_of(found) != self._claim.holder:
            raise ConflictError(f"{holder_of(found) or 'nobody'} holds it now") from error
        self._document = found

    async def _write(self, found: Document | None, *, within: float) -> Document:
        now = self._desk.clock.now()
        return await self._desk.write(self._claim.taken(found, namespace=self._desk.namespace, now=now), within=within)

    async def _free(self, found: Document) -> None:
        now = self._desk.clock.now()
        released = self._claim.released(found, namespace=self._desk.namespace, now=now)
        await self._desk.write(released, within=self._desk.answer_seconds)

    async def _read(self) -> Document:
        async with asyncio.timeout(self._desk.answer_seconds):
            return await self._desk.api.get(LEASES, self._desk.namespace, self.name)

    def _take_in(self, document: Document, sent_at: float) -> None:
        self._document = document
        self._sent_at = sent_at
        self._until = sent_at + self._desk.lease_seconds * HOLD_PART

    def _end(self) -> None:
        was_told, self._until = self._until == 0.0, 0.0
        if not was_told:
            self._ended(self)
