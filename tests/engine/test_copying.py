"""Facts about promotion by CopyTemplate: stable gets the pod template, then its weight back; or nothing is moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.observation import Acceptance, Endpoints, WorkloadKey
from rollout.engine.orders import CopyTemplate
from rollout.engine.outlook import outlook
from rollout.engine.reasons import Reason, Refusal
from rollout.engine.settling import SETTLE_SECONDS
from rollout.engine.state import Scaling
from rollout.engine.table import Phase
from tests.engine.builders import DOWN, NAMED, NO_ANALYSIS, UP, V1, V2, World, batch, rollout, with_workloads, workload

COPY = {"promotion": {"mode": "CopyTemplate"}}
PLAN = [{"weight": 5}, {"weight": 50}, {"weight": 25}, {"weight": 100}]
ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s", "minRequests": 0}
UNKNOWN = Endpoints(0, 0, known=False)


def _at_the_end(**spec: object) -> World:
    """Return a world in which the canary, which runs `two`, was just promoted fully."""
    world = with_workloads(**{**COPY, "steps": PLAN, **spec})
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    if spec.get("start") == "Manual":
        world.tell("start", revision="2")
    world.look(after=1)
    world.tell("promote", full=True)
    assert world.state.phase is Phase.PROMOTING
    return world


def _copying(**spec: object) -> World:
    """Return a world in which stable has the pod template, and none of its pods has it yet."""
    world = _at_the_end(**spec)
    world.look(after=1)
    assert world.state.copying_at == world.now
    return world


def _giving_back(**spec: object) -> World:
    """Return a world in which stable runs the template, and has its first weight back."""
    world = _copying(**spec)
    world.rolled(V1)
    world.look(after=1)
    assert world.weights() == (50, 50)
    return world


def _stuck(**spec: object) -> World:
    """Return a world in which stable's rollout failed."""
    world = _copying(**spec)
    world.rolled(V1, ready=2, failed="ReplicaSet has timed out progressing.")
    world.look(after=1)
    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.PROMOTION_STUCK)
    return world


# ---------------------------------------------------------------- copying


def test_nothing_is_copied_before_the_canary_carries_all_weight() -> None:
    """The routes must say so, and the gateway must serve them."""
    world = _at_the_end()
    world.accept(Acceptance.PENDING)
    world.look(after=1)
    decision = world.look(after=SETTLE_SECONDS)
    assert (decision.orders, world.state.reason) == ((), Reason.WAITING_FOR_ROUTES)
    world.accept(Acceptance.ACCEPTED)
    decision = world.look(after=1)

    source, target = (WorkloadKey("Deployment", "shop", name) for name in (V2, V1))
    assert decision.orders == (CopyTemplate(source, target, "two", "1"),)
    assert decision.significant
    assert world.state.transitions[-1].message == f"{V2} carries all weight; {V1} gets its pod template."


def test_an_order_is_given_again_until_it_is_seen() -> None:
    """After a crash, or a refusal, the next pass gives the same order; the sentence says why it is not carried out."""
    world = _at_the_end()
    world.lost = True
    first = world.look(after=1)
    again = world.look(after=1, order_problem="Deployment shop/checkout-v1: the platform refused it.")

    assert first.orders == again.orders != ()
    assert (world.state.reason, world.state.message) == (
        Reason.COPYING,
        f"{V1} has not the pod template of {V2} yet: Deployment shop/checkout-v1: the platform refused it.",
    )


def test_stable_is_waited_for_with_numbers() -> None:
    """The canary keeps all weight until every pod that is wanted has the template and is ready."""
    world = _copying()
    world.look(after=1)
    assert world.state.message == f"{V1} has 0 of 3 new replicas ready."
    world.rolled(V1, ready=2)
    decision = world.look(after=1)

    assert (world.state.reason, world.state.message) == (Reason.COPYING, f"{V1} has 2 of 3 new replicas ready.")
    assert (world.weights(), decision.orders, decision.next_at) == ((0, 100), (), world.now + 10)


@pytest.mark.parametrize(
    ("endpoints", "said"), [(DOWN, "has 0 of 2 endpoints ready"), (UNKNOWN, "has not been seen yet")]
)
def test_pods_without_ready_endpoints_are_not_enough(endpoints: Endpoints, said: str) -> None:
    """What the gateway cannot send to gets no weight."""
    world = _copying()
    world.rolled(V1)
    world.endpoints[V1] = endpoints
    world.look(after=1)

    assert (world.weights(), world.state.message) == ((0, 100), f"{V1} {said}.")


@pytest.mark.parametrize("name", [V1, V2])
def test_a_workload_that_is_not_seen_is_waited_for(name: str) -> None:
    """Nothing is ordered, and the sentence says which."""
    world = _at_the_end()
    gone, world.workloads[name] = world.workloads[name], None
    first, second = world.look(after=1), world.look(after=1)
    assert (first.orders, second.orders) == ((), ())
    assert world.state.message == f"The workload of {name} has not been seen; it may not exist."
    world.workloads[name] = gone

    assert world.look(after=1).orders != ()


def test_a_template_that_came_after_the_last_step_is_not_copied() -> None:
    """With OnRevision, only what the steps were gone with is copied."""
    world = _at_the_end(start="Manual")
    world.lost = True
    world.look(after=1)
    world.change(V2, "three")
    decision = world.look(after=1)

    assert decision.orders == ()
    assert world.state.message == (
        f"{V2} has another pod template than it had at the end of the steps; it is not copied."
    )


def test_nothing_is_copied_from_a_canary_that_is_not_seen_to_be_ready() -> None:
    """Stable's pods are replaced only while others carry all weight."""
    world = _at_the_end()
    world.endpoints[V2] = UNKNOWN

    assert world.look(after=1).orders == ()


def test_weights_that_somebody_changes_stop_the_copying() -> None:
    """They are put back first."""
    world = _at_the_end()
    world.lost = True
    world.look(after=1)
    world.meddle(50, 50)
    decision = world.look(after=1, write_problem="refused")

    assert (decision.orders, world.state.reason) == ((), Reason.WAITING_FOR_WRITE)


def test_nothing_is_judged_once_both_run_the_same() -> None:
    """Errors of that time are no evidence against the canary."""
    world = with_workloads(**COPY, analysis=ERRORS, steps=PLAN)
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    world.tell("promote", full=True)
    world.look(after=1)
    start = world.now
    world.look(after=10, batch=batch((start + 1, 1000, 1000), (start + 9, 2000, 2000), bad=900))

    assert (world.state.phase, world.state.judge) == (Phase.PROMOTING, None)


def test_edited_steps_change_nothing_once_it_is_copied() -> None:
    """The plan that holds then says by which weights stable gets back what it had."""
    world = _copying()
    world.wanted = rollout(start="OnWorkload", revision=None, workloads=NAMED, steps=[{"weight": 30}], **COPY)
    world.rolled(V1)
    world.look(after=1)

    assert (world.state.phase, world.weights()) == (Phase.PROMOTING, (70, 30))


# ---------------------------------------------------------------- giving back


def test_stable_gets_its_weight_back_by_the_plan_backwards() -> None:
    """Each weight below 100 once it was in force for ten seconds, from the largest down, then the roles as before."""
    world = _giving_back()
    told = world.look(after=1)
    assert told.next_at == world.now + 10
    assert world.state.message == f"{V1} has 50 % of the weight back, for 10 s each time."
    seen = []
    for _ in range(3):
        world.look(after=10)
        seen.append(world.weights())
        world.look(after=1)

    assert seen == [(75, 25), (95, 5), (100, 0)]
    assert (world.state.phase, world.state.stable, world.state.canary) == (Phase.IDLE, V1, V2)
    assert (world.state.reason, world.state.message) == (
        Reason.PROMOTED,
        f"Promoted: {V1} with revision two has all weight again.",
    )
    assert (world.state.stable_revision, world.state.previous_revision, world.state.copied) == ("two", None, "")


def test_a_revision_without_a_name_is_promoted_without_one() -> None:
    """The sentence names no revision where there is none."""
    world = _giving_back()
    world.state = replace(world.state, revision="")
    for _ in range(7):
        world.look(after=10)

    assert world.state.message == f"Promoted: {V1} has all weight again."


def test_a_weight_that_is_not_accepted_is_not_given_more() -> None:
    """The ten seconds count only while the gateway serves what is written, and while it takes another edit in."""
    world = _giving_back()
    world.look(after=1)
    world.accept(Acceptance.PENDING)
    world.look(after=2)
    assert world.state.reason == Reason.GIVING_BACK
    world.look(after=SETTLE_SECONDS)
    world.look(after=60)
    assert (world.weights(), world.state.reason) == ((50, 50), Reason.WAITING_FOR_ROUTES)
    world.accept(Acceptance.ACCEPTED)
    world.look(after=1)
    world.look(after=4)
    assert world.weights() == (50, 50)
    world.look(after=1)

    assert world.weights() == (75, 25)


def test_a_stable_that_misses_pods_gets_no_more() -> None:
    """One that the autoscaler makes bigger gets its next weight once the new pods are there."""
    world = _giving_back()
    world.rolled(V1, ready=1)
    world.look(after=1)
    world.look(after=60)

    assert (world.weights(), world.state.reason) == ((50, 50), Reason.GIVING_BACK)
    assert world.state.message == f"{V1} has 1 of 3 new replicas ready."


def test_a_stable_that_loses_its_endpoints_gives_all_weight_back() -> None:
    """The canary carries all again, and once stable is there it begins from the start."""
    world = _giving_back()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    assert (world.state.phase, world.weights()) == (Phase.PROMOTING, (0, 100))
    assert world.state.transitions[-1].reason == Reason.STABLE_LOST
    world.look(after=1)
    assert world.state.message == f"{V1} has 0 of 2 endpoints ready."
    world.endpoints[V1] = UP
    world.look(after=1)

    assert world.weights() == (50, 50)


def test_weight_stays_where_it_is_when_neither_is_ready() -> None:
    """Nothing is better then than what is."""
    world = _giving_back()
    world.endpoints.update({V1: DOWN, V2: DOWN})
    world.look(after=1)

    assert (world.state.phase, world.weights()) == (Phase.PROMOTING, (50, 50))


def test_a_canary_that_is_lost_leaves_all_weight_to_a_stable_that_runs_the_same() -> None:
    """There is nothing to roll back from: the attempt ends well."""
    world = _giving_back()
    world.endpoints[V2] = DOWN
    world.look(after=1)
    assert world.weights() == (100, 0)
    world.look(after=1)

    assert (world.state.phase, world.state.reason) == (Phase.IDLE, Reason.PROMOTED)


@pytest.mark.parametrize("rolled", [True, False])
def test_a_canary_that_is_lost_earlier_is_rolled_back(rolled: bool) -> None:  # noqa: FBT001 - a row
    """As long as stable does not run the same with all its pods, or it is not even tried."""
    world = _copying() if rolled else _at_the_end()
    world.endpoints[V2] = DOWN
    world.look(after=1)

    assert (world.state.phase, world.weights()) == (Phase.ABORTING, (100, 0))
    assert world.state.aborted_revision == "two"


def test_the_canary_is_scaled_down_at_the_end() -> None:
    """Once all its weight is given back and written, and its flag says so."""
    named = {**NAMED, "canary": {"kind": "Deployment", "name": V2, "scaleDown": True}}
    world = _giving_back(workloads=named)
    decisions = [world.look(after=10) for _ in range(8)]
    view = world.workloads[V2]

    assert sum(len(decision.orders) for decision in decisions) == 1
    assert view is not None
    assert (view.replicas, world.weights(), world.state.phase) == (0, (100, 0), Phase.IDLE)
    assert world.state.scaling is Scaling.NONE


def test_after_the_end_another_template_starts_the_next_attempt() -> None:
    """The roles are as before, and so is what is watched."""
    world = _giving_back()
    for _ in range(7):
        world.look(after=10)
    world.change(V2, "three")
    world.look(after=1)

    assert (world.state.phase, world.state.attempt, world.state.revision) == (Phase.PROGRESSING, 2, "three")


def test_there_is_nothing_to_undo_after_a_copy() -> None:
    """Both ran the same: the sentence says what to do instead."""
    world = _giving_back()
    for _ in range(7):
        world.look(after=10)
    world.tell("undo")

    assert world.state.handled[-1].reason == Refusal.NOTHING_TO_UNDO
    assert "after CopyTemplate there is no previous stable" in world.state.handled[-1].message


def test_an_undo_of_an_earlier_swap_copies_nothing() -> None:
    """It gives the weight back to what runs the revision before."""
    world = with_workloads(steps=PLAN, start="Manual")
    world.tell("start", revision="2")
    world.tell("promote", full=True)
    world.look(after=1)
    assert world.state.stable == V2
    world.wanted = rollout(start="Manual", revision=None, workloads=NAMED, steps=PLAN, **COPY)
    world.tell("undo")
    decision = world.look(after=1)

    assert (decision.orders, world.state.stable, world.state.reason) == ((), V1, Reason.UNDONE)


def test_a_copy_that_has_begun_ends_as_one() -> None:
    """Whoever changes the mode then changes the next attempt."""
    world = _giving_back()
    world.wanted = rollout(start="OnWorkload", revision=None, workloads=NAMED, steps=PLAN)
    for _ in range(7):
        world.look(after=10)

    assert (world.state.stable, world.state.reason) == (V1, Reason.PROMOTED)


# ---------------------------------------------------------------- stuck


def test_a_rollout_that_failed_stops_the_promotion() -> None:
    """Nothing is moved to it, and the sentence says what a person can do."""
    world = _stuck()

    assert world.weights() == (0, 100)
    assert world.state.message == (
        f"{V1} has 2 of 3 new replicas ready: ReplicaSet has timed out progressing. {V2} keeps all weight. "
        f"resume tries on; abort gives all weight to {V1}, if it has a ready endpoint."
    )


def test_a_rollout_that_takes_too_long_stops_the_promotion() -> None:
    """After the progress deadline, to the second."""
    world = _copying(progressDeadline="5m")
    world.rolled(V1, ready=2)
    world.look(after=299)
    assert world.state.phase is Phase.PROMOTING
    world.look(after=1)

    assert (world.state.phase, world.state.reason, world.weights()) == (
        Phase.PAUSED,
        Reason.PROMOTION_STUCK,
        (0, 100),
    )


def test_what_nobody_has_seen_since_the_start_is_waited_for_from_then() -> None:
    """A controller that was away gives the platform's cache its time."""
    world = _copying(progressDeadline="5m")
    world.workloads[V1] = None
    world.look(after=400, session_started_at=world.now + 350)

    assert world.state.phase is Phase.PROMOTING


def test_an_order_that_nobody_carries_out_stops_the_promotion() -> None:
    """A template that the platform refuses for too long needs a person, too."""
    world = _at_the_end(progressDeadline="5m")
    world.lost = True
    world.look(after=1)
    world.look(after=300, order_problem="refused")

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.PROMOTION_STUCK)


@pytest.mark.parametrize("action", ["resume", "promote"])
def test_a_person_can_try_on(action: str) -> None:
    """Although the platform gave it up: it may still get there, until the deadline."""
    world = _stuck()
    world.tell(action)
    assert (world.state.phase, world.state.transitions[-1].reason) == (Phase.PROMOTING, Reason.RESUMED)
    world.look(after=1)
    assert world.state.phase is Phase.PROMOTING
    world.rolled(V1, failed="")
    world.look(after=1)

    assert world.weights() == (50, 50)


def test_trying_on_ends_with_the_deadline_too() -> None:
    """Then it is stuck again."""
    world = _stuck(progressDeadline="5m")
    world.tell("resume")
    world.look(after=300)

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.PROMOTION_STUCK)


def test_trying_on_copies_what_the_canary_runs_by_then() -> None:
    """Who resumes has seen that it is another template."""
    world = _at_the_end(start="Manual", progressDeadline="5m")
    world.lost = True
    world.look(after=1)
    world.change(V2, "three")
    world.look(after=300)
    assert world.state.phase is Phase.PAUSED
    world.tell("resume")
    decision = world.look(after=1)

    assert [order.template for order in decision.orders if isinstance(order, CopyTemplate)] == ["three"]


def test_a_stuck_promotion_moves_nothing_by_itself() -> None:
    """Also when stable got there after all, a person says so; edited steps are for the next attempt."""
    world = _stuck()
    world.rolled(V1, failed="")
    world.wanted = rollout(start="OnWorkload", revision=None, workloads=NAMED, steps=[{"weight": 30}], **COPY)
    decision = world.look(after=60)

    assert (decision.orders, world.weights(), world.state.reason) == ((), (0, 100), Reason.PROMOTION_STUCK)


# ---------------------------------------------------------------- back


@pytest.mark.parametrize("make", [_copying, _stuck, _giving_back])
def test_an_abort_gives_all_weight_to_a_stable_that_is_not_known_to_be_down(make: object) -> None:
    """Although it may run the new template in part, or all of it; the sentence says so."""
    assert callable(make)
    world: World = make()
    world.tell("abort")

    assert (world.weights(), world.state.copying_at, world.state.copied) == ((100, 0), 0.0, "")
    assert world.state.message == f"Rolled back: aborted. The workload of {V1} has its pod template all the same."


def test_an_abort_before_the_template_was_taken_says_nothing_of_it() -> None:
    """Stable runs what it ran."""
    world = _at_the_end()
    world.lost = True
    world.look(after=1)
    world.lost = False
    world.tell("abort")

    assert (world.weights(), world.state.message) == ((100, 0), "Rolled back: aborted.")


def test_an_abort_to_a_stable_that_is_down_is_refused() -> None:
    """The canary, which went through all steps, would have carried all weight well."""
    world = _stuck()
    world.endpoints[V1] = DOWN
    world.tell("abort")

    assert (world.weights(), world.state.phase) == ((0, 100), Phase.PAUSED)
    assert world.state.handled[-1].reason == Refusal.STABLE_DOWN
    assert f"abort is possible once {V1} has one" in world.state.handled[-1].message


def test_after_an_abort_what_stable_ran_before_can_be_started() -> None:
    """Stable runs the new template, so the old one is a new revision now."""
    world = _copying()
    world.rolled(V1)
    world.tell("abort")
    world.look(after=1)
    assert (world.state.phase, world.state.stable_revision) == (Phase.ABORTED, "two")
    world.change(V2, "one")
    world.look(after=1)

    assert (world.state.phase, world.state.revision) == (Phase.PROGRESSING, "one")


def test_what_stable_ran_before_put_back_while_it_is_copied_is_a_new_attempt() -> None:
    """There is no way straight back any more, as stable does not run it."""
    world = _copying()
    world.change(V2, "one")
    world.look(after=1)

    assert (world.state.attempt, world.state.revision, world.weights()) == (2, "one", (100, 0))
    assert (world.state.copying_at, world.state.copied) == (0.0, "")


def test_stable_runs_the_revision_once_it_has_the_template() -> None:
    """With a revision of the spec's own, too."""
    world = _at_the_end(start="Manual")
    world.look(after=1)
    assert world.state.stable_revision != "2"
    world.look(after=1)

    assert world.state.stable_revision == "2"


# ---------------------------------------------------------------- what is told


def test_the_outlook_says_what_stable_lacks() -> None:
    """While the routes are as they should be, it is the workload that is waited for."""
    world = _copying()
    world.look(after=1)
    missing = outlook(world.wanted, world.state, world.observation()).missing

    assert [(one.reason, one.message, one.seconds) for one in missing] == [
        (Reason.COPYING, f"{V1} has 0 of 3 new replicas ready.", None)
    ]


def test_a_copy_needs_no_analysis() -> None:
    """Without checks it goes the same way."""
    world = _giving_back(analysis=NO_ANALYSIS)

    assert world.look(after=1).next_at == world.now + 10


def test_a_stable_with_other_pods_than_are_wanted_is_not_there() -> None:
    """A workload that somebody scales up meanwhile is waited for."""
    world = _copying()
    world.workloads[V1] = workload(V1, "two", replicas=4, updated=3, ready=3)
    world.look(after=1)

    assert (world.weights(), world.state.message) == ((0, 100), f"{V1} has 3 of 4 new replicas ready.")
