"""How an attempt ends, and which one is waited for."""

import pytest

from rollout.api.models import Live, TransitionItem
from rollout.cli.endings import Awaited, Ending, ending_of, has_ended, is_running
from rollout.cli.running import Code
from tests.cli.answers import idle, live, promoted, rolled_back, transition

NO_WEIGHT = {"intended": {"checkout-v1": 100, "checkout-v2": 0}, "observed": {}, "effective": "Unknown"}
BEGAN = transition(5, reason="Started", message="Attempt 3 was started.")
VALID_AGAIN = transition(11, phase="Aborted", reason="Valid", message="What was wrong is right again.")
UNDONE = transition(12, phase="Idle", reason="Undone", message="Undone: checkout-v1 has the stable role.")


@pytest.mark.parametrize(
    ("found", "running"),
    [
        (live(), True),
        (live(phase="Promoting"), True),
        (live(phase="Aborting"), True),
        (live(phase="Paused"), True),
        (live(phase="Paused", hold=None), True),
        (live(phase="Paused", hold=None, weights=NO_WEIGHT, reason="PausedByCommand"), True),
        (live(phase="Paused", hold=None, weights=NO_WEIGHT, reason="RolesUnknown"), False),
        (live(phase="Invalid"), True),
        (live(phase="Invalid", hold=None, weights=NO_WEIGHT), False),
        (live(phase="Aborted"), False),
        (idle(), False),
        (live(phase=""), False),
    ],
)
def test_what_runs(found: Live, running: bool) -> None:  # noqa: FBT001 - a column
    """A phase on the way, or one that halts an attempt which has begun."""
    assert is_running(found) is running


@pytest.mark.parametrize(
    ("awaited", "found", "ended"),
    [
        (Awaited(3), live(), False),
        (Awaited(3), idle(), True),
        (Awaited(3), live(phase="Aborted"), True),
        (Awaited(4), idle(), False),
        (Awaited(4), idle(attempt=4), True),
        (Awaited(3), live(phase=""), False),
        (Awaited(3), live(attempt=4), False),
        (Awaited(3, exact=True), live(attempt=4), True),
        (Awaited(4, exact=True), live(attempt=3), False),
    ],
)
def test_when_there_is_nothing_to_wait_for(awaited: Awaited, found: Live, ended: bool) -> None:  # noqa: FBT001 - a column
    """The attempt that is meant, or a later one, does not run any more."""
    assert has_ended(awaited, found) is ended


def test_an_invalid_rollout_ends_badly() -> None:
    """Whatever came before: nothing goes on, and nobody may take that for a success."""
    found = live(phase="Invalid", hold=None, weights=NO_WEIGHT, message="EnvoyRoute shop/nope: no such route.")

    assert has_ended(Awaited(3), found)
    assert ending_of(Awaited(3), found, [promoted()]) == Ending(
        Code.COULD_NOT,
        "The Rollout is invalid, and nothing goes on until it is mended. EnvoyRoute shop/nope: no such route.",
    )


def test_an_apply_that_froze_an_attempt_does_not_wait_for_it() -> None:
    """What was applied made the Rollout invalid while an attempt runs: that is the end of the wait."""
    assert has_ended(Awaited(3, after=3), live(phase="Invalid"))
    assert not has_ended(Awaited(3), live(phase="Invalid"))


def test_the_end_of_an_older_attempt_is_not_that_of_an_apply() -> None:
    """An apply that starts nothing has nothing to wait for, even if the last attempt was rolled back."""
    awaited = Awaited(3, after=3)

    assert has_ended(awaited, live(phase="Aborted"))
    assert ending_of(awaited, live(phase="Aborted"), [rolled_back()]) == Ending(
        Code.DONE, "Nothing was started by this, so there is nothing to wait for."
    )


def test_the_attempt_that_an_apply_began_is_told() -> None:
    """A later attempt than before is the one that is meant, also if it has ended already."""
    awaited = Awaited(4, after=3)

    assert ending_of(awaited, live(phase="Aborted", attempt=4), [rolled_back()]).code is Code.ROLLED_BACK


def test_a_newer_attempt_takes_the_place() -> None:
    """Unless one is meant exactly."""
    assert Awaited(3).seen(live(attempt=4)) == Awaited(4, begun=True)
    assert Awaited(3, exact=True).seen(live(attempt=4)) == Awaited(3, exact=True)
    assert Awaited(4).seen(live(attempt=3)) == Awaited(4)
    assert Awaited(3).seen(idle()) == Awaited(3)


BEGUN = Awaited(3, begun=True)


@pytest.mark.parametrize(
    ("awaited", "found", "history", "ending"),
    [
        (BEGUN, idle(), [promoted(), BEGAN], Ending(Code.DONE, promoted().message)),
        (BEGUN, live(phase="Aborted"), [rolled_back(), BEGAN], Ending(Code.ROLLED_BACK, rolled_back().message)),
        (BEGUN, idle(), [UNDONE, promoted()], Ending(Code.DONE, UNDONE.message)),
        (BEGUN, live(phase="Aborted"), [VALID_AGAIN, rolled_back()], Ending(Code.ROLLED_BACK, rolled_back().message)),
        (Awaited(3), idle(), [promoted()], Ending(Code.DONE, f"Nothing is running. {promoted().message}")),
        (
            Awaited(3),
            live(phase="Aborted"),
            [rolled_back()],
            Ending(Code.ROLLED_BACK, f"Nothing is running. {rolled_back().message}"),
        ),
        (
            Awaited(0),
            idle(attempt=0, message="All is new."),
            [],
            Ending(Code.DONE, "There was no attempt yet. All is new."),
        ),
        (
            BEGUN,
            idle(message="Adopted."),
            [BEGAN, promoted(2)],
            Ending(Code.COULD_NOT, "The attempt neither was promoted nor rolled back. Adopted."),
        ),
    ],
)
def test_how_it_ended(awaited: Awaited, found: Live, history: list[TransitionItem], ending: Ending) -> None:
    """As the newest transition says that ends or begins an attempt."""
    assert ending_of(awaited, found, history) == ending


def test_an_attempt_that_another_followed() -> None:
    """How it ended is not said, since it is not known for sure."""
    ending = ending_of(Awaited(2, exact=True), live(attempt=3), [promoted()])

    assert ending.code is Code.COULD_NOT
    assert ending.sentence.startswith("Attempt 2 is over, attempt 3 came after it")
