"""What a status says to the store, and the patches that write one."""

from typing import Any

import pytest

from rollout.kube.orders import COMMAND
from rollout.kube.statuses import (
    FINALIZER,
    annotating,
    holding,
    is_attempted,
    is_running,
    recording,
    releasing,
    transitions_of,
    with_sequences,
    without_sequences,
)
from tests.kube.objects import rollout_object, transition

AT_7 = {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize(
    "status",
    [
        *({"phase": phase} for phase in ("Progressing", "Paused", "Promoting", "Aborting")),
        {"phase": "Invalid", "engine": {"before_invalid": "Progressing"}},
        {"phase": "Idle", "failover": {"phase": "FailedOver"}},
    ],
)
def test_weights_that_stand_in_the_middle_hold_the_object(status: dict[str, Any]) -> None:
    """An attempt, an abort on its way, or a failover."""
    assert is_running(status)


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"phase": "Idle"},
        {"phase": "Aborted", "failover": {"phase": "Normal"}},
        {"phase": "Idle", "failover": {"phase": "Confirming"}},
        {"phase": "Invalid", "engine": {"before_invalid": "Idle"}},
        {"phase": "Invalid"},
        {"phase": ["Progressing"], "failover": "FailedOver"},
    ],
)
def test_weights_that_rest_hold_nothing(status: dict[str, Any]) -> None:
    """Such a Rollout is deleted at once."""
    assert not is_running(status)


@pytest.mark.parametrize(
    ("status", "attempted"),
    [
        ({"phase": "Progressing", "failover": {"phase": "FailedOver"}}, True),
        ({"phase": "Idle", "failover": {"phase": "FailedOver"}}, False),
    ],
)
def test_only_an_attempt_is_held_before_it_is_told_of(status: dict[str, Any], *, attempted: bool) -> None:
    """A deletion leaves what a failover moved where it is, so its weights need not wait for the finalizer."""
    assert is_attempted(status) is attempted


def test_a_status_is_written_over_the_version_that_was_seen() -> None:
    """The API server compares."""
    assert recording({"phase": "Idle"}, expected="7") == [
        AT_7,
        {"op": "add", "path": "/status", "value": {"phase": "Idle"}},
    ]


def test_the_finalizer_comes_beside_those_of_others() -> None:
    """Nobody's is taken away."""
    first = {"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}
    more = {"op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER}

    assert holding(rollout_object()) == [AT_7, first]
    assert holding(rollout_object(finalizers=["others"])) == [AT_7, more]
    assert holding(rollout_object(finalizers=["others", FINALIZER])) == []


def test_the_finalizer_goes_alone() -> None:
    """Nobody else's goes with it."""
    assert releasing(rollout_object(finalizers=["others", FINALIZER])) == [
        AT_7,
        {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    assert releasing(rollout_object(finalizers=["others"])) == []


def test_an_annotation_comes_beside_others() -> None:
    """The first one of an object makes the place for it."""
    first = {"op": "add", "path": "/metadata/annotations", "value": {COMMAND: "x"}}
    more = {"op": "add", "path": "/metadata/annotations/rollout.dev~1command", "value": "x"}

    assert annotating(rollout_object(), COMMAND, "x") == [AT_7, first]
    assert annotating(rollout_object(annotations={"a": "b"}), COMMAND, "x") == [AT_7, more]


def test_sequences_are_written_where_they_are_known_and_taken_out_again() -> None:
    """What is read is what was recorded."""
    status = {"phase": "Idle", "transitions": [transition(1), transition(2), "nonsense"]}
    written = with_sequences(status, {1: 64})

    assert written["transitions"] == [transition(1, sequence=64), transition(2), "nonsense"]
    assert without_sequences(written["transitions"]) == status["transitions"]
    assert with_sequences({"phase": "Idle"}, {1: 64}) == {"phase": "Idle"}
    assert without_sequences("nonsense") == "nonsense"


@pytest.mark.parametrize(
    "status", [None, "x", {}, {"transitions": "x"}, {"transitions": ["x", {}, {"number": "1"}, {"number": True}]}]
)
def test_what_is_no_transition_is_left_out(status: object) -> None:
    """A status that others wrote is read as far as it goes."""
    assert list(transitions_of(status)) == []
