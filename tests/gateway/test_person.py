"""Facts about ``make lab``, which a person has in a terminal: it is up soon, does what is said, and leaves nothing."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.gateway.enclosure import TREE, Enclosure
from tests.tools import require
from tests.waiting import patient

UP_SECONDS = 60.0
"""From nothing to good answers over both kinds of route: the prompt comes after them."""

COUNT_SECONDS = 30.0
CTRL_C = b"\x03"
GOOD = re.compile(r"grpc  v1 +\d+  100\.0%  good")


class Terminal:
    """The lab in a terminal of its own."""

    def __init__(self) -> None:
        """Start it."""
        self._ours, theirs = pty.openpty()
        command = ["setsid", "--ctty", sys.executable, "-m", "tests.gateway"]  # its Ctrl-C counts
        with os.fdopen(theirs, "wb", buffering=0) as given:
            self.process = subprocess.Popen(command, stdin=given, stdout=given, stderr=given, cwd=TREE)
        self.shown = ""

    def until(self, text: str, *, seconds: float = 20.0) -> str:
        """Return what was shown since the last time up to ``text``."""
        deadline = time.monotonic() + patient(seconds)
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0))
            assert ready, f"no {text!r} within {seconds:g} s: {self.shown[-3000:]}"
            try:
                self.shown += os.read(self._ours, 65536).decode()
            except OSError:  # how Linux says that nobody has the other end any more
                raise AssertionError(f"it ended before {text!r}: {self.shown[-3000:]}") from None
        told, _, self.shown = self.shown.partition(text)
        return told

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    def end(self) -> int:
        """Press Ctrl-C and return the exit code; what it shows at its end is in ``shown``."""
        self.type(CTRL_C)
        deadline = time.monotonic() + patient(30)
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"Ctrl-C did not end it: {self.shown[-3000:]}"
            if select.select([self._ours], [], [], 0.05)[0]:
                self._read_end()
        return self.process.returncode

    def _read_end(self) -> None:
        try:
            self.shown += os.read(self._ours, 65536).decode()
        except OSError:
            time.sleep(0.05)

    def close(self) -> None:
        """Leave nothing behind, whatever happened."""
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture(scope="module")
def terminal() -> Iterator[Terminal]:
    """Start the lab for a person; where there can be no lab, the test ends as ``missing`` says."""
    Enclosure.begin().end()
    require(shutil.which("setsid"), "no setsid on PATH (Debian: util-linux), which gives a terminal to a process")
    with closing(Terminal()) as running:
        yield running


def processes(folder: str) -> list[list[str]]:
    """Return the command lines of all that run with something in this folder."""
    found = psutil.process_iter(["cmdline"])
    return [one.info["cmdline"] for one in found if any(folder in word for word in one.info["cmdline"] or ())]


def counted(terminal: Terminal) -> str:
    """Say ``count``, and return what is answered: few were answered since the last time."""
    terminal.type(b"count\n")
    return terminal.until("\n> ")


def is_good_soon(terminal: Terminal) -> bool:
    """Return whether all calls since the last count were answered well, at some count in time."""
    deadline = time.monotonic() + patient(COUNT_SECONDS)
    while not GOOD.search(counted(terminal)):
        if time.monotonic() > deadline:
            return False
    return True


def test_a_person_has_the_lab(terminal: Terminal) -> None:
    """It says what to try, does what is said, survives what it does not understand, and goes by Ctrl-C."""
    shown = terminal.until("\n> ", seconds=UP_SECONDS)
    (folder,) = re.findall(r"ROLLOUT_TOKEN_FILE=(\S+)/token", shown)
    terminal.type(b"kill nobody\n")
    refused = terminal.until("\n> ")
    is_counted = is_good_soon(terminal)
    ran = processes(folder)
    code = terminal.end()

    assert "No backend is called nobody" in refused
    assert is_counted
    assert len(ran) >= 5
    assert (code, "Traceback" in terminal.shown) == (0, False)
    assert processes(folder) == []
    assert not Path(folder).exists()
