"""Reading and replacing the token file. Blocking; called by ``rollout.tokens.file``, knows nothing of tokens."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rollout.errors import NotOursError, PermanentError, Unavailable

MODE = 0o600
LOCK_SECONDS = 5.0
"""How long a writer waits for another one."""

_RETRY_SECONDS = 0.02
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Signature:
    """By what a changed file is told from the one that was read."""

    modified_ns: int
    inode: int
    size: int
    mode: int
    owner: tuple[int, int]


def signature(path: Path) -> Signature:
    """Return the signature of the file as it is now.

    Raises:
        NotOursError: there is no such file.
        Unavailable: it cannot be looked at.
    """
    try:
        return _signature_of(path.stat())
    except OSError as error:
        raise _refusal(path, error) from error


def _signature_of(found: os.stat_result) -> Signature:
    return Signature(found.st_mtime_ns, found.st_ino, found.st_size, found.st_mode, (found.st_uid, found.st_gid))


def _refusal(path: Path, error: OSError) -> NotOursError | Unavailable:
    if isinstance(error, FileNotFoundError):
        return NotOursError(f"{path}: there is no such token file; `rollout token create` makes it")
    return Unavailable(f"{path}: the token file cannot be read: {error.strerror}")


def read(path: Path, *, most_bytes: int) -> tuple[bytes, Signature]:
    """Return the content, at most one byte more than ``most_bytes``, and the signature that belongs to it.

    Raises:
        NotOursError: there is no such file.
        PermanentError: it is no file, or others than its owner may write it.
        Unavailable: it cannot be read.
    """
    try:
        # A pipe in its place must not hold up whoever reads it.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 - flags
            found = os.fstat(file.fileno())
            _refuse_unsafe(path, found)
            return file.read(most_bytes + 1), _signature_of(found)
    except OSError as error:
        raise _refusal(path, error) from error


def _refuse_unsafe(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise PermanentError(f"{path}: this is no file")
    if found.st_mode & _OTHERS_WRITE:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise PermanentError(f"{path}: others may write the token file (mode {mode}); allowed: 0600")


@contextmanager
def locked(path: Path, *, limit_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Let nobody else who asks for this lock change the file meanwhile.

    The lock is on the folder: it leaves no file behind that another user could not open later.

    Raises:
        Unavailable: another one holds the lock for too long, or the folder cannot be opened or locked.
    """
    folder = Path(os.path.realpath(path)).parent
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"{path}: the folder of the token file cannot be opened: {error.strerror}") from error
    try:
        _take(opened, path, limit_seconds)
        yield
    finally:
        os.close(opened)


def _take(folder: int, path: Path, limit_seconds: float) -> None:
    deadline = time.monotonic() + limit_seconds
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                told = f"{path}: another program has been changing the token file for {limit_seconds:g} s"
                raise Unavailable(told) from error
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            raise Unavailable(f"{path}: the folder of the token file cannot be locked: {error.strerror}") from error
        else:
            return


def replace(path: Path, content: bytes) -> None:
    """Put a file with this content in the place of ``path`` at once, for its owner only.

    Raises:
        PermanentError: the owner of the file that is there cannot be kept.
        Unavailable: it cannot be written; what was there stays.
    """
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        _write(unfinished, content, owner=_owner(target))
        unfinished.replace(target)
        _sync_folder(target.parent)
    except PermissionError as error:
        raise PermanentError(f"{path}: the token file cannot be written: {error.strerror}") from error
    except OSError as error:
        raise Unavailable(f"{path}: the token file cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _owner(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid


def _write(path: Path, content: bytes, *, owner: tuple[int, int] | None) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "wb") as file:  # noqa: PTH123 - flags
        if owner is not None and owner != _owner(path):
            os.fchown(file.fileno(), *owner)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
