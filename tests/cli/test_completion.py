"""A server that answers too slowly stops nobody's typing."""

import socket
import threading
import time

import pytest

from rollout.cli.completion import SECONDS, backup_names, epochs, rollout_names
from rollout.cli.get import _failover_phases
from tests.cli.answers import document
from tests.cli.standin import StandIn


class Typed:
    """What was typed before: a flag with the server."""

    def __init__(self, url: str) -> None:
        """Ask this server."""
        self.params = {"server": url, "namespace": "default"}


def test_a_silent_server_is_waited_for_a_second() -> None:
    """Then nothing is completed."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        names = rollout_names(Typed(f"http://127.0.0.1:{silent.getsockname()[1]}"), "")
        took = time.monotonic() - began

    assert names == []
    assert took < SECONDS + 0.5


def test_a_server_that_trickles_is_waited_for_a_second() -> None:
    """Though each byte comes in time."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()
        trickling = threading.Thread(target=_trickle, args=(listening, ended))
        trickling.start()
        began = time.monotonic()
        names = rollout_names(Typed(f"http://127.0.0.1:{listening.getsockname()[1]}"), "")
        took = time.monotonic() - began
        ended.set()
        trickling.join()

    assert names == []
    assert took < SECONDS + 0.5


def _trickle(listening: socket.socket, ended: threading.Event) -> None:
    taken, _ = listening.accept()
    with taken:
        taken.sendall(b"HTTP/1.1 200 OK\r\n")
        while not ended.wait(0.05):
            taken.sendall(b"X: y\r\n")


def typed(server: StandIn, name: str = "checkout") -> Typed:
    """Return what was typed before a flag about a Rollout that the stand-in knows."""
    whole = document(failover={"phase": "FailedOver", "epoch": 3})
    spec = {"backends": {"backups": [{"name": "dr"}, {"name": "dr-far"}, {"port": 80}, "x"]}}
    server.answers["GET", "/rollouts/default/checkout"] = (200, {**whole, "spec": spec})
    found = Typed(server.url)
    found.params["name"] = name
    return found


@pytest.mark.usefixtures("running")
def test_backups_are_completed(server: StandIn) -> None:
    """Those of the Rollout that was typed."""
    assert backup_names(typed(server), "") == ["dr", "dr-far"]
    assert backup_names(typed(server, "default/checkout"), "dr-") == ["dr-far"]


@pytest.mark.usefixtures("running")
def test_the_number_of_the_failover_is_completed(server: StandIn) -> None:
    """It is the present one that is meant."""
    assert epochs(typed(server), "") == ["3"]
    assert epochs(typed(server), "4") == []


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("name", ["", "other", "far/checkout", "a b"])
def test_nothing_is_completed_of_what_is_not_there(server: StandIn, name: str) -> None:
    """And nothing is said."""
    assert backup_names(typed(server, name), "") == []
    assert epochs(typed(server, name), "") == []


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("odd", [[], {"spec": None, "status": []}, {"spec": {"backends": {"backups": "x"}}}])
def test_an_odd_answer_completes_nothing(server: StandIn, odd: object) -> None:
    """Whatever a server may say."""
    given = typed(server)
    server.answers["GET", "/rollouts/default/checkout"] = (200, odd)

    assert (backup_names(given, ""), epochs(given, "")) == ([], [])


def test_phases_are_completed() -> None:
    """Those of failover for its own filter."""
    assert _failover_phases("Fail") == ["FailedOver", "FailingBack"]
