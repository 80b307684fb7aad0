"""Facts about the state: hold time, and what a new Rollout begins with."""

import pytest

from rollout.engine.state import Hold, State
from rollout.engine.table import Phase


def test_hold_time_that_runs_grows() -> None:
    """Seconds counted so far and those since it runs."""
    assert Hold(30.0, since=100.0).at(112.0) == 42.0


def test_hold_time_that_stands_still_does_not_grow() -> None:
    """Without a beginning it is what was counted."""
    assert Hold(30.0).at(1e9) == 30.0


def test_hold_time_never_shrinks_when_a_clock_goes_back() -> None:
    """A time before the beginning counts as none."""
    assert Hold(30.0, since=100.0).at(50.0) == 30.0


def test_a_new_state_knows_nothing() -> None:
    """Idle, no attempt, no roles, nothing told."""
    state = State()

    assert (state.phase, state.attempt, state.stable, state.number, state.transitions) == (Phase.IDLE, 0, "", 0, ())


def test_a_state_cannot_be_changed() -> None:
    """The next state is another value."""
    with pytest.raises(AttributeError):
        State().step = 1  # type: ignore[misc]
