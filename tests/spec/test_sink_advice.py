"""Facts about warnings of sinks that nobody set up."""

import pytest

from rollout.errors import Problem
from rollout.spec.sink_advice import sink_warnings


def test_a_sink_that_is_not_there_is_warned_of_with_what_was_probably_meant() -> None:
    """The warning names the place, what was given, what there is, and the nearest name."""
    document = {"spec": {"notify": [{"sink": "slack"}, {"sink": "slakc"}]}}

    assert list(sink_warnings(document, {"slack", "pager"})) == [
        Problem(
            "spec.notify[1].sink",
            "there is no such sink; did you mean slack?",
            given='"slakc"',
            allowed="pager or slack",
            warning=True,
        )
    ]


def test_a_sink_is_warned_of_when_there_are_none() -> None:
    """Without any sink the warning says that none is set up."""
    warnings = list(sink_warnings({"spec": {"notify": [{"sink": "slack"}]}}, ()))

    assert [(one.message, one.allowed) for one in warnings] == [
        ("there is no such sink", "no sink: the operator has set up none")
    ]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"spec": None},
        {"spec": {}},
        {"spec": {"notify": "slack"}},
        {"spec": {"notify": ["slack", {}, {"sink": 7}]}},
    ],
)
def test_what_is_no_list_of_names_is_no_matter_of_sinks(document: dict[str, object]) -> None:
    """What is malformed is refused elsewhere, with its own message."""
    assert list(sink_warnings(document, ())) == []
