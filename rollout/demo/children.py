"""Starts the programs of the demo, talks to them in lines of JSON, and leaves none behind.

Used by ``rollout.demo.world``. Every program runs in the reaper's group, away from the terminal's
own, so that Ctrl-C reaches the demo alone and the demo ends the others in order. It knows
nothing of what the programs are.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rollout.demo.reaper import DONE
from rollout.errors import Unavailable

_ANSWER_SECONDS = 30.0
_END_SECONDS = 2.0
_LAST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Child:
    """One running program: its name, and the file that its standard error goes to."""

    name: str
    process: Process
    log: Path

    async def answer(self) -> Mapping[str, object]:
        """Return the next line of the program's standard output, a JSON object.

        Raises:
            Unavailable: it ended, or said nothing for 30 s.
        """
        try:
            line = await asyncio.wait_for(_stream(self.process.stdout).readline(), _ANSWER_SECONDS)
        except TimeoutError as error:
            message = f"{self.name} said nothing for {_ANSWER_SECONDS:.0f} s"
            raise Unavailable(message) from error
        if not line:
            raise Unavailable(await self.last_words())
        answer: Mapping[str, object] = json.loads(line)
        return answer

    async def tell(self, message: Mapping[str, object]) -> None:
        """Write ``message`` to the program's standard input as one line of JSON."""
        writer = self.process.stdin
        if writer is None or writer.is_closing():
            raise Unavailable(await self.last_words())
        writer.write(json.dumps(message).encode() + b"\n")
        await writer.drain()

    async def last_words(self) -> str:
        """Wait for the program's end; return one sentence with its exit code and the end of its log."""
        code = await self.process.wait()
        words = self.log.read_text(errors="replace")[-_LAST_WORDS:].strip() if self.log.exists() else ""
        return f"{self.name} ended with code {code}" + (f": {words}" if words else "")


@dataclass(slots=True)
class Children:
    """All programs of one demo, and the folder that they share."""

    folder: Path
    group: int
    running: list[Child] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, name: str, *command: str, talks: bool = False) -> Child:
        """Start ``command``; a program that ``talks`` reads and writes lines of JSON.

        Standard error, and without ``talks`` standard output too, goes to ``NAME.log`` in the folder.
        """
        log = self.folder / f"{name}.log"
        shim = (sys.executable, "-m", "rollout.demo.child", str(os.getpid()))
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *shim, *command, process_group=self.group,
                stdin=PIPE if talks else DEVNULL, stdout=PIPE if talks else output, stderr=output,
            )  # fmt: skip
        child = Child(name, process, log)
        self.running.append(child)
        self._changed.set()
        return child

    async def start_module(self, name: str, module: str, *arguments: str) -> Child:
        """Start a Python module of the demo that talks."""
        return await self.start(name, sys.executable, "-m", module, *arguments, talks=True)

    async def kill(self, child: Child) -> None:
        """Kill one program at once, as a crash would; ``watch`` takes no note of its end."""
        self.running.remove(child)
        self._changed.set()
        child.process.kill()
        await child.process.wait()

    async def watch(self) -> None:
        """Wait until any program ends that was not killed here, which none should.

        Raises:
            Unavailable: always, with the program's name and its last words.
        """
        while True:
            self._changed.clear()
            changed = asyncio.ensure_future(self._changed.wait())
            ends = {asyncio.ensure_future(child.last_words()): child for child in self.running}
            try:
                await asyncio.wait((changed, *ends), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                for end in ends:
                    end.cancel()
            for end, child in ends.items():
                if end.done() and not end.cancelled() and child in self.running:
                    raise Unavailable(end.result())

    async def end(self) -> None:
        """End every program: SIGTERM, and SIGKILL to those that are still there after 2 s."""
        for number, patience in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, None)):
            left = [child.process for child in self.running if child.process.returncode is None]
            for process in left:
                with suppress(ProcessLookupError):
                    process.send_signal(number)
            if left:
                await asyncio.wait([asyncio.ensure_future(process.wait()) for process in left], timeout=patience)
        self.running.clear()


@asynccontextmanager
async def children() -> AsyncIterator[Children]:
    """Give a new folder and a group for programs; end all of them and remove the folder at the end."""
    reaper = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rollout.demo.reaper", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, process_group=0
    )
    line = await _stream(reaper.stdout).readline()
    if not line:
        message = "the demo cannot make a folder for temporary files"
        raise Unavailable(message)
    family = Children(Path(os.fsdecode(line.rstrip(b"\n"))), reaper.pid)
    try:
        yield family
    finally:
        await asyncio.shield(asyncio.ensure_future(_leave(family, reaper)))


async def _leave(family: Children, reaper: Process) -> None:
    """Take everything away, and then let the reaper know that there is nothing left for it."""
    await family.end()
    await asyncio.to_thread(shutil.rmtree, family.folder, ignore_errors=True)
    await reaper.communicate(DONE)


def _stream(stream: asyncio.StreamReader | None) -> asyncio.StreamReader:
    if stream is None:
        message = "the program was started without a pipe"
        raise Unavailable(message)
    return stream
