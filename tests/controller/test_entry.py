"""What is kept between passes, against what the store has."""

import pytest

from rollout.controller.entry import answers_more
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
