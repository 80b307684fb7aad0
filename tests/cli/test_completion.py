"""A server that answers too slowly stops nobody's typing."""

import socket
import threading
import time

from rollout.cli.completion import SECONDS, rollout_names


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
