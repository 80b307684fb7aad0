"""Makes the demo's folder, and takes away what is left when the demo is killed.

Run as ``python -m rollout.demo.reaper`` by ``rollout.demo.children``, first of all programs, as
the leader of the group that the others join. It prints the path of a new folder and waits on
its standard input. A line ``done`` means that the demo has cleaned up by itself. End of file
without it means that the demo was killed: then every program of the group is killed and the
folder removed. It must know nothing of what runs in the group.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time

PREFIX = "rollout-demo-"
"""How the demo's folder begins, in the system's folder for temporary files."""

DONE = b"done\n"
"""What the demo writes when there is nothing left to take away."""

_GROUP_END_SECONDS = 2.0


def main() -> None:
    """Make the folder, print its path, wait for the end of the demo, clean up unless that is done."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        sys.stdout.write(folder + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        shutil.rmtree(folder)
        return
    if sys.stdin.buffer.read() != DONE:
        _take_away(folder)


def _take_away(folder: str) -> None:
    """Kill the group from outside of it (this program leads it, so a fork does it), then remove the folder."""
    group = os.getpgrp()
    if os.fork():
        signal.pause()
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    _wait_until_gone(group)
    shutil.rmtree(folder, ignore_errors=True)


def _wait_until_gone(group: int) -> None:
    deadline = time.monotonic() + _GROUP_END_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


if __name__ == "__main__":
    main()
