"""Facts about the lab itself: it is up soon, and nothing of it outlives the tests, however they end."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from tests.gateway.enclosure import TREE, Enclosure
from tests.gateway.lab import Lab
from tests.waiting import until

_INSIDE = """
import pathlib, sys
from tests.gateway.enclosure import Enclosure
enclosure = Enclosure.begin()
enclosure.door(80)
sleeping = enclosure.spawn(pathlib.Path(sys.argv[1]), "sleep", "1000")
print(sleeping.pid, flush=True)
sys.stdin.read()
"""


def test_it_is_up_within_a_minute(lab: Lab) -> None:
    """From the programs to two Gateways that are programmed takes at most a minute."""
    assert lab.up_seconds <= 60


def test_inside_is_not_outside() -> None:
    """A port of the enclosure is reached through a door only."""
    enclosure = Enclosure.begin()
    try:
        told = enclosure.run("ip", "-brief", "address", "show", "dev", "lo")
    finally:
        enclosure.end()

    assert "10.77.0.1/16" in told
    assert "10.77.0.1" not in {address.address for found in psutil.net_if_addrs().values() for address in found}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_nothing_outlives_who_began_it(number: signal.Signals, tmp_path: object) -> None:
    """Whoever began an enclosure is killed: what ran inside is gone."""
    command = [sys.executable, "-c", _INSIDE, f"{tmp_path}/log"]
    beginning = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=TREE, text=True)
    assert beginning.stdout is not None
    inside = int(beginning.stdout.readline())
    started = psutil.Process(beginning.pid).children(recursive=True)
    beginning.send_signal(number)
    beginning.communicate()
    await until(lambda: not any(_is_there(process) for process in started), seconds=10)

    assert inside in {process.pid for process in started}
    assert len(started) == 3


def _is_there(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
