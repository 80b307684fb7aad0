"""Two processes never use one database."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rollout.errors import NotOursError, Unavailable
from rollout.sqlite.lock import FileLock

HOLDER = "import sys, pathlib; from rollout.sqlite.lock import FileLock; "
HOLDER += "lock = FileLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"


def test_the_holder_is_named(tmp_path: Path) -> None:
    """A second process hears the process id of the first, also when that one is killed right after."""
    path = tmp_path / "rollout.db.lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        held = child.stdout.readline()
        with pytest.raises(NotOursError, match=rf"rollout\.db\.lock: process {child.pid} is using"):
            FileLock(path)
        child.kill()
    FileLock(path).release()

    assert held == "held\n"


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    """The file stays, the lock does not."""
    path = tmp_path / "lock"
    FileLock(path).release()
    second = FileLock(path)

    assert path.read_text() == f"{os.getpid()}\n"
    second.release()


def test_a_lock_where_no_file_can_be_made_says_why(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(Unavailable, match=r"missing/lock: .*No such file"):
        FileLock(tmp_path / "missing" / "lock")
