"""Facts about the transition table: every pair of phase and trigger, and of phase and command."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from rollout.engine.moves import move
from rollout.engine.observation import Command
from rollout.engine.reasons import Refusal
from rollout.engine.state import State
from rollout.engine.table import LEGAL, RUNNING, TRANSITIONS, Action, Phase, Trigger, diagram, target
from tests.engine.builders import V1, V2, World, aborted, at_rest, command, context, under_way, weighing

PAIRS = list(product(Phase, Trigger))


@pytest.mark.parametrize(("phase", "trigger"), [pair for pair in PAIRS if pair in TRANSITIONS])
def test_a_transition_of_the_table_is_made(phase: Phase, trigger: Trigger) -> None:
    """A move that the table has leads to its phase, numbered and kept."""
    moved = move(State(phase=phase, number=7), context(), trigger, "Reason", "Why.")

    assert (moved.phase, moved.number) == (TRANSITIONS[phase, trigger], 8)
    assert [(made.number, made.phase, made.reason) for made in moved.transitions] == [(8, moved.phase, "Reason")]


@pytest.mark.parametrize(("phase", "trigger"), [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_any_other_transition_is_refused(phase: Phase, trigger: Trigger) -> None:
    """A move that the table lacks is a fault of the caller."""
    with pytest.raises(KeyError):
        move(State(phase=phase), context(), trigger, "Reason", "Why.")


@pytest.mark.parametrize("before", [phase for phase in Phase if (phase, Trigger.INVALIDATE) in TRANSITIONS])
def test_invalid_goes_back_to_where_it_came_from(before: Phase) -> None:
    """What became valid is in the phase before."""
    assert target(Phase.INVALID, Trigger.VALIDATE, before_invalid=before) is before


def test_every_phase_can_be_reached_and_left() -> None:
    """No phase is a trap, and none stands there for nothing."""
    left = {phase for phase, _ in TRANSITIONS}

    assert left == set(Phase)
    assert {Phase.IDLE, *TRANSITIONS.values()} == set(Phase)


def test_an_attempt_can_be_aborted_wherever_it_is() -> None:
    """Going back is possible from every phase of an attempt, and from Invalid."""
    assert {phase for phase, trigger in TRANSITIONS if trigger is Trigger.ABORT} == {*RUNNING, Phase.INVALID}
    assert set(LEGAL[Action.ABORT]) == {*RUNNING, Phase.INVALID}


def test_the_diagram_has_every_transition() -> None:
    """The diagram of the docs has one line for each row, from and to phases that there are."""
    lines = re.findall(r"^ {4}(\w+) --> (\w+): (.+)$", diagram(), flags=re.MULTILINE)
    drawn = {(source, to, said) for source, to, said in lines if said in set(Trigger)}

    assert drawn == {(source, to, trigger.value) for (source, trigger), to in TRANSITIONS.items()}
    assert diagram().startswith("stateDiagram-v2\n")


def _in_phase(phase: Phase) -> World:
    world = under_way(steps=[{"weight": 5, "hold": "1h", "approval": True}, {"weight": 50}])
    match phase:
        case Phase.IDLE:
            return at_rest()
        case Phase.PROGRESSING:
            return world
        case Phase.PAUSED:
            world.tell("pause")
        case Phase.PROMOTING:
            world.lost = True
            world.tell("promote", full=True)
        case Phase.ABORTING:
            world.lost = True
            world.tell("abort")
        case Phase.ABORTED:
            return aborted()
        case Phase.INVALID:
            world.wanted = None
            world.look(after=1, problems=("the policy is missing",))
    assert world.state.phase is phase
    return world


def _given(action: Action, world: World) -> Command:
    return Command("this", action, ARGUMENTS.get(action, {}), world.now)


ARGUMENTS: dict[Action, dict[str, object]] = {Action.START: {"revision": "3"}, Action.ADOPT: {"stable": V1}}
REFUSED_BEYOND = {
    (Phase.IDLE, Action.UNDO): Refusal.NOTHING_TO_UNDO,
    (Phase.PAUSED, Action.ADOPT): Refusal.ILLEGAL,
}
"""What the guards refuse although the table allows it, in the phases as they are made here."""


def _expected(phase: Phase, action: Action) -> str:
    if not LEGAL[action]:
        return Refusal.NO_FAILOVER
    if phase not in LEGAL[action]:
        return Refusal.ILLEGAL
    return REFUSED_BEYOND.get((phase, action), "")


@pytest.mark.parametrize(("phase", "action"), list(product(Phase, Action)))
def test_a_command_is_done_or_refused_with_the_reason(phase: Phase, action: Action) -> None:
    """Every command in every phase: done, or refused with its reason and no change but that it was handled."""
    world, untouched = _in_phase(phase), _in_phase(phase)
    problems = ("the policy is missing",) if phase is Phase.INVALID else ()
    world.look(command=_given(action, world), problems=problems)
    untouched.look(problems=problems)
    done, expected = world.state.handled[-1], _expected(phase, action)

    assert (done.id, done.done, "" if done.done else done.reason) == ("this", not expected, expected)
    if expected:
        assert replace(world.state, handled=untouched.state.handled) == untouched.state


@pytest.mark.parametrize("before", [Phase.IDLE, Phase.ABORTED])
def test_an_abort_of_nothing_is_refused_while_invalid(before: Phase) -> None:
    """Invalid without an attempt underneath has nothing to abort."""
    world = _in_phase(before)
    world.wanted = None
    world.look(after=1, problems=("no policy",))
    world.look(command=command("abort", at=world.now), problems=("no policy",))

    assert world.state.handled[-1].reason == Refusal.ILLEGAL


@pytest.mark.parametrize("action", [action for action in Action if LEGAL[action] and action is not Action.ADOPT])
def test_unknown_roles_refuse_every_command_but_adopt(action: Action) -> None:
    """As long as it is not known which backend is stable, nothing can be started, resumed or aborted."""
    world = World(views={key: weighing(70, 30) for key in World().views})
    world.look()
    world.look(command=_given(action, world))

    assert world.state.phase is Phase.PAUSED
    assert not world.state.handled[-1].done
    assert world.state.handled[-1].reason in {Refusal.ILLEGAL, Refusal.ROLES_UNKNOWN}


@pytest.mark.parametrize("action", [action for action in Action if LEGAL[action]])
def test_suspension_refuses_every_command(action: Action) -> None:
    """While `spec.suspend` is true nothing is written, so nothing can be ordered."""
    world = under_way()
    world.wanted = at_rest(suspend=True).wanted
    world.look(command=_given(action, world))

    assert world.state.handled[-1].reason == Refusal.SUSPENDED
    assert world.weights() == (95, 5)
    assert world.state.canary == V2
