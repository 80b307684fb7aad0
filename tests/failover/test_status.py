"""Facts about the status of failover: it is read as it was written, and what cannot be true is not read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rollout.failover.reasons import Reason
from rollout.failover.state import MOST_FAILOVERS, Drilled, Drilling, FailoverState, Journey, Result, Well
from rollout.failover.status import adopted, from_status, is_significant, to_status
from rollout.failover.table import Stage
from tests.failover.builders import DR, FAR, METRICS, NOW, PROBE, World

FULL = FailoverState(
    stage=Stage.FAILING_BACK,
    since=NOW,
    reason="R" * 64,
    message="m" * 1024,
    active=DR,
    shares=((DR, 50), (FAR, 20)),
    epoch=7,
    ordered=True,
    standby=True,
    cause=(PROBE, METRICS),
    failovers=tuple(NOW + place / 3 for place in range(MOST_FAILOVERS)),
    well=tuple(Well(f"backup-{place}", 1.5, NOW) for place in range(9)),
    journey=Journey(origin=((DR, 100),), goal=(), step=2, at=NOW, back=True),
    drilled=Drilled("drill-1", NOW, Result.SUCCEEDED, "it did well"),
    told=tuple(f"Reason{place}" for place in range(16)),
)


@pytest.mark.parametrize("state", [FailoverState(), FULL])
def test_a_status_is_read_as_it_was_written(state: FailoverState) -> None:
    """By way of JSON text, and it is small."""
    text = json.dumps(to_status(state))

    assert from_status(json.loads(text)) == state
    assert len(text) < 8192
    assert json.loads(text)["phase"] == state.stage


@pytest.mark.parametrize(
    "broken",
    [
        {"phase": "Flying"},
        {"shares": [[DR, 60], [FAR, 60]]},
        {"shares": [[DR, 0]]},
        {"shares": [[DR, 10], [DR, 10]]},
        {"shares": [["", 10]]},
        {"since": "nan"},
        {"failovers": [1.0] * 101},
        {"journey": None},
        {"phase": "Normal"},
        {"phase": "Drill"},
        {"phase": "Latched"},
        {"phase": "FailedOver"},
        {"phase": "Confirming"},
        {"drilling": {"id": "x", "backup": DR, "beganAt": 1.0}},
        {"epoch": -1},
    ],
)
def test_what_cannot_be_true_is_not_read(broken: dict[str, Any]) -> None:
    """Nothing is decided from a status that somebody has broken."""
    assert from_status({**to_status(FULL), **broken}) is None


@pytest.mark.parametrize("status", [None, "", 3, [], FailoverState()])
def test_something_else_is_no_status(status: object) -> None:
    """The caller adopts what it finds then."""
    assert from_status(status) is None


def test_an_older_status_with_less_is_read() -> None:
    """What is missing has its default, and what is not known is passed over."""
    assert from_status({"phase": "Normal", "unheardOf": 1}) == FailoverState()


def test_a_sentence_alone_is_not_worth_a_write() -> None:
    """A reason is."""
    assert not is_significant(FULL, replace(FULL, message="other"))
    assert is_significant(FULL, replace(FULL, reason="Other"))


def test_what_carries_the_traffic_is_adopted() -> None:
    """As failed over to the backup that has it."""
    found = adopted(DR, NOW)

    assert (found.stage, found.shares, found.epoch, found.reason) == (
        Stage.FAILED_OVER,
        ((DR, 100),),
        1,
        Reason.ADOPTED,
    )
    assert from_status(to_status(found)) == found


def test_an_adopted_failover_goes_back_by_itself() -> None:
    """Once the primary has been healthy for long enough."""
    world = World()
    world.state = adopted(DR, NOW)
    world.run(300)

    assert (world.stage, world.shares) == (Stage.NORMAL, {})


def test_only_at_rest_may_an_attempt_start() -> None:
    """Not while anything is moved, spread or about to be."""
    assert FailoverState().is_normal
    assert not FULL.is_normal
    assert not FailoverState(spread=True).is_normal


def test_what_only_failover_brings_back() -> None:
    """Traffic on a backup, on all, or on one for a drill."""
    drilling = Drilling("by hand", DR, NOW)
    away = (FULL, FailoverState(spread=True), FailoverState(drilling=drilling))

    assert all(state.is_away for state in away)
    assert not FailoverState(stage=Stage.LATCHED).is_away
