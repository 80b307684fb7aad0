"""Backends in processes of their own, to be killed: forked by one process, so that a killed one is back at once.

`python -m tests.envoy.forked` reads lines `http|grpc NAME PORT` and forks a backend for each, which prints its name,
process and port when it answers. It ends them all when its standard input is closed.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.envoy.backends import GrpcBackend, HttpBackend

_ROOT = Path(__file__).parents[2]
_ANSWER_SECONDS = 30.0


@dataclass
class ForkedBackends:
    """The process that forks backends, and those that it forked: their processes and ports."""

    forking: asyncio.subprocess.Process
    pids: dict[str, int] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    async def start(self, *names: str) -> None:
        """Start these backends, each where it was before, and wait until they answer; a name with `grpc` speaks it."""
        reader, writer = self.forking.stdout, self.forking.stdin
        assert reader is not None
        assert writer is not None
        for name in names:
            kind = "grpc" if "grpc" in name else "http"
            writer.write(f"{kind} {name} {self.ports.get(name, 0)}\n".encode())
        for _ in names:
            said = json.loads(await asyncio.wait_for(reader.readline(), _ANSWER_SECONDS))
            self.pids[said["name"]], self.ports[said["name"]] = said["pid"], said["port"]

    def kill(self, name: str) -> None:
        """Kill a backend as a crash would."""
        os.kill(self.pids[name], signal.SIGKILL)

    async def end(self) -> None:
        """End them all."""
        await asyncio.wait_for(self.forking.communicate(b""), _ANSWER_SECONDS)


async def forked_backends(*names: str) -> ForkedBackends:
    """Return these backends, which answer."""
    forking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.envoy.forked"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
    )
    backends = ForkedBackends(forking)
    await backends.start(*names)
    return backends


def fork_again_and_again() -> None:
    """Fork a backend for each line; end them all at the end of the input."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    forked = []
    while line := sys.stdin.readline():
        kind, name, port = line.split()
        if not (pid := os.fork()):
            asyncio.run(_serve(kind, name, int(port)))
        forked.append(pid)
    for pid in forked:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def _serve(kind: str, name: str, port: int) -> None:
    """Serve for ever."""
    server: HttpBackend | GrpcBackend = HttpBackend(name) if kind == "http" else GrpcBackend(name)
    await server.start(port)
    sys.stdout.write(json.dumps({"name": name, "pid": os.getpid(), "port": server.port}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    fork_again_and_again()
