"""Which authorities a sink's certificate is checked against: the system's, or those of a file that may be renewed."""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path

from rollout.aside import Aside
from rollout.errors import PermanentError


class Trust:
    """The TLS side of one sink; the file is looked at for each message and read again when it was replaced."""

    def __init__(self, owner: str, aside: Aside, ca_file: Path | None) -> None:
        """Belong to ``owner``; trust ``ca_file`` (PEM) in place of the system's authorities when it is given."""
        self._owner = owner
        self._aside = aside
        self._file = ca_file
        self._made: tuple[tuple[int, int, int], ssl.SSLContext] | None = None

    async def context(self) -> ssl.SSLContext | bool:
        """Return what aiohttp takes as ``ssl``: a context, or True for the system's authorities.

        Raises:
            PermanentError: the file cannot be read, or holds no certificate.
        """
        if self._file is None:
            return True
        return await self._aside.call(partial(self._from_file, self._file))

    def _from_file(self, file: Path) -> ssl.SSLContext:
        try:
            found = file.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            if self._made is None or self._made[0] != mark:
                self._made = (mark, ssl.create_default_context(cafile=str(file)))
        except (OSError, ValueError) as error:
            why = "it holds no certificate" if isinstance(error, ssl.SSLError) else "the file cannot be read"
            raise PermanentError(f"{self._owner}: its authorities cannot be taken from {file}: {why}") from None
        return self._made[1]
