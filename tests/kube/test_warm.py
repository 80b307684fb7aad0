"""Connections that are kept open go on being kept, whatever goes wrong with one question."""

from collections.abc import Iterator
from typing import cast

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from rollout.kube.api import KubeApi
from rollout.kube.warm import CONNECTIONS, Warmer
from tests.waiting import until


class Broken:
    """A door at which something breaks that nobody thought of, such as a plug-in for credentials."""

    def __init__(self) -> None:
        self.asked = 0

    async def touch(self) -> None:
        """Break."""
        self.asked += 1
        raise ValueError("the plug-in wrote nonsense")


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    """Return what is logged."""
    with capture_logs() as found:
        yield found


async def test_error_that_nobody_thought_of_ends_nothing(logs: list[EventDict]) -> None:
    """Neither the start, which would end the service, nor the questions after it; it is in the log."""
    door = Broken()
    warmer = Warmer(cast("KubeApi", door), every_seconds=0.01)
    await warmer.start()
    await until(lambda: door.asked > 2 * CONNECTIONS)
    await warmer.aclose()

    assert logs[0]["event"] == "connection not kept"
    assert logs[0]["log_level"] == "error"
    assert logs[0]["exc_info"]
