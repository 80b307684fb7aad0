"""Whom probes trust and what they show: certificates from files in one folder, read again when they change.

Who writes a Rollout names files, and the operator says which folder they are in: nobody can point the service at any
other file. What cannot be read makes a probe unsent; it says nothing of the target.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from rollout.probes.said import Unsent
from rollout.spec.probe import ProbeTls

LOOK_SECONDS = 5.0
"""Files are looked at for changes at most so often."""

MOST_BYTES = 1024 * 1024

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Papers:
    """What the files hold: certificates to trust (None: the system's), our own chain and its key; all PEM."""

    authorities: bytes | None
    chain: bytes | None
    key: bytes | None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of the files when they had ``stamp``, looked at last at ``looked_at`` (monotonic)."""

    stamp: Stamp
    looked_at: float
    context: ssl.SSLContext
    papers: Papers


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why the files could not be used when they were looked at last."""

    looked_at: float
    why: str


class Certificates:
    """The folder of certificates; one for all probes."""

    def __init__(self, folder: Path | None = None, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Read files in ``folder`` only (None: there are none)."""
        self._folder = folder
        self._look_seconds = look_seconds
        self._kept: dict[ProbeTls, _Kept | _Refused] = {}
        self._locks: dict[ProbeTls, asyncio.Lock] = {}

    async def read(self, tls: ProbeTls) -> tuple[ssl.SSLContext, Papers]:
        """Return the context for these files, made anew when one of them changed.

        Raises:
            Unsent: a file cannot be read, not in time either, or holds no certificate or key.
        """
        try:
            await self._renew(tls)
        except asyncio.CancelledError:
            # The time of the probe is up, and the target was not even asked.
            raise Unsent("the certificates are still being read") from None
        kept = self._kept[tls]
        if isinstance(kept, _Refused):
            raise Unsent(kept.why)
        return kept.context, kept.papers

    async def _renew(self, tls: ProbeTls) -> None:
        """Look at the files if the last look is too long ago, one look at a time."""
        if not self._is_old(tls):
            return
        async with self._locks.setdefault(tls, asyncio.Lock()):
            if self._is_old(tls):
                self._kept[tls] = await asyncio.to_thread(self._look, tls, self._kept.get(tls))

    def _is_old(self, tls: ProbeTls) -> bool:
        kept = self._kept.get(tls)
        return kept is None or time.monotonic() - kept.looked_at >= self._look_seconds

    def _look(self, tls: ProbeTls, kept: _Kept | _Refused | None) -> _Kept | _Refused:
        now = time.monotonic()
        try:
            paths = [self._path(name) for name in (tls.ca, tls.certificate, tls.key)]
            stamp = tuple(_stamp(path) for path in paths)
            if isinstance(kept, _Kept) and kept.stamp == stamp:
                return _Kept(stamp, now, kept.context, kept.papers)
            authorities, chain, key = (_content(path) for path in paths)
            return _Kept(stamp, now, _context(paths), Papers(authorities, chain, key))
        except Unsent as error:
            return _Refused(now, str(error))

    def _path(self, name: str | None) -> Path | None:
        if name is None:
            return None
        if self._folder is None:
            raise Unsent("no folder of certificates")
        return self._folder / name


class Trust:
    """What one probe needs for TLS: the files, and the name that the target's certificate must have."""

    def __init__(self, certificates: Certificates, tls: ProbeTls, *, server_name: str) -> None:
        """Expect ``server_name`` unless ``tls`` names another."""
        self._certificates = certificates
        self._tls = tls
        self.server_name = tls.server_name or server_name

    async def context(self) -> ssl.SSLContext:
        """Return the context for a connection.

        Raises:
            Unsent: a file cannot be read.
        """
        return (await self._certificates.read(self._tls))[0]

    async def papers(self) -> Papers:
        """Return what the files hold.

        Raises:
            Unsent: a file cannot be read.
        """
        return (await self._certificates.read(self._tls))[1]


def _context(paths: list[Path | None]) -> ssl.SSLContext:
    authorities, chain, key = paths
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if authorities is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(authorities)
        if chain is not None:
            # Without a password of ours OpenSSL would ask for one on the terminal.
            context.load_cert_chain(chain, key, password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        names = ", ".join(path.name for path in paths if path is not None)
        raise Unsent(f"cannot use {names}") from error
    return context


def _stamp(path: Path | None) -> tuple[int, int, int]:
    if path is None:
        return 0, 0, 0
    try:
        found = path.stat()
    except OSError as error:
        raise Unsent(f"{path.name} cannot be read") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unsent(f"{path.name} cannot be read") from error
    if len(content) > MOST_BYTES:
        raise Unsent(f"{path.name} is too large")
    return content
