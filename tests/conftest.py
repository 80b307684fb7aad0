"""What holds for every test: Hypothesis profiles, marks that follow from folders, and no process left behind."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

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

BENCH = Path(__file__).parent / "bench"
LEAVE_SECONDS = 3.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that lies in tests/bench, so that only `make bench` runs it."""
    for item in items:
        if item.path.is_relative_to(BENCH):
            item.add_marker(pytest.mark.bench)


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fail at the end when a process that this worker started is still there, and end it."""
    me = psutil.Process()
    before = set(me.children(recursive=True))
    yield
    started = [child for child in me.children(recursive=True) if child not in before]
    _, left = psutil.wait_procs(started, timeout=LEAVE_SECONDS)
    alive = [told for child in left if (told := _told(child))]
    for child in left:
        with suppress(psutil.NoSuchProcess):
            child.kill()

    assert not alive, "processes left behind by tests: " + "; ".join(alive)


def _told(child: psutil.Process) -> str | None:
    """Return who it is, or None when it has ended meanwhile."""
    try:
        if child.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{child.pid} {' '.join(child.cmdline())}"
    except psutil.NoSuchProcess:
        return None
