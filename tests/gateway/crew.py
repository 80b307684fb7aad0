"""Who plays in the lab: backends and clients, told over pipes what to do."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.gateway.answers import Answers
from tests.gateway.enclosure import TREE
from tests.gateway.lab import Lab
from tests.waiting import patient

BOTH = ("http", "grpc")
_ANSWER_SECONDS = 20.0


@dataclass(slots=True)
class Place:
    """A backend: its address inside, the file that says how it behaves, and its process (0: killed)."""

    address: str
    told: Path
    pid: int


class Crew:
    """The process that forks backends, and the one that has all clients."""

    def __init__(self, lab: Lab) -> None:
        """Start both."""
        self.lab = lab
        self.folder = lab.folder / "crew"
        self.folder.mkdir()
        self.places: dict[str, Place] = {}
        self._numbers = itertools.count(256)
        self._forking = self._begin("backends")
        self._sending = self._begin("clients")

    def _begin(self, module: str) -> subprocess.Popen[str]:
        command = [*self.lab.enclosure.prefix(), sys.executable, "-m", f"tests.gateway.{module}"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=TREE, text=True, process_group=0)

    # backends

    def place(self, name: str) -> Place:
        """Return a backend that answers with its name; at the first time at an address of its own."""
        if name not in self.places:
            number = next(self._numbers)
            told = self.folder / f"{name}.json"
            self.places[name] = Place(f"10.77.{number // 250}.{number % 250 + 1}", told, 0)
            self.behave(name)
        place = self.places[name]
        if not place.pid:
            said, pid = _ask(self._forking, f"{name} {place.address} {place.told}").split()
            assert said == name
            place.pid = int(pid)
        return place

    def behave(self, name: str, **fields: object) -> None:
        """Let a backend behave like this from its next request on; without fields it does everything right."""
        told = self.places[name].told
        fresh = told.with_suffix(".new")
        fresh.write_text(json.dumps(fields), encoding="utf-8")
        fresh.replace(told)

    def kill(self, name: str) -> None:
        """Kill a backend as a crash would."""
        place = self.places[name]
        if place.pid:
            os.kill(place.pid, signal.SIGKILL)
            place.pid = 0

    # clients

    @contextmanager
    def clients(self, hosts: Mapping[str, str], port: int, *, rate: float, path: str = "/pay") -> Iterator[Answers]:
        """Let ``rate`` requests a second of each kind go to its host at a gateway meanwhile."""
        number = str(next(self._numbers))
        kept = self.folder / f"answers-{number}"
        order = {"begin": number, "hosts": dict(hosts), "port": port, "rate": rate, "path": path, "file": str(kept)}
        _tell(self._sending, json.dumps(order))
        try:
            yield Answers(kept)
        finally:
            said = _ask(self._sending, json.dumps({"end": number}))
            assert said == f"{number} None\n", said

    def end(self) -> None:
        """End them all."""
        for process in (self._sending, self._forking):
            with suppress(subprocess.TimeoutExpired):
                process.communicate("", timeout=10)
            process.kill()
            process.wait()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _ask(process: subprocess.Popen[str], line: str) -> str:
    _tell(process, line)
    assert process.stdout is not None
    answers, _, _ = select.select([process.stdout], [], [], patient(_ANSWER_SECONDS))
    assert answers, f"no answer within {_ANSWER_SECONDS:g} s to: {line}"
    return process.stdout.readline()
