"""`rollout demo` as a command."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import psutil
import pytest

from rollout.demo.reaper import PREFIX
from rollout.demo.world import require_parts
from rollout.errors import ConfigurationError
from tests.tools import require

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]

COMMAND = [sys.executable, "-m", "rollout", "demo", "--headless"]
SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
FIRST_TRAFFIC = "traffic: shop"


@pytest.fixture(autouse=True)
def _parts() -> None:
    try:
        require_parts()
    except ConfigurationError as error:
        require(condition=False, reason=str(error))


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """Give a demo that has first traffic; it is killed at the end if it is still there."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            assert any(FIRST_TRAFFIC in line for line in iter(demo.stdout.readline, "")), "no traffic before the end"
            yield demo
        finally:
            demo.kill()


def left_of(programs: list[psutil.Process]) -> list[str]:
    """Return the programs that are still alive after at most ten seconds."""
    _, alive = psutil.wait_procs(programs, timeout=10)
    return [str(program) for program in alive if program.status() != psutil.STATUS_ZOMBIE]


def folder_of(demo: subprocess.Popen[str]) -> Path:
    """Return the demo's folder, as its Envoy names it."""
    envoy = next(child for child in psutil.Process(demo.pid).children() if "--config-path" in child.cmdline())
    command = envoy.cmdline()
    return Path(command[command.index("--config-path") + 1]).parent


def test_json_of_one_act_is_alone_on_standard_output() -> None:
    """A bad canary is rolled back, the exit code is 0, and programs can read the output as it is."""
    done = subprocess.run(
        [*COMMAND, "--act", "errors", "-o", "json"], capture_output=True, text=True, timeout=120, check=False
    )
    (act,) = json.loads(done.stdout)["acts"]

    assert done.returncode == 0, done.stderr
    assert (act["act"], act["outcome"]) == ("errors", "rolledBack")
    assert 0 < act["first_bad_to_zero_seconds"] < act["seconds"]
    assert 0 < act["failed"] < 0.05 * act["requests"]
    assert "traffic: shop" in done.stderr


def test_killed_primary_has_its_traffic_back_in_the_end() -> None:
    """The act with the failover ends as expected within a minute, and programs read its figures."""
    done = subprocess.run(
        [*COMMAND, "--act", "failover", "-o", "json"], capture_output=True, text=True, timeout=120, check=False
    )
    (act,) = json.loads(done.stdout)["acts"]

    assert done.returncode == 0, done.stderr
    assert (act["act"], act["outcome"], act["first_bad_to_zero_seconds"]) == ("failover", "failedBack", None)
    assert 0 < act["first_backup_answer_seconds"] < act["seconds"] < 60
    assert {service: [step["percent"] for step in ramp] for service, ramp in act["failback_ramp"].items()} == {
        "shop": [10, 50, 100], "cart": [10, 50, 100],
    }  # fmt: skip
    assert "FailedOver" in done.stderr


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_ended_demo_leaves_nothing(number: signal.Signals, code: int) -> None:
    """However it is ended, no process and no file is left."""
    with running("--act", "good") as demo:
        folder, programs = folder_of(demo), psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        ended = demo.wait(timeout=20)
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.02)

    assert ended == code
    assert len(programs) >= 9
    assert left_of(programs) == []
    assert not folder.exists()
    assert folder.is_relative_to(gettempdir())
    assert folder.name.startswith(PREFIX)


def test_demo_ends_with_the_program_that_asked_for_it() -> None:
    """`make demo` that is killed takes the demo with it."""
    with subprocess.Popen(SLEEPER) as maker, running("--ends-with", str(maker.pid)) as demo:
        programs = psutil.Process(demo.pid).children(recursive=True)
        maker.kill()
        maker.wait()
        ended = demo.wait(timeout=20)

    assert ended == 129
    assert left_of(programs) == []


def test_unknown_act_is_refused_with_the_names() -> None:
    """A typing error starts nothing and names what there is."""
    done = subprocess.run([*COMMAND, "--act", "ugly"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert all(name in done.stderr for name in ("good", "errors", "slow", "failover"))
