"""The step between fork and exec."""

import os
import subprocess
import sys


def test_child_becomes_the_command() -> None:
    """The program that was asked for runs under the same process id, with its arguments."""
    command = [sys.executable, "-m", "rollout.demo.child", str(os.getpid()), "sh", "-c", "echo $$ $0", "argument"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        output, _ = child.communicate(timeout=30)

    assert output.split() == [str(child.pid), "argument"]


def test_orphan_does_not_begin() -> None:
    """A program whose parent is already gone ends at once instead of running for ever."""
    command = [sys.executable, "-m", "rollout.demo.child", "1", "sleep", "60"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert "is gone" in ended.stderr
