"""Whose call of a start hook it is: the hook's secrets from their file, and the check of the signature.

Whether there is such a hook or not, one file is read and as many signatures are made: those are what takes time. (Not
to the microsecond; a caller who could tell files apart by how fast they are read would learn the name of a hook, and
no secret.) Strangers cost at most one thread of its own for each hook's file, and one line of the log a minute for each
hook. Called by ``rollout.api.start_hooks``, which answers.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog
from standardwebhooks import Webhook

from rollout.aside import Aside, Shared
from rollout.errors import NotAllowedError, Unavailable
from rollout.ports import Clock
from rollout.settings.hooks import StartHook
from rollout.webhooks import MOST_SECRETS, nobodys_secrets, read_secrets, verify

log = structlog.get_logger(__name__)

READING_SECONDS = 5.0
"""A file that takes longer cannot be used now."""

QUIET_SECONDS = 60.0
"""After a line about a hook so long none of its kind is written; the next one says how many were left out."""

UNKNOWN = "(unknown)"


class Signatures:
    """Checks calls of these hooks."""

    def __init__(self, hooks: Sequence[StartHook], clock: Clock) -> None:
        """Begin with nothing read."""
        self._hooks = {hook.name: hook for hook in hooks}
        self._clock = clock
        self._nobodys = nobodys_secrets()
        self._reading = {name: Shared[None, Sequence[Webhook]](Aside(f"start hook {name}")) for name in self._hooks}
        self._unusable = SeldomLines(clock)
        self._refused = SeldomLines(clock)

    async def hook_of(self, name: str, headers: Mapping[str, str], body: bytes) -> StartHook | None:
        """Return the hook of this name, if the call is signed with its secret; None: it is nobody's."""
        hook = self._hooks.get(name)
        secrets = await self._secrets(hook)
        try:
            verify(secrets, headers, body, now=self._clock.now())
        except NotAllowedError:
            return None
        return hook

    def tell_refused(self, name: str, address: str) -> None:
        """Write down that a call was not accepted; a name that no hook has stays out of the log."""
        hook = name if name in self._hooks else UNKNOWN
        self._refused.warn("a call of a start hook was not accepted", hook=hook, address=address)

    async def _secrets(self, hook: StartHook | None) -> Sequence[Webhook]:
        """Return as many secrets as a file may have, the hook's first; those that are not in it are nobody's."""
        example = hook or next(iter(self._hooks.values()), None)
        if example is None:
            return self._nobodys
        try:
            found = await self._read(example)
        except Unavailable as error:
            if hook is not None:
                self._unusable.warn(
                    "a start hook cannot be used", hook=hook.name, file=hook.secret_file, why=str(error)
                )
            return self._nobodys
        own = found if hook is not None else ()
        return (*own, *self._nobodys)[:MOST_SECRETS]

    async def _read(self, hook: StartHook) -> Sequence[Webhook]:
        """Return the secrets in a hook's file.

        Raises:
            Unavailable: there are none that can be used, or not in time.
        """
        try:
            async with asyncio.timeout(READING_SECONDS):
                return await self._reading[hook.name].call(None, partial(read_secrets, Path(hook.secret_file)))
        except TimeoutError as error:
            raise Unavailable(f"the file of the signing secret was not read within {READING_SECONDS:.0f} s") from error


class SeldomLines:
    """Lines of one kind, of which few are written however often there is a reason."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none written."""
        self._clock = clock
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warn(self, event: str, *, hook: str, **fields: str) -> None:
        """Write a line about a hook, which is one of the service's or UNKNOWN, unless there was one just now."""
        now = self._clock.monotonic()
        if now - self._last.get(hook, -math.inf) < QUIET_SECONDS:
            self._left_out[hook] = self._left_out.get(hook, 0) + 1
            return
        self._last[hook] = now
        log.warning(event, hook=hook, left_out=self._left_out.pop(hook, 0), **fields)
