"""One RDS file as last read, and what Envoy says of it. Kept by the route table, changed under ``lock``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rollout.engine.observation import Acceptance
from rollout.envoy import readback
from rollout.envoy.readback import Look
from rollout.envoy.routefile import FileRoute, RouteFile
from rollout.envoy.routereader import parse
from rollout.envoy.routeview import route_version
from rollout.envoy.staging import RdsPath, Signature
from rollout.errors import ConfigurationError

_TRUSTED_MISSES = 2
"""So many looks in a row must fail before an accepted file counts as unconfirmed: one can be a hiccup."""


class Watched:
    """A file, its parsed content (None when it does not parse: ``problem`` says why) and its acceptance."""

    def __init__(self, path: RdsPath) -> None:
        """Know the place; nothing is read yet. ``changes`` counts everything that a view could show."""
        self.path = path
        self.lock = asyncio.Lock()
        self.file: RouteFile | None = None
        self.problem: ConfigurationError | None = None
        self.acceptance = Acceptance.PENDING
        self.message = "Envoy has not been asked yet"
        self.changes = 0
        self._content: bytes | None = None
        self._signature: Signature | None = None
        self._doubted: Signature | None = None
        self._baseline: Look | None = None
        self._misses = 0
        self._in_place = False

    # ------------------------------------------------------------ what is in it

    def route(self, name: str) -> FileRoute | None:
        """Return the named route, or None."""
        return self.file.routes.get(name) if self.file is not None else None

    def names(self) -> Iterable[str]:
        """Return the names of all routes."""
        return self.file.routes if self.file is not None else ()

    def configurations(self) -> tuple[str, ...]:
        """Return the route configurations to ask Envoy about."""
        return self.file.configurations() if self.file is not None else ()

    # ------------------------------------------------------------ the disk

    def changed(self) -> bool:
        """Return whether the file on disk is another one than was read (one stat call)."""
        return self.path.signature() != self._signature

    async def refresh(self) -> None:
        """Read the file again if it is not the one that was read last."""
        if self.problem is not None or self.changed():
            await self.load()

    async def load(self, *, patient: bool = False) -> None:
        """Read the file; what is wrong with it is in ``problem`` afterwards.

        ``patient``: a broken file is believed only when it is found unchanged a second time, since
        an editor may be in the middle of writing it. Envoy itself does not look at such writes.
        """
        try:
            content, signature = await asyncio.to_thread(self.path.read)
            if content == self._content and self.problem is None:
                self._signature = signature
                return
            file = await asyncio.to_thread(parse, content, str(self.path.path))
        except ConfigurationError as error:
            self._fail(error, patient=patient)
        else:
            self._adopt(file, content, signature)

    async def put(self, edited: RouteFile) -> None:
        """Put an edit of ``file`` in its place on disk and here.

        Raises:
            ConflictError: the file on disk is not ``file`` any more.
            NotOursError: it is gone.
            PermanentError: its owner and mode cannot be kept.
            Unavailable: the disk is full or fails.
        """
        content = edited.text.encode()
        signature = await asyncio.to_thread(self.path.replace, content, expected=self._content or b"")
        if self.file is not None and self.file.version.before:
            # A line was put in, so the lines of the problems have moved.
            edited = await asyncio.to_thread(parse, content, str(self.path.path))
        self._adopt(edited, content, signature)

    def _fail(self, error: ConfigurationError, *, patient: bool) -> None:
        """Remember why there is nothing, unless it may be a write that is not finished."""
        signature = self.path.signature()
        if patient and self.file is not None and signature != self._doubted:
            self._doubted = signature
            return
        self.file, self.problem = None, error
        self.changes += 1
        self._content, self._signature = None, signature

    def _adopt(self, file: RouteFile, content: bytes, signature: Signature) -> None:
        """Take over new content."""
        self._in_place = self._is_in_place(file, signature)
        self.file, self.problem = file, None
        self.changes += 1
        self._content, self._signature = content, signature

    def _is_in_place(self, file: RouteFile, signature: Signature) -> bool:
        """Return whether weights changed where Envoy does not look: in the same inode, under the same version."""
        if self.file is None or self._signature is None or signature.inode != self._signature.inode:
            return False
        if file.version.value != self.file.version.value:
            return False
        before = {name: route_version(route) for name, route in self.file.routes.items()}
        return self._in_place or before != {name: route_version(route) for name, route in file.routes.items()}

    # ------------------------------------------------------------ what Envoy says

    @property
    def confirmed(self) -> Look | None:
        """Return the last look, if Envoy served this file then and is known to do so still."""
        return self._baseline if self.acceptance is Acceptance.ACCEPTED else None

    def judge(self, now: Look, before: Look | None) -> tuple[Acceptance, str]:
        """Return Envoy's verdict on the file as it stands, out of looks from before its last change and from now."""
        if self.file is None:
            return self.acceptance, self.message
        if self._in_place:
            message = f"{self.path.path} was edited in place, which Envoy does not see; rename a file into place"
            return Acceptance.PENDING, message
        return readback.verdict(self.configurations(), self.file.version.value, before=before, now=now)

    def seen(self, now: Look) -> None:
        """Take over a look in between writes."""
        self.publish(self.judge(now, self._baseline), now)

    def publish(self, verdict: tuple[Acceptance, str], now: Look | None) -> None:
        """Show this verdict in the views; an accepted look is what later ones are compared with."""
        self._show(verdict)
        self._misses = 0
        if self.acceptance is Acceptance.ACCEPTED:
            self._baseline = now

    def missed(self, why: str) -> None:
        """Count a look that failed; after the second in a row nothing is known any more."""
        self._misses += 1
        if self._misses >= _TRUSTED_MISSES or self.acceptance is not Acceptance.ACCEPTED:
            self._show((Acceptance.PENDING, away(why)))

    def _show(self, verdict: tuple[Acceptance, str]) -> None:
        """Take over a verdict."""
        if verdict != (self.acceptance, self.message):
            self.acceptance, self.message = verdict
            self.changes += 1


def away(why: str) -> str:
    """Return the message of a file that Envoy cannot be asked about."""
    return f"{why}; the file stands as it is, and Envoy reads it when it returns"
