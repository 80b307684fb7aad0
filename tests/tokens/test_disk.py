"""Replacing the file: whole or not at all, and never against somebody else who is at it."""

import fcntl
import os
from pathlib import Path

import pytest

from rollout.errors import PermanentError, Unavailable
from rollout.tokens import disk

IS_ROOT = os.geteuid() == 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file that does not exist yet."""
    return tmp_path / "rollout.tokens"


def test_who_reads_has_the_old_file_or_the_new_one(path: Path) -> None:
    """A reader that had opened the old file reads it to its end."""
    disk.replace(path, b"old" * 1000)
    with path.open("rb") as reader:
        disk.replace(path, b"new")
        read = reader.read()

    assert read == b"old" * 1000
    assert disk.read(path, most_bytes=10)[0] == b"new"


def test_a_changed_file_has_another_signature(path: Path) -> None:
    """Also when it is as long as before; what was read belongs to the signature."""
    disk.replace(path, b"one")
    first = disk.read(path, most_bytes=10)[1]
    unchanged = disk.signature(path)
    disk.replace(path, b"two")

    assert unchanged == first
    assert disk.signature(path) != first


def test_no_more_is_read_than_is_needed_to_see_that_it_is_too_much(path: Path) -> None:
    """A huge file costs no memory."""
    disk.replace(path, b"x" * 1000)

    assert disk.read(path, most_bytes=10)[0] == b"x" * 11


def test_a_failed_replacement_leaves_what_was_there(path: Path) -> None:
    """And nothing unfinished beside it."""
    path.mkdir()
    with pytest.raises(Unavailable, match=r"rollout\.tokens: the token file cannot be written: Is a directory"):
        disk.replace(path, b"new")

    assert path.is_dir()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(IS_ROOT, reason="to root every folder is open")
def test_a_folder_that_may_not_be_written_is_told(path: Path) -> None:
    """The message has the reason."""
    path.parent.chmod(0o500)
    with pytest.raises(PermanentError, match=r"rollout\.tokens: the token file cannot be written: Permission denied"):
        disk.replace(path, b"new")
    path.parent.chmod(0o700)

    assert not path.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")
def test_the_owner_of_the_file_stays(path: Path) -> None:
    """Root may add a token to the file of the service, and the service can still read it."""
    disk.replace(path, b"old")
    os.chown(path, 12345, 12346)
    disk.replace(path, b"new")
    found = path.stat()

    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12346, 0o600)


def test_a_lock_that_is_held_for_too_long_is_told(path: Path) -> None:
    """Nobody waits for ever."""
    holder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    told = r"rollout\.tokens: another program has been changing the token file for 0\.05 s"
    with pytest.raises(Unavailable, match=told), disk.locked(path, limit_seconds=0.05):
        raise AssertionError
    os.close(holder)
    with disk.locked(path):
        disk.replace(path, b"new")

    assert path.read_bytes() == b"new"
