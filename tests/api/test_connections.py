"""Files for connections: a process takes what it may have, and says when that is too little."""

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from rollout.api.connections import OWN_FILES, make_room


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """Return how many files this process may have now and at most; a test may lower the first."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_room_is_made(limits: tuple[int, int]) -> None:
    """A process that may have few files has as many as connections need, and its own."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (OWN_FILES, limits[1]))
    make_room(200)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == 200 + OWN_FILES


def test_enough_is_left_as_it_is(limits: tuple[int, int]) -> None:
    """A process that may have many files keeps that."""
    make_room(1)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == limits[0]


def test_too_little_room_is_told(limits: tuple[int, int]) -> None:
    """Beyond what the system allows there is a warning with both numbers, and all that is allowed is taken."""
    needed = limits[1] + 1
    with capture_logs() as told:
        make_room(needed - OWN_FILES)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert soft == limits[1]
    assert [(line["log_level"], line["allowed"], line["needed"]) for line in told] == [("warning", limits[1], needed)]
