"""Open files: a process asks for what it may have at its start, and says what it got."""

import resource
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from rollout.bootstrap.files import ask_for_files


@pytest.fixture
def hard() -> Iterator[int]:
    """Return how many files this process may have at most; a test may lower what it has."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_as_the_system_allows_are_taken(hard: int) -> None:
    """A process that was given few files has more afterwards, and both numbers are told."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    with capture_logs() as told:
        allowed = ask_for_files(300)

    assert (allowed, resource.getrlimit(resource.RLIMIT_NOFILE)) == (300, (300, hard))
    assert [(line["allowed"], line["before"]) for line in told] == [(300, 256)]


def test_what_is_enough_stays(hard: int) -> None:
    """A process that has more than is wanted keeps that."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))

    assert ask_for_files(300) == 400
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (400, hard)


def test_a_system_that_refuses_is_told_of(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service begins all the same."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    def refuse(_which: int, _limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    with capture_logs() as told, monkeypatch.context() as patched:
        patched.setattr(resource, "setrlimit", refuse)
        allowed = ask_for_files(300)

    assert allowed == 256
    assert [(line["log_level"], line["wanted"]) for line in told] == [("warning", 300)]
