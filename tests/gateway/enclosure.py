"""A network namespace of its own in which plain processes run, with doors to it from outside.

All of ``10.77.0.0/16`` is an address of it, so that every backend has one (EndpointSlices refuse loopback), and every
part has the ports that it likes. It needs root, or user namespaces. Whatever runs inside is killed by the kernel when
the process that began the enclosure ends, however it ends. Ctrl-C reaches that one only (``process_group``), which then
ends the others in their order.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.tools import missing

TREE = Path(__file__).parents[2]
ADDRESS = "10.77.0.1"
_SET_UP = f"ip link set lo up && ip addr add {ADDRESS}/16 dev lo && echo up && exec cat"
_IF_WE_LIVE = '[ "$PPID" = "$0" ] && exec "$@"'
"""For one whose parent ended before it could ask to be killed with it."""

_PROGRAMS = ("unshare", "nsenter", "setpriv", "ip", "mount", "chroot")
_SECONDS = 10.0


class Enclosure:
    """The namespace, which lives as long as its holder: a process that reads what nobody ever writes."""

    def __init__(self, holder: subprocess.Popen[str]) -> None:
        """Hold the namespaces of this process."""
        self._holder = holder
        self._porter: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    @classmethod
    def begin(cls) -> Enclosure:
        """Make one; where that is not allowed, or a program is not there, the test ends as ``missing`` says."""
        for name in _PROGRAMS:
            if shutil.which(name) is None:
                missing(f"no {name} on PATH (Debian: util-linux, iproute2), which makes and enters a network namespace")
        command = ["unshare", *_as_user(), "--net", "--mount", "sh", "-c", _SET_UP]
        pipe = subprocess.PIPE
        holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, process_group=0)
        assert holder.stdout is not None
        if holder.stdout.readline() != "up\n":
            _, said = holder.communicate(timeout=_SECONDS)
            missing(f"no network namespace of our own on this machine (not root, no user namespaces): {said.strip()}")
        return cls(holder)

    def prefix(self, *, mounts: bool = False) -> tuple[str, ...]:
        """Return what begins a command line that runs inside, and dies with us; ``mounts``: with its mounts, too."""
        entering = ["nsenter", f"--target={self._holder.pid}", "--net"]
        if mounts:
            entering += ["--mount", f"--wd={TREE}"]
        if os.geteuid() != 0:
            entering += ["--user", "--preserve-credentials"]
        return (*entering, "setpriv", "--pdeathsig", "KILL", "sh", "-c", _IF_WE_LIVE, str(os.getpid()))

    def spawn(
        self, log: Path, *command: str | Path, mounts: bool = False, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside; what it prints goes to ``log``."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [*self.prefix(mounts=mounts), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=TREE,
                env={**os.environ, **(environment or {})},
                process_group=0,
            )

    def run(self, *command: str | Path, mounts: bool = False) -> str:
        """Run a short command inside and return what it printed."""
        words = [*self.prefix(mounts=mounts), *map(str, command)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr[-2000:]}"
        return done.stdout

    def door(self, port: int, outside: int = 0) -> int:
        """Let connections to a port of our loopback (0: a free one) end at ``port`` inside; return ours."""
        if self._orders is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                command = [*self.prefix(), sys.executable, "-m", "tests.gateway.porter", str(theirs.fileno())]
                self._porter = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=TREE, process_group=0)
            self._orders = ours
        with socket.create_server(("127.0.0.1", outside), backlog=256) as listening:
            bound: int = listening.getsockname()[1]
            socket.send_fds(self._orders, [f"{port}\n".encode()], [listening.fileno()])
        return bound

    def end(self) -> None:
        """Let go of it; who runs inside is ended by whoever started it."""
        if self._orders is not None:
            self._orders.close()
        if self._porter is not None:
            self._porter.wait(_SECONDS)
        self._holder.communicate(timeout=_SECONDS)


def _as_user() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("--user", "--map-root-user")
