"""``Access`` of the envoy runtime: tokens in a file, which is read again when it changes.

The API asks it who calls; ``rollout token`` changes the file, while the service runs or not. A file
that is broken changes nothing for those who have a token: the last good version stays in force, and
a warning says why. A file that is gone is no such version: then nobody is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import structlog
from pydantic import TypeAdapter, ValidationError

from rollout.errors import ConfigurationError, ConflictError, NotOursError, Problem, RolloutError, Unavailable
from rollout.ports import Caller, Clock, Verb
from rollout.spec.base import NAME_ALLOWED, Name
from rollout.spec.fields import printable
from rollout.tokens import disk, secret
from rollout.tokens.entries import ALLOWED, MOST_BYTES, MOST_TOKENS, Entry, decoded, encoded
from rollout.tokens.roles import Role

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the file is looked at, at most: a token that is taken back is good for no longer than that."""

LONGEST_SECONDS = 366 * 86400.0
"""The longest life of a token that expires."""

_NAME = TypeAdapter(Name)


class TokenFile:
    """The tokens in the file ``path``. ``identify`` and ``may`` belong to one event loop, the rest blocks."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Know the place; the file is read when it is first needed."""
        self._path = path
        self._clock = clock
        self._lock = asyncio.Lock()
        self._looked_at: float | None = None
        self._by_id: Mapping[str, Entry] | None = None
        self._signature: disk.Signature | None = None
        self._problem = ""

    # ------------------------------------------------------------ who calls

    async def identify(self, token: str) -> Caller | None:
        """Return whose token this is; None for one that is unknown, revoked or expired.

        Raises:
            Unavailable: the file is not there, or has not been readable since the start.
        """
        by_id = await self._known()
        parts = secret.split(token)
        entry = by_id.get(parts[0]) if parts is not None else None
        if parts is None or entry is None or not secret.is_right(parts[1], salt=entry.salt, kept=entry.hash):
            return None
        return None if entry.has_expired(self._clock.now()) else Caller(entry.name, (entry.role.value,))

    async def may(self, caller: Caller, verb: Verb, namespace: str) -> bool:  # noqa: ARG002 - a role is for all
        """Return whether one of the caller's roles allows this; a role is the same in all namespaces."""
        return any(verb in verbs for role, verbs in ALLOWED.items() if role in caller.roles)

    async def _known(self) -> Mapping[str, Entry]:
        if self._is_due():
            async with self._lock:
                if self._is_due():
                    await asyncio.to_thread(self._look)
                    self._looked_at = self._clock.monotonic()
        if self._by_id is None:
            raise Unavailable(self._problem)
        return self._by_id

    def _is_due(self) -> bool:
        return self._looked_at is None or self._clock.monotonic() - self._looked_at >= LOOK_SECONDS

    def _look(self) -> None:
        """Read the file if it is another one than was read, or could not be used; what is wrong is logged once."""
        try:
            if not self._problem and disk.signature(self._path) == self._signature:
                return
            content, self._signature = disk.read(self._path, most_bytes=MOST_BYTES)
            self._by_id = {entry.id: entry for entry in decoded(content, str(self._path))}
        except RolloutError as error:
            if isinstance(error, NotOursError):
                self._by_id = None
            if str(error) != self._problem:
                log.warning("tokens not read", why=str(error), still_known=len(self._by_id or ()))
            self._problem = str(error)
        else:
            self._problem = ""
            log.info("tokens read", file=str(self._path), tokens=len(self._by_id))

    # ------------------------------------------------------------ what people change

    def entries(self) -> Sequence[Entry]:
        """Return all tokens that are in the file now, also expired ones, as they were made.

        Raises:
            NotOursError: there is no such file.
            PermanentError: it is broken, or others may write it.
            Unavailable: it cannot be read.
        """
        content, _ = disk.read(self._path, most_bytes=MOST_BYTES)
        return decoded(content, str(self._path))

    def create(self, name: str, role: Role, expires_in_seconds: float | None = None) -> str:
        """Make a token and return its text, which nobody can find out later; one that has expired gives up its name.

        Raises:
            ConfigurationError: the name is none, or the time is not above 0 and at most 366 days.
            ConflictError: the name is taken, or the file is full.
            PermanentError: the file is broken, others may write it, or it may not be written.
            Unavailable: the file cannot be read or written now.
        """
        _check(name, expires_in_seconds)
        with disk.locked(self._path):
            now, minted = self._clock.now(), secret.mint()
            others = [entry for entry in self._entries_or_none() if entry.name != name or not entry.has_expired(now)]
            if any(entry.name == name for entry in others):
                raise ConflictError(f"{self._path}: there is a token {name} already; revoke it, or choose another name")
            if len(others) >= MOST_TOKENS:
                raise ConflictError(f"{self._path}: there are {MOST_TOKENS} tokens, which is the most; revoke some")
            expires = None if expires_in_seconds is None else now + expires_in_seconds
            entry = Entry(
                id=minted.id,
                name=name,
                role=role,
                salt=minted.salt,
                hash=minted.hash,
                created=now,
                expires=expires,
            )
            disk.replace(self._path, encoded((*others, entry)))
        return minted.text

    def revoke(self, name: str) -> None:
        """Take the token away.

        Raises:
            NotOursError: there is no such token, or no such file.
            PermanentError: the file is broken, others may write it, or it may not be written.
            Unavailable: the file cannot be read or written now.
        """
        with disk.locked(self._path):
            before = self.entries()
            after = tuple(entry for entry in before if entry.name != name)
            if len(after) == len(before):
                raise NotOursError(f"{self._path}: there is no token {printable(name)}")
            disk.replace(self._path, encoded(after))

    def _entries_or_none(self) -> Sequence[Entry]:
        try:
            return self.entries()
        except NotOursError:
            return ()


def _check(name: str, expires_in_seconds: float | None) -> None:
    try:
        _NAME.validate_python(name)
    except ValidationError:
        problem = Problem("name", "is not a name", given=printable(name), allowed=NAME_ALLOWED)
        raise ConfigurationError((problem,)) from None
    if expires_in_seconds is None or (isfinite(expires_in_seconds) and 0 < expires_in_seconds <= LONGEST_SECONDS):
        return
    problem = Problem(
        "expires", "is no time to live", given=f"{expires_in_seconds:g}s", allowed="above 0, at most 366d"
    )
    raise ConfigurationError((problem,))
