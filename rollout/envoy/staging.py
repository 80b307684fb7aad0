"""One RDS file on disk: read it, and put another in its place in one step.

Envoy takes a file when it is *renamed* into the watched folder and at no other time. So a new one
is written in full in a staging folder outside, forced to the disk, and renamed into place; a crash
at any point leaves the old file or the new one, never half of one. All of this blocks: it is
called in a thread. Nothing here knows what is in the file.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rollout.errors import ConfigurationError, ConflictError, NotOursError, PermanentError, Problem, Unavailable

DEFAULT_STAGING = ".rollout-staging"
"""The staging folder beside the watched folder, when the settings name none."""

MAX_FILE_BYTES = 32 * 1024 * 1024
"""The largest RDS file that is read."""

_SUFFIX = ".staged"
_READABLE_BY_ALL = stat.S_IROTH


@dataclass(frozen=True, slots=True)
class Signature:
    """What tells that a file is another one, or changed: a rename gives another inode, an edit in place does not."""

    inode: int
    size_bytes: int
    changed_ns: int


class RdsPath:
    """The place of one RDS file and of its staging folder."""

    def __init__(self, path: Path, staging: Path | None = None) -> None:
        """Take the file's path; ``staging`` defaults to a folder beside the watched one."""
        self.path = path.absolute()
        self.staging = staging.absolute() if staging else self.path.parent.parent / DEFAULT_STAGING

    def prepare(self) -> None:
        """Make the staging folder, take away what a crash left in it, and check that renaming will be atomic.

        Raises:
            ConfigurationError: the watched folder is missing, the file is a symbolic link, or the
                staging folder cannot be made, is the watched folder, or is on another filesystem.
        """
        watched = self.path.parent
        if not watched.is_dir():
            raise self._wrong("the folder of the RDS file does not exist", str(watched), "an existing folder")
        if self.path.is_symlink():
            raise self._wrong(
                "the RDS file is a symbolic link", str(self.path), "a file of its own, to be renamed over"
            )
        try:
            self.staging.mkdir(mode=0o750, exist_ok=True)
            apart = self.staging.stat().st_dev != watched.stat().st_dev
            for left in self.staging.glob(f"{self._prefix}*{_SUFFIX}"):
                left.unlink()
        except OSError as error:
            reason = error.strerror or str(error)
            raise self._wrong(
                f"the staging folder cannot be used ({reason})", str(self.staging), "a writable folder"
            ) from error
        if apart or self._is_other_mount() or self.staging.resolve() == watched.resolve():
            allowed = f"a folder outside {watched} on the same filesystem, so that a rename is one step"
            raise self._wrong("the staging folder is in the wrong place", str(self.staging), allowed)

    def _is_other_mount(self) -> bool:
        """Return whether the staging folder is another mount of the same filesystem, which only a link can tell."""
        probe = self.staging / f"{self._prefix}{secrets.token_hex(8)}{_SUFFIX}"
        try:
            os.link(self.path, probe)
        except OSError as error:
            # Not being allowed to link (another owner, no file yet) says nothing about the mount.
            return error.errno == errno.EXDEV
        probe.unlink()
        return False

    def signature(self) -> Signature | None:
        """Return the file's signature, or None when there is no file."""
        try:
            return _signature(self.path.stat())
        except OSError:
            return None

    def read(self) -> tuple[bytes, Signature]:
        """Return the whole content and its signature.

        Raises:
            ConfigurationError: there is no such file, it may not be read, or it is too large.
        """
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
                signature = _signature(os.fstat(file.fileno()))
        except OSError as error:
            raise self._wrong(f"cannot be read ({error.strerror or error})", "", "a readable RDS file") from error
        if len(content) > MAX_FILE_BYTES:
            raise self._wrong("is too large", f"more than {MAX_FILE_BYTES} bytes", f"at most {MAX_FILE_BYTES} bytes")
        return content, signature

    def _stage(self, content: bytes) -> Path:
        """Write ``content`` into the staging folder with the owner and mode of the file in place; return where."""
        try:
            like = self.path.stat()
        except OSError as error:
            raise NotOursError(f"{self.path} is gone") from error
        staged = self.staging / f"{self._prefix}{secrets.token_hex(8)}{_SUFFIX}"
        try:
            with staged.open("xb") as file:
                _keep_owner(file.fileno(), like)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except _OwnerLostError as error:
            _discard(staged)
            raise PermanentError(f"{self.path} cannot be replaced with the same owner and mode") from error
        except OSError as error:
            _discard(staged)
            raise Unavailable(f"{staged} cannot be written: {error.strerror or error}") from error
        return staged

    def replace(self, content: bytes, *, expected: bytes) -> Signature:
        """Put ``content`` in the place of ``expected``, in one step; return its signature. ``sync`` comes afterwards.

        Raises:
            ConflictError: the file in place has another content than ``expected``.
            NotOursError: it is gone.
            PermanentError: its owner and mode cannot be kept.
            Unavailable: the disk is full or fails.
        """
        return self._swap(self._stage(content), expected=expected)

    def _swap(self, staged: Path, *, expected: bytes) -> Signature:
        """Rename ``staged`` into place, if the file there still has the content ``expected``; else take it away.

        Between the comparison and the rename lie some microseconds in which another's rename would be lost; no
        filesystem call compares and renames in one step.
        """
        try:
            self._compare(expected)
            signature = _signature(staged.stat())
            staged.replace(self.path)
        except ConflictError:
            _discard(staged)
            raise
        except FileNotFoundError as error:
            _discard(staged)
            raise ConflictError(f"{self.path} is gone") from error
        except OSError as error:
            _discard(staged)
            raise Unavailable(f"{self.path} cannot be replaced: {error.strerror or error}") from error
        return signature

    def sync(self) -> None:
        """Force the rename itself to the disk.

        Raises:
            Unavailable: the disk fails.
        """
        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise Unavailable(f"{self.path.parent} cannot be synced: {error.strerror or error}") from error

    def _compare(self, expected: bytes) -> None:
        """Raise ConflictError when the file in place has another content."""
        if self.path.read_bytes() != expected:
            raise ConflictError(f"{self.path} was changed by somebody else meanwhile")

    @property
    def _prefix(self) -> str:
        """Return what the names of this file's staged files begin with."""
        return f"{self.path.parent.name}.{self.path.name}."

    def _wrong(self, message: str, given: str, allowed: str) -> ConfigurationError:
        """Return the error with its one problem."""
        return ConfigurationError((Problem("", message, given=given, allowed=allowed, source=str(self.path)),))


def _signature(status: os.stat_result) -> Signature:
    """Return the signature out of a stat result."""
    return Signature(status.st_ino, status.st_size, status.st_mtime_ns)


class _OwnerLostError(Exception):
    """The new file cannot have the owner of the old one, and not everybody may read it."""


def _keep_owner(descriptor: int, like: os.stat_result) -> None:
    """Give the new file the mode and owner of the old one; a lost owner is fine where everybody may read."""
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) == (like.st_uid, like.st_gid):
        return
    try:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    except PermissionError as error:
        if not like.st_mode & _READABLE_BY_ALL:
            raise _OwnerLostError from error


def _discard(staged: Path) -> None:
    """Take away a staged file; one that cannot be taken away now is taken away at the next start."""
    with suppress(OSError):
        staged.unlink()
