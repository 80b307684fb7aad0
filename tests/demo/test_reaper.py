"""Who takes away what a killed demo leaves."""

import subprocess
import sys
import time
from pathlib import Path

from rollout.demo.reaper import DONE, PREFIX

COMMAND = [sys.executable, "-m", "rollout.demo.reaper"]


def test_reaper_makes_a_private_folder() -> None:
    """The folder is new, has the demo's name and is for this user alone."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as reaper:
        assert reaper.stdout is not None
        folder = Path(reaper.stdout.readline().decode().strip())
        mode = folder.stat().st_mode & 0o777
        reaper.communicate(DONE, timeout=30)
    folder.rmdir()

    assert (folder.name.startswith(PREFIX), mode, reaper.returncode) == (True, 0o700, 0)


def test_end_without_a_word_takes_the_folder_away() -> None:
    """End of file means that the demo was killed: what it left is removed."""
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0) as reaper:
        assert reaper.stdout is not None
        folder = Path(reaper.stdout.readline().decode().strip())
        (folder / "left").write_text("behind")
        reaper.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not folder.exists()
