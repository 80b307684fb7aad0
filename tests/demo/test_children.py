"""Programs of the demo: started, spoken to, ended, and never left behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from rollout.demo.children import children
from rollout.errors import Unavailable

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('{}', flush=True)\ntime.sleep(60)"

PARENT = """
import asyncio, sys
from rollout.demo.children import children
async def main():
    async with children() as programs:
        child = await programs.start("sleeper", "sleep", "60")
        (programs.folder / "file").write_text("left")
        print(programs.folder, child.process.pid, programs.group, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_program_answers_what_it_is_told() -> None:
    """A line in, a line out."""
    async with children() as programs:
        echo = await programs.start("echo", sys.executable, "-c", ECHO, talks=True)
        await echo.tell({"revision": "v2"})

        assert await echo.answer() == {"revision": "v2"}


async def test_nothing_is_left_at_the_end() -> None:
    """The folder and every program are gone when the block is left."""
    async with children() as programs:
        folder = programs.folder
        sleeper = await programs.start("sleeper", "sleep", "60")
        assert folder.is_dir()

    assert not folder.exists()
    assert sleeper.process.returncode == -signal.SIGTERM
    assert not psutil.pid_exists(programs.group)


async def test_stubborn_program_is_killed() -> None:
    """A program that ignores SIGTERM is killed after two seconds."""
    async with children() as programs:
        stubborn = await programs.start("stubborn", sys.executable, "-c", STUBBORN, talks=True)
        await stubborn.answer()

    assert stubborn.process.returncode == -signal.SIGKILL


async def test_lost_program_is_told_with_its_last_words() -> None:
    """The end of any program is an error that has its name, its code and the end of its log."""
    async with children() as programs:
        await programs.start("sleeper", "sleep", "60")
        await programs.start("broken", sys.executable, "-c", "raise SystemExit('no port left')")

        with pytest.raises(Unavailable, match="broken ended with code 1: no port left"):
            await asyncio.wait_for(programs.watch(), 30)


async def test_killed_program_is_no_lost_one() -> None:
    """What was killed on purpose is not told of; a program that is started later and ends is."""
    async with children() as programs:
        sleeper = await programs.start("sleeper", "sleep", "60")
        watching = asyncio.ensure_future(programs.watch())
        await asyncio.sleep(0)
        await programs.kill(sleeper)
        await programs.start("late", sys.executable, "-c", "raise SystemExit('too late')")

        with pytest.raises(Unavailable, match="late ended with code 1: too late"):
            await asyncio.wait_for(watching, 30)

    assert sleeper.process.returncode == -signal.SIGKILL


async def test_program_that_ended_cannot_answer() -> None:
    """Waiting for the answer of a program that is gone is an error, not a wait."""
    async with children() as programs:
        gone = await programs.start("gone", "true", talks=True)

        with pytest.raises(Unavailable, match="gone ended with code 0"):
            await gone.answer()


async def test_programs_leave_the_terminals_group() -> None:
    """Ctrl-C in a terminal reaches the demo alone: its programs are in the reaper's group."""
    async with children() as programs:
        sleeper = await programs.start("sleeper", "sleep", "60")

        assert os.getpgid(sleeper.process.pid) == programs.group != os.getpgrp()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_killed_parent_leaves_nothing(number: signal.Signals) -> None:
    """However the parent ends, no program and no file of it is there soon after."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    folder, *pids = (await parent.stdout.readline()).decode().split()
    parent.send_signal(number)
    await parent.wait()
    async with asyncio.timeout(15):
        while Path(folder).exists() or any(_alive(int(pid)) for pid in pids):
            await asyncio.sleep(0.02)


async def test_dead_program_is_reaped_although_the_reaper_is_killed_too() -> None:
    """The kernel ends the programs even when nobody is left to do it."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout is not None
    folder, sleeper, reaper = (await parent.stdout.readline()).decode().split()
    os.kill(int(reaper), signal.SIGKILL)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(15):
        while _alive(int(sleeper)):
            await asyncio.sleep(0.02)
    (Path(folder) / "file").unlink()
    (Path(folder) / "sleeper.log").unlink()
    Path(folder).rmdir()


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
