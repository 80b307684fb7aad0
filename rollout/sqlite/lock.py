"""A lock beside the database, so that two processes never move the same weights.

The kernel takes it back when its holder dies in whatever way, so it is never in the way of a
restart; the file itself stays, since removing it would let two holders meet.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rollout.errors import NotOursError, Unavailable


class FileLock:
    """An exclusive lock on a file, held from ``__init__`` to ``release``."""

    def __init__(self, path: Path) -> None:
        """Take the lock at once or not at all.

        Raises:
            NotOursError: another process holds it; the message names its process id.
            Unavailable: the file cannot be opened.
        """
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"{path}: the lock file cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._file, 20, 0).decode(errors="replace").strip()
            os.close(self._file)
            who = f"process {holder}" if holder else "another process"
            raise NotOursError(
                f"{path}: {who} is using this database; stop it first, or choose another file"
            ) from error
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._file)
