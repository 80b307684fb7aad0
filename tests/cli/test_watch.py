"""`rollout watch` from the outside: lines, and an exit code that tells how it ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from rollout.api.models import Live, TransitionItem
from tests.cli.answers import event, idle, live, promoted, rolled_back, transition
from tests.cli.conftest import Run
from tests.cli.standin import Running, StandIn, answering, problem


@contextmanager
def meanwhile(server: StandIn, then: Callable[[], None]) -> Iterator[None]:
    """Do something once the stand-in was looked at and its stream is open, while the command runs."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (server.streams and server.paths("GET")):
            time.sleep(0.005)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join(20)


def becomes(server: StandIn, found: Live, item: TransitionItem) -> None:
    """Let the Rollout go on: the transition is recorded and told."""
    server.live = found
    server.history.insert(0, item)
    server.events.append(event(item))


def test_a_promotion_ends_with_0(server: StandIn, run: Run) -> None:
    """What was seen first, each transition, and how it ended, a line each."""
    server.live = live()
    with meanwhile(server, lambda: becomes(server, idle(), promoted())):
        result = run("watch", "checkout")

    assert result.exit_code == 0
    assert [line.partition("Z ")[2] or line for line in result.stdout.splitlines()] == [
        "default/checkout Progressing step 2 Holding: The hold time of step 2 is not over.",
        "default/checkout verdict Continue NotEnoughEvidence: Nothing speaks against the canary so far.",
        "default/checkout Idle Promoted: Promoted: checkout-v2 has the stable role.",
        "default/checkout: Promoted: checkout-v2 has the stable role.",
    ]


def test_a_rollback_ends_with_3(server: StandIn, run: Run) -> None:
    """With the sentence that says why."""
    server.live = live()
    with meanwhile(server, lambda: becomes(server, live(phase="Aborted", hold=None), rolled_back())):
        result = run("watch", "checkout")

    assert result.exit_code == 3
    assert result.stdout.splitlines()[-1] == "default/checkout: Rolled back: too many errors."


def test_time_that_runs_out_ends_with_4(server: StandIn, run: Run) -> None:
    """With where it still stands."""
    server.live = live()
    result = run("watch", "checkout", "--timeout", "300ms")

    assert result.exit_code == 4
    assert result.stdout.splitlines()[-1].endswith("still Progressing: The hold time of step 2 is not over.")


@pytest.mark.parametrize(("history", "code"), [([promoted()], 0), ([rolled_back()], 3), ([], 0)])
def test_nothing_running_ends_at_once_as_the_last_attempt_did(
    server: StandIn, run: Run, history: list[TransitionItem], code: int
) -> None:
    """And says that nothing is running."""
    server.live, server.history = idle(attempt=len(history)), history
    result = run("watch", "checkout")

    assert result.exit_code == code
    assert "Nothing is running. " in result.stdout or "There was no attempt yet. " in result.stdout


def test_the_next_attempt_can_be_waited_for(server: StandIn, run: Run) -> None:
    """Though nothing is running."""
    server.live, server.history = idle(attempt=3), [promoted(3)]
    with meanwhile(server, lambda: becomes(server, live(phase="Aborted", attempt=4, hold=None), rolled_back())):
        result = run("watch", "checkout", "--next")

    assert result.exit_code == 3


def test_an_attempt_that_is_over_ends_with_1(server: StandIn, run: Run) -> None:
    """A later one does not stand for it."""
    server.live = live(attempt=5)
    result = run("watch", "checkout", "--attempt", "4")

    assert result.exit_code == 1
    assert "Attempt 4 is over, attempt 5 came after it" in result.stdout


def test_a_restart_of_the_server_is_survived(server: StandIn, running: Running, run: Run) -> None:
    """What happens meanwhile is told when it is back, once."""
    server.live = live()

    def restart() -> None:
        running.stop()
        becomes(server, live(step=3), transition(8, step=3, message="Step 3 of 4: 50 % to the canary."))
        becomes(server, idle(), promoted(9))
        time.sleep(1.2)  # longer than one look takes, so that a look fails
        running.start()

    with meanwhile(server, restart):
        result = run("watch", "checkout", "--timeout", "30s")

    assert result.exit_code == 0
    assert result.stdout.count("Step 3 of 4: 50 % to the canary.") <= 1
    assert "; trying again\n" in result.stderr
    assert "the server answers again\n" in result.stderr


def test_a_stream_that_cannot_be_had_stops_nobody(server: StandIn, run: Run) -> None:
    """Where a Rollout stands is asked for anyway, each second."""
    server.live, server.cut = live(), True

    def end() -> None:
        server.live, server.history = idle(), [promoted()]

    thread = threading.Timer(0.2, end)
    thread.start()
    result = run("watch", "checkout")
    thread.join()

    assert result.exit_code == 0


def test_a_rollout_that_vanishes_ends_with_1(server: StandIn, run: Run) -> None:
    """With what the server says."""
    server.live = live()

    def vanish() -> None:
        server.live = None

    with meanwhile(server, vanish):
        result = run("watch", "checkout")

    assert result.exit_code == 1
    assert result.stderr == "error: there is nothing at /rollouts/default/checkout/live\n"


def test_a_server_that_fails_for_a_moment_is_looked_at_again(server: StandIn, run: Run) -> None:
    """Also when it was never seen before."""
    server.live, server.history = idle(), [promoted()]
    server.first.append(answering(lambda: problem(503, "starting")))
    server.first.append(answering(lambda: problem(503, "starting")))
    result = run("watch", "checkout", "--timeout", "20s")

    assert result.exit_code == 0


@pytest.mark.parametrize(
    "arguments", [["x", "--timeout", "soon"], ["x", "--attempt", "0"], ["x", "--attempt", "1", "--next"], [], [".."]]
)
def test_a_wrong_command_line_ends_with_2(run: Run, server: StandIn, arguments: list[str]) -> None:
    """And asks nobody."""
    result = run("watch", *arguments)

    assert result.exit_code == 2
    assert not server.asked


@pytest.mark.real
def test_on_a_terminal_it_is_a_picture(server: StandIn, running: Running) -> None:
    """Drawn in place; how it ended stands below it, and the exit code is the same."""
    server.live = live()
    program = "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'rollout', 'watch', 'checkout']) >> 8)"
    env = os.environ | {
        "ROLLOUT_SERVER": server.url,
        "ROLLOUT_CONFIG": "/nonexistent",
        "TERM": "xterm",
        "COLUMNS": "90",
    }
    with meanwhile(server, lambda: becomes(server, live(phase="Aborted", hold=None), rolled_back())):
        done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, timeout=30, check=False)
    shown = done.stdout.decode()

    assert done.returncode == 3
    assert "\x1b[" in shown
    assert "█" in shown
    assert shown.rstrip().endswith("default/checkout: Rolled back: too many errors.")
