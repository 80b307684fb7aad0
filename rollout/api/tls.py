"""TLS of the API: the certificate is checked before it is used, and taken again when its files change.

Called by ``server``. Authorities for clients are read once: a context cannot forget one, so taking one away needs a
restart.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from rollout.errors import ConfigurationError, Problem

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
"""How often the files are looked at."""

_Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files (PEM): the certificate with its chain, its key, and authorities that clients must come from (or None)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Tls:
    """The context of all connections. Blocking reads of small files happen in a thread."""

    def __init__(self, files: TlsFiles, context: ssl.SSLContext, signature: _Signature) -> None:
        """Keep what ``load`` has read."""
        self.context = context
        self._files = files
        self._signature = signature

    @classmethod
    async def load(cls, files: TlsFiles) -> Tls:
        """Read the files.

        Raises:
            ConfigurationError: one cannot be read, or is not what it should be; it is named.
        """
        return await asyncio.to_thread(_load, files)

    async def follow(self, seconds: float = LOOK_SECONDS) -> None:
        """Take changed files until cancelled; ones that cannot be used are told once, and the former stay."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        signature = _signature(self._files)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            _context(self._files)  # on one that nobody uses: a failed load would leave half of it behind
            self.context.load_cert_chain(self._files.certificate, self._files.key, _no_password)
        except (ConfigurationError, OSError) as error:
            log.warning("the changed certificate cannot be used, the former one stays", why=str(error))
        else:
            log.info("certificate taken again", file=str(self._files.certificate))


def _load(files: TlsFiles) -> Tls:
    signature = _signature(files)
    return Tls(files, _context(files), signature)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except (OSError, ValueError) as error:
        message = f"with the key {files.key}: cannot be used as a certificate: {_why(error)}"
        raise _refused(str(files.certificate), message) from error
    if files.client_ca is not None:
        _ask_for_certificates(context, files.client_ca)
    return context


def _ask_for_certificates(context: ssl.SSLContext, authorities: Path) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(authorities)
    except OSError as error:
        raise _refused(str(authorities), f"has no certificates of authorities: {_why(error)}") from error


def _no_password() -> str:
    """Answer OpenSSL, which would ask at the terminal."""
    raise ValueError("the key is encrypted, and must not be")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


def _signature(files: TlsFiles) -> _Signature:
    """Return what changes with the files, empty when one is missing."""
    try:
        stats = [path.stat() for path in (files.certificate, files.key)]
    except OSError:
        return ()
    return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _refused(source: str, message: str) -> ConfigurationError:
    return ConfigurationError((Problem("", message, source=source),))
