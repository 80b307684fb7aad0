"""Becomes another program that cannot outlive the one who started it.

Run as ``python -m rollout.demo.child PARENT COMMAND...`` by ``rollout.demo.children`` for every
program of the demo. The wish to die with the parent is set here, between fork and exec of the
real program, because running Python code in a forked child of a program with threads is not
safe. The kernel keeps the wish over ``exec``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGKILL when ``parent`` ends; exit at once when it already has.

    Elsewhere than on Linux nothing is asked for, and the reaper alone cleans up.
    """
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refused PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        sys.exit("the program that started this one is gone")


def main(argv: list[str]) -> None:
    """Bind this process to its parent, then become ``argv[1:]``."""
    die_with_parent(int(argv[0]))
    os.execvp(argv[1], argv[1:])  # noqa: S606 - no shell is wanted; the command is the demo's own


if __name__ == "__main__":
    main(sys.argv[1:])
