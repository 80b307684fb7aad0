"""Facts about workloads: what starts an attempt, what stable runs, and what is scaled before and after."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rollout.engine.observation import Endpoints, WorkloadKey
from rollout.engine.orders import QUIET_SECONDS, Scale
from rollout.engine.reasons import Reason, Refusal
from rollout.engine.state import Scaling
from rollout.engine.table import Phase
from rollout.engine.workloads import workload_keys
from tests.engine.builders import DOWN, NAMED, UP, V1, V2, World, rollout, with_workloads, workload

BY_HAND: Mapping[str, object] = {"start": "Manual", "revision": None}


def _flagged(**flags: bool) -> dict[str, object]:
    """Return the workloads of the spec, both with these flags."""
    return {role: {**named, **flags} for role, named in NAMED.items() if isinstance(named, dict)}


def _promoted(world: World) -> None:
    world.tell("promote", full=True)
    world.look(after=1)
    assert world.state.phase is Phase.IDLE


def _scale(name: str, replicas: int, version: str) -> tuple[Scale, ...]:
    return (Scale(WorkloadKey("Deployment", "shop", name), replicas, version),)


# ---------------------------------------------------------------- which workloads


def test_workloads_are_found_by_the_name_of_their_backend() -> None:
    """Both are in the Rollout's namespace, whatever role their backend has."""
    named = {"stable": {"kind": "StatefulSet", "name": "old"}, "canary": {"kind": "DaemonSet", "name": "new"}}
    keys = workload_keys(rollout(workloads=named).spec, "shop")

    assert keys == {V1: WorkloadKey("StatefulSet", "shop", "old"), V2: WorkloadKey("DaemonSet", "shop", "new")}
    assert str(keys[V1]) == "StatefulSet shop/old"


def test_a_spec_without_workloads_has_none() -> None:
    """They are optional, each by itself."""
    assert workload_keys(rollout().spec, "shop") == {}
    assert set(workload_keys(rollout(workloads={"canary": NAMED["canary"]}).spec, "shop")) == {V2}


# ---------------------------------------------------------------- starting


def test_the_first_template_is_a_baseline() -> None:
    """What runs when the Rollout is first seen starts nothing, and stable runs what its workload says."""
    world = with_workloads("one", "zero")
    world.look(after=3600)

    assert (world.state.phase, world.state.attempt, world.state.stable_revision) == (Phase.IDLE, 0, "one")


def test_without_a_workload_of_stable_the_baseline_is_the_canarys() -> None:
    """What is there before the first attempt is taken for what stable runs."""
    world = with_workloads(workloads={"canary": NAMED["canary"]})
    world.workloads = {V2: workload(V2, "zero")}
    world.state = type(world.state)()
    world.look()

    assert world.state.stable_revision == "zero"


def test_a_new_template_starts_an_attempt() -> None:
    """The attempt's revision is the template, and it waits until the pods that have it are there."""
    world = with_workloads()
    world.change(V2, "two")
    world.look(after=1)
    assert (world.state.phase, world.state.attempt, world.state.revision) == (Phase.PROGRESSING, 1, "two")
    assert (world.state.step, world.state.transitions[-1].reason) == (0, Reason.STARTED)
    world.rolled(V2, ready=2)
    world.look(after=1)
    assert (world.state.step, world.state.reason) == (0, Reason.CANARY_NOT_READY)
    assert world.state.message == f"{V2} has 2 of 3 new replicas ready."
    world.rolled(V2)
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_a_template_that_was_not_seen_starts_nothing() -> None:
    """A workload that is gone for a while comes back with the template that it had."""
    world = with_workloads()
    world.look(workloads={V1: workload(V1), V2: None})
    world.look(after=1)

    assert (world.state.phase, world.state.attempt) == (Phase.IDLE, 0)


def test_a_canary_whose_pods_never_come_ends_the_attempt() -> None:
    """After the deadline it is aborted, and the sentence says how far it was."""
    world = with_workloads(progressDeadline="5m")
    world.change(V2, "two")
    world.look(after=1)
    world.rolled(V2, ready=1, failed="ReplicaSet has timed out progressing.")
    world.look(after=300)

    assert (world.state.phase, world.state.reason) == (Phase.ABORTED, Reason.DEADLINE_EXCEEDED)
    assert "has 1 of 3 new replicas ready: ReplicaSet has timed out progressing within 300 s" in world.state.message


def test_an_aborted_template_starts_again_only_by_retry() -> None:
    """Put there once more, it waits for a person; retry names the template that the canary has."""
    world = with_workloads()
    world.change(V2, "two")
    world.look(after=1)
    world.tell("abort")
    for template in ("three", "two"):
        world.change(V2, template)
        world.rolled(V2)
        if template == "three":
            world.look(after=1)
            world.tell("abort")
        world.look(after=1)
    attempts = world.state.attempt
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    world.tell("abort")
    world.look(after=1)
    world.tell("retry")

    assert attempts == 3
    assert (world.state.phase, world.state.attempt, world.state.revision) == (Phase.PROGRESSING, 4, "two")


def test_the_same_template_again_after_an_abort_starts_nothing() -> None:
    """The aborted one came back by way of what stable runs."""
    world = with_workloads()
    world.change(V2, "two")
    world.look(after=1)
    world.tell("abort")
    for template in ("one", "two"):
        world.change(V2, template)
        world.look(after=1)

    assert (world.state.phase, world.state.attempt) == (Phase.ABORTED, 1)


def test_what_stable_runs_put_back_into_the_canary_goes_straight_back() -> None:
    """The attempt is withdrawn, and all weight is stable's at once."""
    world = with_workloads()
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    assert world.weights() == (95, 5)
    world.change(V2, "one")
    world.look(after=1)

    assert world.weights() == (100, 0)
    assert world.state.transitions[-1].reason == Reason.REVISION_WITHDRAWN


def test_a_newer_template_in_the_middle_begins_anew() -> None:
    """The weight leaves the pods that are being replaced, and comes back once they are there."""
    world = with_workloads()
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    world.change(V2, "three")
    world.look(after=1)
    assert (world.state.attempt, world.state.revision, world.weights()) == (2, "three", (100, 0))
    world.rolled(V2)
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_after_a_swap_the_template_of_the_new_canary_is_a_baseline() -> None:
    """What the old stable runs, also what it got meanwhile, starts nothing; the next one does."""
    world = with_workloads()
    world.change(V2, "two")
    world.rolled(V2)
    world.look(after=1)
    world.change(V1, "one and a half")
    world.look(after=1)
    _promoted(world)
    world.look(after=1)
    assert (world.state.canary, world.state.phase, world.state.stable_revision) == (V1, Phase.IDLE, "two")
    world.change(V1, "three")
    world.look(after=1)

    assert (world.state.phase, world.state.attempt, world.state.revision) == (Phase.PROGRESSING, 2, "three")


def test_start_without_a_revision_means_the_template() -> None:
    """With OnWorkload a person need not look the template up."""
    world = with_workloads()
    world.tell("start")

    assert (world.state.phase, world.state.revision) == (Phase.PROGRESSING, "one")


def test_start_without_a_revision_needs_a_workload_that_is_seen() -> None:
    """What is not known cannot be started, nor can it be guessed."""
    world = with_workloads()
    world.workloads[V2] = None
    world.tell("start")

    assert world.state.handled[-1].reason == Refusal.BAD_ARGUMENT


def test_retry_without_a_workload_tries_the_same_revision() -> None:
    """The template that was aborted is the best that is known."""
    world = with_workloads()
    world.change(V2, "two")
    world.look(after=1)
    world.tell("abort")
    world.workloads[V2] = None
    world.tell("retry")

    assert (world.state.attempt, world.state.revision) == (2, "two")


# ---------------------------------------------------------------- scaled up


def test_the_canary_is_scaled_up_before_the_first_step() -> None:
    """To as many replicas as stable has; the order is given until it is seen, and the step waits for the pods."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = workload(V2, replicas=0)
    world.endpoints[V2] = DOWN
    world.lost = True
    first = world.tell("start", revision="2")
    again = world.look(after=1, order_problem="the API server is busy.")
    assert first.orders == again.orders == _scale(V2, 3, "1")
    assert world.state.message == f"{V2} is scaled from 0 to 3 replicas: the API server is busy."
    world.lost = False
    world.look(after=1)
    done = world.look(after=1)
    assert (done.orders, world.state.scaling) == ((), Scaling.NONE)
    assert world.state.message == f"{V2} has 0 of 3 new replicas ready."
    world.rolled(V2)
    world.endpoints[V2] = UP
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_too_few_pods_are_too_few_although_they_are_ready() -> None:
    """One ready pod of three that are needed gets no weight."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = workload(V2, replicas=1)
    decision = world.tell("start", revision="2")

    assert (world.state.step, decision.orders) == (0, _scale(V2, 3, "1"))


def test_pods_that_an_autoscaler_takes_away_again_are_not_fought_for() -> None:
    """Once there were enough, whoever changes the number is right."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = workload(V2, replicas=1)
    world.tell("start", revision="2")
    world.look(after=1)
    world.workloads[V2] = workload(V2, replicas=2)
    decision = world.look(after=1)

    assert (world.state.step, decision.orders) == (1, ())


def test_a_stable_without_pods_asks_for_one() -> None:
    """As for a stable whose workload is not seen, the canary begins with one pod."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads = {V1: workload(V1, replicas=0), V2: workload(V2, replicas=0)}
    none = world.tell("start", revision="2").orders
    world.workloads[V1] = None
    unseen = world.look(after=1).orders

    assert (none, unseen) == (_scale(V2, 1, "1"), ())
    assert world.state.scaling is Scaling.NONE


def test_a_workload_that_should_be_scaled_and_is_not_seen_is_waited_for() -> None:
    """Nothing can be ordered, and the sentence says so."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = None
    decision = world.tell("start", revision="2")
    world.look(after=1)

    assert decision.orders == ()
    assert (world.state.step, world.state.message) == (
        0,
        f"The workload of {V2} has not been seen; it may not exist.",
    )


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_nothing_is_scaled_that_is_not_to_be(kind: str) -> None:
    """Without the flag, or with a kind whose pods the nodes say, a person brings the pods."""
    named = {role: {"kind": kind, "name": name, "scaleUp": kind == "DaemonSet"} for role, name in ROLES.items()}
    world = with_workloads(**BY_HAND, workloads=named)
    world.workloads[V2] = workload(V2, replicas=0)
    world.endpoints[V2] = DOWN
    decision = world.tell("start", revision="2")
    world.look(after=1)

    assert (decision.orders, world.state.scaling) == ((), Scaling.NONE)
    assert world.state.message == f"{V2} has 0 of 2 endpoints ready."


ROLES = {"stable": V1, "canary": V2}


def test_a_flag_that_is_taken_away_ends_the_scaling() -> None:
    """Then the pods that are there are enough."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = workload(V2, replicas=1)
    world.lost = True
    world.tell("start", revision="2")
    world.lost = False
    world.wanted = rollout(**BY_HAND, workloads=NAMED)
    decision = world.look(after=1)

    assert (decision.orders, world.state.scaling, world.state.step) == ((), Scaling.NONE, 1)


def test_a_step_that_was_ordered_by_a_person_needs_no_more_pods() -> None:
    """A person moves a ready canary on, and the scaling is over."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleUp=True))
    world.workloads[V2] = workload(V2, replicas=1)
    world.lost = True
    world.tell("start", revision="2")
    decision = world.tell("promote")

    assert (world.state.step, decision.orders) == (1, ())


# ---------------------------------------------------------------- scaled down


def _scaled_down(world: World) -> tuple[Scale, ...]:
    """Return the orders of the pass in which they may be given, and that there are none before."""
    early = world.look(after=1)
    assert early.orders == ()
    assert early.next_at == world.state.last_write_at + QUIET_SECONDS
    due = world.look(after=QUIET_SECONDS)
    return tuple(order for order in due.orders if isinstance(order, Scale))


def test_the_canary_is_scaled_down_after_an_abort() -> None:
    """Once the weights are written and no request comes any more; then nothing is left to do."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleDown=True))
    world.tell("start", revision="2")
    world.tell("abort")

    assert _scaled_down(world) == _scale(V2, 0, "1")
    assert world.look(after=1).orders == ()
    assert world.state.scaling is Scaling.NONE


def test_the_old_stable_is_scaled_down_after_a_swap_if_its_flag_says_so() -> None:
    """The flag is that of the workload behind the canary role."""
    named = {"stable": {"kind": "Deployment", "name": V1, "scaleDown": True}, "canary": NAMED["canary"]}
    world = with_workloads(**BY_HAND, workloads=named)
    world.tell("start", revision="2")
    _promoted(world)

    assert _scaled_down(world) == _scale(V1, 0, "1")


def test_without_the_flag_the_pods_stay() -> None:
    """Nobody takes away what may be looked at, or undone to."""
    world = with_workloads(**BY_HAND)
    world.tell("start", revision="2")
    world.tell("abort")

    assert world.look(after=60).orders == ()


def test_pods_that_still_get_requests_stay() -> None:
    """Weight that somebody else gave to the canary, or a route that is gone: nothing is scaled down."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleDown=True), drift="Ignore")
    world.tell("start", revision="2")
    world.tell("abort")
    world.look(after=1)
    world.meddle(90, 10)
    ignored = world.look(after=60).orders
    world.meddle(100, 0)

    assert (ignored, world.look(after=1).orders) == ((), _scale(V2, 0, "1"))


@pytest.mark.parametrize("way", ["gone", "flag"])
def test_scaling_down_ends_with_what_it_was_for(way: str) -> None:
    """A workload that is gone has no pods, and a flag that was taken away asks for nothing."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleDown=True))
    world.tell("start", revision="2")
    world.tell("abort")
    world.look(after=1)
    if way == "gone":
        world.workloads[V2] = None
    else:
        world.wanted = rollout(**BY_HAND, workloads=NAMED)
    decision = world.look(after=60)

    assert (decision.orders, world.state.scaling) == ((), Scaling.NONE)


def test_nothing_is_ordered_while_suspended_or_being_deleted() -> None:
    """Who suspends or deletes a Rollout wants its workloads left alone."""
    world = with_workloads(**BY_HAND, workloads=_flagged(scaleDown=True))
    world.tell("start", revision="2")
    world.tell("abort")
    deleted = world.look(after=60, deleting=True).orders
    world.wanted = rollout(**BY_HAND, workloads=_flagged(scaleDown=True), suspend=True)

    assert (deleted, world.look(after=1).orders) == ((), ())


def test_a_backend_without_ready_endpoints_is_waited_for_after_its_pods() -> None:
    """All pods are there, but the endpoints have not been seen: the first weight waits for them, too."""
    world = with_workloads(**BY_HAND)
    world.endpoints[V2] = Endpoints(0, 0, known=False)
    world.tell("start", revision="2")
    world.look(after=1)

    assert world.state.message == f"{V2} has not been seen yet."
