"""What holds for every test: Hypothesis profiles, marks that follow from folders, and no process left behind."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.waiting import patient

settings.register_profile("quick", deadline=None, derandomize=True, max_examples=12)
settings.register_profile("dev", deadline=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") == "true" else "dev"))

pytest_plugins = ("tests.kubernetes.fixtures",)

BENCH = Path(__file__).parent / "bench"
LEAVE_SECONDS = 3.0
MARK = "ROLLOUT_TEST_RUN"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests/bench, so that `make bench` alone runs it, and give each test time as its machine needs."""
    for item in items:
        if item.path.is_relative_to(BENCH):
            item.add_marker(pytest.mark.bench)
        marker = item.get_closest_marker("timeout")
        limit = float(marker.args[0] if marker is not None else item.config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(patient(limit)), append=False)


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """Let no test log to a stream that an earlier one has closed."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail at the end when a process that this worker started is still there, and end it."""
    mark = f"{os.getpid()}-{time.time_ns()}"
    os.environ[MARK] = mark
    before = set(psutil.Process().children(recursive=True))
    yield
    _, left = psutil.wait_procs(_started(mark) - before, timeout=LEAVE_SECONDS)
    alive = [told for process in left if (told := _told(process))]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()

    assert not alive, "processes left behind by tests: " + "; ".join(alive)


def _started(mark: str) -> set[psutil.Process]:
    """Return our children, and the orphans: processes of other parents that inherited our mark."""
    me = psutil.Process()
    found = set(me.children(recursive=True))
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process != me and process.environ().get(MARK) == mark:
                found.add(process)
    return found


def _told(process: psutil.Process) -> str | None:
    """Return which process it is, or None when it has ended meanwhile."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.NoSuchProcess:
        return None
