"""What is kept between passes, against what the store has."""

import pytest

from rollout.controller.entry import answers_more, is_lost
from rollout.engine.state import Handled, State

DONE = Handled("a", "approve", done=True, reason="", message="")


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ({}, False),
        ({"handledCommands": []}, False),
        ({"handledCommands": [{"id": "a"}]}, False),
        ({"handledCommands": [{"id": "a"}, {"id": "b"}]}, True),
    ],
)
def test_an_answer_that_landed_late_is_noticed(status: dict[str, object], more: bool) -> None:  # noqa: FBT001 - a column
    """A record that was given up but is in the store has an answer that the state lacks."""
    assert answers_more(status, State(handled=(DONE,))) is more


@pytest.mark.parametrize(
    ("status", "recorded", "lost"),
    [
        ({}, 0, True),
        ({"phase": "Idle"}, 0, False),
        ({"phase": "Idle"}, 1, True),
        ({"transitions": [{"number": 2}]}, 2, False),
        ({"transitions": [{"number": 2}]}, 3, True),
    ],
)
def test_a_status_that_is_gone_or_old_is_noticed(status: dict[str, object], recorded: int, lost: bool) -> None:  # noqa: FBT001 - a column
    """Nothing is there any more, or less than was recorded."""
    assert is_lost(status, recorded) is lost
