"""Facts about the transition table of failover, walked row by row."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from rollout.failover.health import Health
from rollout.failover.reasons import MEANING, Reason, Refusal, Word
from rollout.failover.scene import Scene
from rollout.failover.state import Drilling, FailoverState, Journey
from rollout.failover.table import LEGAL, TRANSITIONS, Action, Stage, Trigger, diagram, target
from rollout.failover.turn import Turn, move
from tests.failover.builders import DR, NOW, V1, World

PAIRS = list(product(Stage, Trigger))


def in_stage(stage: Stage) -> World:
    """Return a world in which failover stands so, with everything healthy."""
    world = World()
    away = FailoverState(stage=stage, active=DR, shares=((DR, 100),), epoch=1, moved_at=NOW - 500)
    match stage:
        case Stage.NORMAL | Stage.CONFIRMING:
            world.state = FailoverState(stage=stage)
        case Stage.DRILL:
            world.state = FailoverState(stage=stage, shares=((DR, 10),), drilling=Drilling("drill-1", DR, NOW))
        case Stage.FAILING_BACK:
            world.state = replace(away, shares=((DR, 90),), journey=Journey(away.shares, (), 1, NOW, back=True))
        case Stage.FAILED_OVER | Stage.LATCHED:
            world.state = away
    return world


@pytest.mark.parametrize(("stage", "trigger"), [pair for pair in PAIRS if pair in TRANSITIONS])
def test_a_transition_of_the_table_is_made(stage: Stage, trigger: Trigger) -> None:
    """A move that the table has leads to its stage and is told."""
    world = in_stage(stage)
    turn = Turn(world.state, Scene.of(world.settings, world.seen(), NOW))
    moved = move(turn, replace(world.state, shares=((DR, 33),)), trigger, Word("Reason", "Why."))

    assert (moved.state.stage, moved.state.moved_at, moved.state.reason) == (TRANSITIONS[stage, trigger], NOW, "Reason")
    assert [(change.stage, change.trigger, change.shares) for change in moved.changes] == [
        (moved.state.stage, trigger, ((DR, 33),))
    ]


@pytest.mark.parametrize(("stage", "trigger"), [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_any_other_transition_is_refused(stage: Stage, trigger: Trigger) -> None:
    """A move that the table lacks is a fault of the caller."""
    with pytest.raises(KeyError):
        target(stage, trigger)


def test_every_stage_can_be_reached_and_left() -> None:
    """No stage is a trap, and none stands there for nothing."""
    assert {stage for stage, _ in TRANSITIONS} == set(Stage)
    assert set(TRANSITIONS.values()) == set(Stage)
    assert {trigger for _, trigger in TRANSITIONS} == set(Trigger)


def test_the_diagram_has_every_transition() -> None:
    """One line for each row."""
    lines = re.findall(r"^ {4}(\w+) --> (\w+): (.+)$", diagram(), flags=re.MULTILINE)
    drawn = {(source, to, said) for source, to, said in lines}

    assert drawn == {(source, to, trigger.value) for (source, trigger), to in TRANSITIONS.items()}
    assert diagram().startswith("stateDiagram-v2\n")


@pytest.mark.parametrize(("stage", "action"), list(product(Stage, Action)))
def test_a_command_is_legal_where_the_table_says(stage: Stage, action: Action) -> None:
    """Any other changes nothing and is answered why."""
    world = in_stage(stage)
    world.settings = world.settings.model_validate(
        {"signals": {"endpoints": {}}, "drill": {"schedule": "0 10 * * 2"}, "confirmFor": "2s"}
    )
    world.state = replace(world.state, proposed=True, epoch=1)
    if stage is Stage.CONFIRMING:
        world.set(V1, Health.UNHEALTHY)
    if action is Action.FAILOVER:
        world.state = replace(world.state, active="", shares=()) if stage is Stage.LATCHED else world.state
        world.backups = (DR, "checkout-far")
        world.set("checkout-far", Health.HEALTHY)
    done, reason = world.order(action, epoch=1)

    assert done is (stage in LEGAL[action])
    assert done or reason == Refusal.ILLEGAL


def test_every_reason_means_something() -> None:
    """In one sentence."""
    assert {*Reason, *Refusal} == set(MEANING)
    assert all(re.fullmatch(r"[A-Z][^\n]*\.", meaning) for meaning in MEANING.values())
