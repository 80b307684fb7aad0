"""Facts about an attempt: its start, its steps, its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.hooks import Hook
from rollout.engine.observation import Acceptance, Endpoints
from rollout.engine.reasons import Reason
from rollout.engine.refusals import UNSEEN_SECONDS
from rollout.engine.state import Hold
from rollout.engine.table import Phase
from tests.engine.builders import (
    ERRORS_ONLY,
    NOW,
    ROUTE,
    V1,
    V2,
    World,
    aborted,
    answered,
    at_rest,
    batch,
    command,
    rollout,
    route,
    rule,
    under_way,
)

UNKNOWN = Endpoints(ready=0, total=0, known=False)
GATE = {"url": "https://ci.example/ok", "name": "load-test"}
GATED = {"beforeStart": [GATE]}
LONG = [{"weight": 5, "hold": "1h"}, {"weight": 25, "hold": "1h"}, {"weight": 60, "hold": "1h"}]


def _plan(*weights: float, **fields: object) -> list[dict[str, object]]:
    return [{"weight": weight, "hold": "1h", **fields} for weight in weights]


def _edit(world: World, *weights: float, **fields: object) -> None:
    world.wanted = rollout(steps=_plan(*weights, **fields))
    world.look(after=1)


# ---------------------------------------------------------------- start


def test_an_attempt_begins_with_its_first_step() -> None:
    """Where all weight is on stable and the canary is ready, the first step is entered at once."""
    world = under_way()

    assert (world.state.attempt, world.state.step, world.state.share, world.weights()) == (1, 1, 5, (95, 5))
    assert (
        world.state.transitions[-1].message == "Attempt 1 for revision 2 was started. Step 1 of 2: 5 % to the canary."
    )


def test_a_restart_puts_everything_on_stable_first() -> None:
    """A newer revision during an attempt takes all weight from the canary before its own first step."""
    world = under_way()
    world.wanted = rollout(revision="3")
    decision = world.look(after=1)

    assert [write.weights for write in decision.writes] == [((V1, 100), (V2, 0))]
    assert (world.state.attempt, world.state.step, world.state.reason) == (2, 0, Reason.NEW_REVISION)


def test_a_restart_waits_until_stable_has_everything() -> None:
    """As long as the routes do not say 100 to 0, the next attempt gives the canary nothing."""
    world = under_way()
    world.lost = True
    world.wanted = rollout(revision="3")
    world.look(after=1)
    world.look(after=1)

    assert (world.state.step, world.state.reason) == (0, Reason.NEW_REVISION)


def test_a_restart_forgets_the_evidence() -> None:
    """What was counted for one revision says nothing about the next."""
    world = under_way(analysis=ERRORS_ONLY)
    world.look(after=10, batch=batch((NOW, 0, 0), (NOW + 10, 1000, 50)))
    assert world.state.evidence
    world.tell("start", revision="3")
    judge = world.state.judge

    assert world.state.evidence == ()
    assert judge is not None
    assert (judge.began_at, judge.canary_requests, judge.streams) == (world.now, 0, {})


def test_gates_before_the_start_are_asked_first() -> None:
    """A gate that was not asked keeps all weight on stable."""
    world = at_rest(hooks=GATED)
    world.tell("start", revision="2")

    assert (world.state.phase, world.state.step, world.weights()) == (Phase.PROGRESSING, 0, (100, 0))
    assert world.state.message == "Attempt 1 for revision 2 was started."


def test_a_gate_that_agrees_lets_the_attempt_begin() -> None:
    """Once every gate agrees the first step is entered."""
    world = at_rest(hooks=GATED)
    world.tell("start", revision="2")
    world.look(after=1, gates=answered(GATE, hook=Hook.BEFORE_START, step=0))

    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_a_gate_may_take_longer_than_the_deadline() -> None:
    """The deadline is for the canary's endpoints; nobody is aborted because a person takes time."""
    world = at_rest(hooks=GATED)
    world.tell("start", revision="2")
    world.look(after=7200, gates=answered(GATE, hook=Hook.BEFORE_START, step=0, message="answered 503"))

    assert (world.state.phase, world.state.message) == (Phase.PROGRESSING, "Gate load-test: answered 503.")


def test_endpoints_not_seen_since_the_controller_began_are_waited_for() -> None:
    """Right after a restart nothing is known of the canary, so the deadline that went by aborts nothing yet."""
    world = at_rest(hooks=GATED)
    world.tell("start", revision="2")
    world.endpoints[V2] = UNKNOWN
    world.look(after=3600, session_started_at=NOW + 3599)

    assert (world.state.phase, world.state.message) == (Phase.PROGRESSING, f"{V2} has not been seen yet.")


def test_endpoints_that_are_never_seen_end_the_attempt_too() -> None:
    """A canary of which nothing is known all through the deadline is given up like one that is not ready."""
    world = at_rest()
    world.endpoints[V2] = UNKNOWN
    world.tell("start", revision="2")
    world.look(after=600)

    assert world.state.reason == Reason.DEADLINE_EXCEEDED


# ---------------------------------------------------------------- steps edited


def test_edited_steps_change_no_weight() -> None:
    """The attempt goes on from the weight in force: after the last step that is not above it."""
    world = under_way(steps=LONG)
    world.tell("promote")
    world.look()
    _edit(world, 10, 20, 40, 80)

    assert (world.state.step, world.weights(), world.state.reason) == (2, (75, 25), Reason.HOLDING)
    assert world.state.transitions[-1].message == (
        "The steps were edited; the attempt goes on from 25 %, after step 2 of 4."
    )


def test_after_edited_steps_the_next_one_comes() -> None:
    """The step after those that are not above the weight in force is the next."""
    world = under_way(steps=LONG)
    _edit(world, 2, 40)
    world.tell("promote")

    assert world.weights() == (60, 40)


def test_steps_that_are_all_higher_begin_with_the_first() -> None:
    """Where no step is reached, the first is entered, and no gate of the start is asked again."""
    world = under_way(steps=LONG)
    world.wanted = rollout(steps=_plan(20, 40), hooks=GATED)
    world.look(after=1)
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (80, 20))


def test_steps_that_are_all_lower_are_done() -> None:
    """Where every step is below the weight in force, the last one is held and then the canary is promoted."""
    world = under_way(steps=_plan(50))
    _edit(world, 10, 20)
    world.look(after=3600)

    assert (world.state.phase, world.state.step) == (Phase.PROMOTING, 2)


def test_an_approval_stays_where_nothing_before_it_changed() -> None:
    """Steps to come may be edited without a second approval."""
    world = under_way(steps=_plan(5, 50, approval=True))
    world.tell("approve")
    _edit(world, 5, 70, approval=True)

    assert world.state.approved_step == 1


def test_an_approval_is_for_the_step_that_a_person_saw() -> None:
    """Where the step itself is another, it is approved anew."""
    world = under_way(steps=_plan(5, 50, approval=True))
    world.tell("approve")
    world.tell("skip")
    assert world.state.step == 2
    world.tell("approve")
    world.tell("pause")
    _edit(world, 6, 50, approval=True)

    assert (world.state.step, world.state.approved_step, world.state.hold_over) == (2, 0, False)


# ---------------------------------------------------------------- the end


def test_after_the_last_step_the_canary_gets_everything() -> None:
    """The last step done, all weight goes to the canary before it has the stable role."""
    world = under_way(steps=_plan(50))
    decision = world.look(after=3600)

    assert (world.state.phase, world.state.stable) == (Phase.PROMOTING, V1)
    assert [write.weights for write in decision.writes] == [((V1, 0), (V2, 100))]
    assert world.state.message == f"All steps are done; {V2} gets all weight."


def test_a_promotion_changes_roles_and_no_weight() -> None:
    """Once the routes say so, the canary has the stable role, and nothing is written any more."""
    world = under_way(steps=_plan(50))
    world.look(after=3600)
    decision = world.look(after=1)

    assert (world.state.phase, world.state.stable, world.state.canary, decision.writes) == (Phase.IDLE, V2, V1, ())
    assert (world.state.stable_revision, world.state.previous_revision) == ("2", "1")
    assert world.state.message == f"Promoted: {V2} with revision 2 has the stable role and all weight."


def test_the_next_attempt_goes_to_the_other_backend() -> None:
    """After a promotion the former stable is the canary of the next revision."""
    world = under_way(steps=_plan(50))
    world.look(after=3600)
    world.look(after=1)
    world.wanted = rollout(steps=_plan(50), revision="3")
    world.look(after=1)

    assert (world.state.canary, world.weights()) == (V1, (50, 50))


def test_an_abort_ends_when_every_route_says_so() -> None:
    """While a write is missing the phase is Aborting; then Aborted, in the same words."""
    world = under_way()
    world.lost = True
    world.tell("abort")
    assert world.state.phase is Phase.ABORTING
    world.lost = False
    world.look(after=1)
    world.look(after=1)

    assert (world.state.phase, world.state.message) == (Phase.ABORTED, "Rolled back: aborted.")


def test_an_abort_does_not_wait_for_a_route_that_is_gone() -> None:
    """A route that does not exist any more needs no write."""
    world = under_way()
    world.lost = True
    world.tell("abort")
    world.views[ROUTE] = None
    world.look(after=1)

    assert world.state.phase is Phase.ABORTED


def test_an_abort_does_not_wait_for_what_is_left_to_others() -> None:
    """With drift Ignore, a rule that somebody else changed after the abort holds nothing up."""
    world = World(rollout(drift="Ignore"))
    two = rule({V1: 100, V2: 0})
    world.views[ROUTE] = route(two, replace(two, index=1))
    world.look()
    world.tell("start", revision="2")
    world.look()
    world.lost = True
    world.tell("abort")
    world.state = replace(
        world.state, owned=tuple(replace(one, acknowledged=((V1, 100), (V2, 0))) for one in world.state.owned)
    )
    world.look(after=1)

    assert world.state.phase is Phase.ABORTED


def test_an_abort_ends_the_hold_and_the_parking() -> None:
    """Where clusters are separate the canary is parked during the attempt, and at the true 0 after it."""
    world = under_way(gateway={"separateClusters": True})
    assert world.weights() == (950_000, 50_000)
    world.tell("abort")
    assert world.weights() == (999_999, 1)
    world.look(after=1)
    world.look(after=1)

    assert (world.weights(), world.state.hold) == ((1_000_000, 0), Hold())


def test_a_cluster_of_its_own_begins_at_the_floor() -> None:
    """Where clusters are separate the canary's is made before any request goes there: the floor first, then step 1."""
    world = at_rest(gateway={"separateClusters": True})
    world.tell("start", revision="2")

    assert (world.state.step, world.weights()) == (0, (999_999, 1))
    world.accept(Acceptance.PENDING)
    world.look(after=1)
    assert world.state.step == 0
    world.accept(Acceptance.ACCEPTED)
    world.look(after=1)
    assert (world.state.step, world.weights()) == (1, (950_000, 50_000))


@pytest.mark.parametrize(("seconds", "step"), [(1, 0), (UNSEEN_SECONDS, 1)])
def test_a_promotion_waits_for_a_cluster_of_its_own(seconds: float, step: int) -> None:
    """A person in a hurry loses no request, and is not kept waiting by a gateway that accepts nothing."""
    world = at_rest(gateway={"separateClusters": True})
    world.lost = True
    world.tell("start", revision="2")
    world.lost = False
    hurry = command("promote", at=world.now)
    world.look(command=hurry)
    at_once = world.state.step
    world.accept(Acceptance.PENDING)
    world.look(after=seconds, command=hurry)

    assert (at_once, world.state.step) == (0, step)


def test_a_newer_revision_after_an_abort_begins() -> None:
    """An abort is for its revision only."""
    world = aborted()
    world.wanted = rollout(revision="3")
    world.look(after=1)

    assert (world.state.phase, world.state.attempt, world.state.revision) == (Phase.PROGRESSING, 2, "3")
