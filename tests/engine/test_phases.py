"""Facts about what each phase does: starting, going on, ending, and what stops it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollout.engine.decide import decide
from rollout.engine.observation import Acceptance, Endpoints, WorkloadKey, WorkloadView
from rollout.engine.reasons import Reason
from rollout.engine.settling import SETTLE_SECONDS
from rollout.engine.table import Phase
from rollout.spec.resource import Rollout
from tests.engine.builders import DOWN, ROUTE, UP, V1, V2, World, aborted, at_rest, batch, rollout, seen, under_way

UNKNOWN = Endpoints(ready=0, total=0, known=False)
ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s", "minRequests": 0}
NO_POLICY = ("the policy is missing",)


def _wanting(**spec: object) -> Rollout:
    return rollout(**spec)


def _without_steps(**spec: object) -> Rollout:
    wanted = rollout(**spec)
    return wanted.model_copy(update={"spec": wanted.spec.model_copy(update={"steps": (), "ramp": None})})


def _running(template: str) -> dict[str, WorkloadView]:
    key = WorkloadKey("Deployment", "shop", V2)
    return {V2: WorkloadView(key, "1", template, replicas=1, updated=1, ready=1)}


# ---------------------------------------------------------------- starting


def test_the_first_revision_is_a_baseline() -> None:
    """What stands in the spec when the Rollout is first seen starts nothing."""
    world = at_rest()
    world.look(after=3600)

    assert (world.state.phase, world.state.attempt) == (Phase.IDLE, 0)


def test_a_new_revision_starts_an_attempt() -> None:
    """A changed `spec.revision` begins attempt 1 at step 1."""
    world = at_rest()
    world.wanted = _wanting(revision="2")
    world.look(after=1)

    assert (world.state.attempt, world.state.step, world.weights()) == (1, 1, (95, 5))
    assert world.state.transitions[-1].reason == Reason.STARTED


def test_a_first_revision_that_comes_later_is_a_baseline_too() -> None:
    """A Rollout without a revision that gets one starts nothing, and that one is what stable runs."""
    world = at_rest(revision=None)
    world.wanted = _wanting(revision="1")
    world.look(after=1)

    assert (world.state.phase, world.state.stable_revision) == (Phase.IDLE, "1")


def test_manual_start_ignores_the_revision() -> None:
    """With start Manual, only a command starts."""
    world = at_rest(start="Manual")
    world.wanted = _wanting(start="Manual", revision="2")
    world.look(after=1)

    assert world.state.phase is Phase.IDLE


def test_a_new_pod_template_starts_an_attempt() -> None:
    """With start OnWorkload, the first template seen is a baseline and the next one an attempt."""
    world = at_rest(start="OnWorkload", revision=None)
    world.look(workloads=_running("a"))
    assert (world.state.phase, world.state.stable_revision) == (Phase.IDLE, "a")
    world.look(workloads={V2: None})
    world.look(workloads=_running("b"))

    assert (world.state.phase, world.state.revision) == (Phase.PROGRESSING, "b")


def test_an_aborted_revision_does_not_start_again() -> None:
    """Asked for again by the spec, a revision that was aborted waits for retry."""
    world = at_rest()
    world.wanted = _wanting(revision="2")
    world.look(after=1)
    world.tell("abort")
    for revision in ("1", "2"):
        world.wanted = _wanting(revision=revision)
        world.look(after=1)

    assert (world.state.phase, world.state.attempt) == (Phase.ABORTED, 1)


def test_what_stable_runs_is_not_started() -> None:
    """After a promotion, the same revision in the spec starts nothing."""
    world = under_way()
    world.tell("promote", full=True)
    world.look()
    world.wanted = _wanting(revision="2")
    world.look(after=1)

    assert (world.state.phase, world.state.attempt) == (Phase.IDLE, 1)


def test_without_steps_nothing_starts_until_there_are_some() -> None:
    """A new revision waits for steps, and is not forgotten meanwhile."""
    world = at_rest()
    world.wanted = _without_steps(revision="2")
    world.look(after=1)
    assert world.state.phase is Phase.IDLE
    world.wanted = _wanting(revision="2")
    world.look(after=1)

    assert (world.state.phase, world.state.revision) == (Phase.PROGRESSING, "2")


@pytest.mark.parametrize("endpoints", [DOWN, UNKNOWN])
def test_a_canary_that_is_not_ready_is_waited_for(endpoints: Endpoints) -> None:
    """Without a ready endpoint the canary gets no weight, and as soon as there is one it does."""
    world = at_rest()
    world.endpoints[V2] = endpoints
    world.tell("start", revision="2")
    world.look(after=300)
    assert (world.state.phase, world.state.reason, world.weights()) == (
        Phase.PROGRESSING,
        Reason.CANARY_NOT_READY,
        (100, 0),
    )
    world.endpoints[V2] = UP
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (95, 5))


def test_a_canary_that_is_never_ready_ends_the_attempt() -> None:
    """After the progress deadline the attempt is aborted, to the second."""
    world = at_rest(progressDeadline="5m")
    world.endpoints[V2] = DOWN
    decision = world.tell("start", revision="2")
    assert decision.next_at == world.now + 10
    world.look(after=299)
    assert world.state.phase is Phase.PROGRESSING
    world.look(after=1)

    assert (world.state.phase, world.state.reason) == (Phase.ABORTED, Reason.DEADLINE_EXCEEDED)
    assert world.state.message == f"Rolled back: {V2} had no ready endpoint within 300 s."


def test_a_deadline_that_is_over_does_not_hurry() -> None:
    """A canary that is ready may wait for its gate longer than the deadline, without a pass after each other."""
    gate = {"url": "https://ci.example/ok", "name": "ci"}
    world = at_rest(hooks={"beforeStart": [gate]})
    world.tell("start", revision="2")
    decision = world.look(after=3600)

    assert (world.state.phase, world.state.step) == (Phase.PROGRESSING, 0)
    assert decision.next_at is not None
    assert decision.next_at >= world.now + 1


def test_a_canary_with_weight_has_no_deadline_to_begin() -> None:
    """Steps edited below the weight in force, and endpoints not seen for once: that is no canary that never came."""
    world = under_way(steps=[{"weight": 20, "hold": "1h"}, {"weight": 50}], progressDeadline="1m")
    world.wanted = _wanting(steps=[{"weight": 50, "hold": "1h"}], progressDeadline="1m")
    world.endpoints[V2] = UNKNOWN
    world.look(after=600)

    assert (world.state.phase, world.state.step, world.weights()) == (Phase.PROGRESSING, 0, (80, 20))


# ---------------------------------------------------------------- harm


def test_lost_endpoints_abort_at_once() -> None:
    """The canary's last ready endpoint goes: all weight back in the same pass, whatever the metrics say."""
    world = under_way()
    world.endpoints[V2] = DOWN
    world.look(after=0.1)

    assert (world.state.reason, world.weights()) == (Reason.CANARY_LOST, (100, 0))


@pytest.mark.parametrize("phase", [Phase.PAUSED, Phase.PROMOTING, Phase.INVALID])
def test_lost_endpoints_abort_from_every_phase_of_an_attempt(phase: Phase) -> None:
    """Paused, promoting or invalid: the way back is open."""
    world = under_way()
    if phase is Phase.PROMOTING:
        world.lost = True
        world.tell("promote", full=True)
        world.lost = False
    if phase is Phase.PAUSED:
        world.tell("pause")
    problems: tuple[str, ...] = ()
    if phase is Phase.INVALID:
        world.wanted, problems = None, NO_POLICY
        world.look(after=1, problems=problems)
    assert world.state.phase is phase
    world.endpoints[V2] = DOWN
    world.look(after=1, problems=problems)

    assert world.weights() == (100, 0)


def test_unknown_endpoints_move_nothing() -> None:
    """Endpoints that cannot be seen are no evidence of harm."""
    world = under_way()
    world.endpoints[V2] = UNKNOWN
    world.look(after=600)

    assert (world.state.phase, world.weights()) == (Phase.PROGRESSING, (95, 5))
    assert world.state.reason == Reason.CANARY_NOT_READY


def test_errors_abort() -> None:
    """Evidence of errors rolls back with the judge's reason and sentence."""
    world = under_way(analysis=ERRORS)
    for tick in range(8):
        counted = batch(
            (world.now, 1900 * tick, 100 * tick), (world.now + 10, 1900 * (tick + 1), 100 * (tick + 1)), bad=60
        )
        world.look(after=10, batch=counted)

    assert world.state.reason == "EvidenceOfErrors"
    assert world.state.message.startswith("Rolled back: canary failed ")
    assert world.weights() == (100, 0)


def test_nothing_is_moved_to_a_stable_that_is_down() -> None:
    """With no ready endpoint in stable an abort would make things worse: hold, and say so."""
    world = under_way()
    world.endpoints.update({V1: DOWN, V2: DOWN})
    world.look(after=1)

    assert (world.state.phase, world.state.reason, world.weights()) == (
        Phase.PROGRESSING,
        Reason.CANARY_CARRIES_ALL,
        (95, 5),
    )


def test_the_abort_is_made_up_for_when_stable_comes_back() -> None:
    """As soon as stable has an endpoint again, what had to wait is done."""
    world = under_way()
    world.endpoints.update({V1: DOWN, V2: DOWN})
    world.look(after=1)
    world.endpoints[V1] = UP
    world.look(after=1)

    assert (world.state.reason, world.weights()) == (Reason.CANARY_LOST, (100, 0))


@pytest.mark.parametrize("revision", ["3", "1"])
def test_no_revision_moves_weight_to_a_stable_that_is_down(revision: str) -> None:
    """A newer or withdrawn revision waits until stable has an endpoint again, and is not forgotten."""
    world = at_rest()
    world.wanted = _wanting(revision="2")
    world.look(after=1)
    world.look(after=1)
    world.endpoints[V1] = DOWN
    world.wanted = _wanting(revision=revision)
    world.look(after=1)
    assert (world.weights(), world.state.reason) == ((95, 5), Reason.CANARY_CARRIES_ALL)
    world.endpoints[V1] = UP
    world.look(after=1)

    assert world.weights() == (100, 0)


def test_a_stable_that_is_down_holds_the_step() -> None:
    """While the canary may carry everything, no step is left and no hold time counts."""
    world = under_way()
    world.look(after=30)
    world.endpoints[V1] = DOWN
    world.look()
    world.look(after=3600)

    assert world.state.reason == Reason.CANARY_CARRIES_ALL
    assert world.state.hold.at(world.now) == 30


# ---------------------------------------------------------------- the way forward


def test_every_step_has_its_hold_time() -> None:
    """Steps follow each other when their hold times are over, to the second."""
    world = under_way(steps=[{"weight": 5, "hold": "2m"}, {"weight": 50, "hold": "5m"}])
    world.look(after=119)
    assert world.state.step == 1
    world.look(after=1)
    assert (world.state.step, world.weights()) == (2, (50, 50))
    world.look()
    world.look(after=300)
    world.look()

    assert (world.state.phase, world.state.stable, world.weights()) == (Phase.IDLE, V2, (0, 100))
    assert world.state.message == f"Promoted: {V2} with revision 2 has the stable role and all weight."


@pytest.mark.parametrize(
    ("spec", "weights"),
    [
        ({"steps": [{"weight": w} for w in (1, 2, 10, 80)]}, [1, 2, 10, 80, 100]),
        ({"steps": [{"weight": 100}]}, [100]),
        ({"steps": [{"weight": w} for w in (50, 20, 80)]}, [50, 20, 80, 100]),
        ({"steps": None, "ramp": {"from": 20, "to": 50, "by": 20, "every": "1s"}}, [20, 40, 50, 100]),
    ],
)
def test_the_weights_follow_the_plan(spec: dict[str, object], weights: list[int]) -> None:
    """Uneven steps, blue/green, steps that go down and a ramp that ends exactly where it should."""
    world = at_rest(**spec)
    world.tell("start", revision="2")
    taken = [world.weights()[1]]
    for _ in range(20):
        world.look(after=1)
        if world.weights()[1] != taken[-1]:
            taken.append(world.weights()[1])

    assert taken == weights
    assert world.state.phase is Phase.IDLE


def test_the_end_waits_for_the_gateway() -> None:
    """The roles change when all weight is really served by the canary."""
    world = under_way()
    world.tell("promote", full=True)
    world.accept(Acceptance.PENDING)
    world.look(after=1)
    world.look(after=SETTLE_SECONDS)
    assert (world.state.phase, world.state.reason) == (Phase.PROMOTING, Reason.WAITING_FOR_ROUTES)
    world.accept(Acceptance.ACCEPTED)
    world.look(after=1)

    assert world.state.phase is Phase.IDLE


# ---------------------------------------------------------------- revisions and steps that change


def test_a_newer_revision_restarts() -> None:
    """In the middle of an attempt a newer revision takes all weight back and begins at the first step, nothing kept."""
    world = at_rest(analysis=ERRORS)
    world.wanted = _wanting(analysis=ERRORS, revision="2")
    world.look(after=1)
    world.look(after=1, batch=batch((world.now - 2, 0, 0), (world.now + 1, 100, 100), bad=3))
    world.wanted = _wanting(analysis=ERRORS, revision="3")
    world.look(after=1)
    assert (world.state.attempt, world.weights(), world.state.evidence) == (2, (100, 0), ())
    world.look()

    assert (world.state.step, world.state.revision, world.weights()) == (1, "3", (95, 5))
    assert world.state.judge is not None
    assert world.state.judge.canary_requests == 0


def test_a_newer_revision_restarts_while_promoting() -> None:
    """Even at full weight the newer revision begins at the first step."""
    world = under_way()
    world.lost = True
    world.tell("promote", full=True)
    world.lost = False
    world.wanted = _wanting(revision="3")
    world.look(after=1)

    assert (world.state.phase, world.state.attempt, world.weights()) == (Phase.PROGRESSING, 2, (100, 0))


def test_the_revision_of_stable_goes_straight_back() -> None:
    """Putting the old revision back is a rollback, no attempt."""
    world = at_rest()
    world.wanted = _wanting(revision="2")
    world.look(after=1)
    world.wanted = _wanting(revision="1")
    world.look(after=1)

    assert (world.state.reason, world.weights()) == (Reason.REVISION_WITHDRAWN, (100, 0))
    assert (world.state.attempt, world.state.aborted_revision) == (1, None)


def test_the_revision_of_stable_goes_straight_back_from_a_pause() -> None:
    """Also a paused attempt is ended by it."""
    world = at_rest()
    world.wanted = _wanting(revision="2")
    world.look(after=1)
    world.tell("pause")
    world.wanted = _wanting(revision="1", steps=[{"weight": 9}])
    world.look(after=1)

    assert (world.state.reason, world.weights()) == (Reason.REVISION_WITHDRAWN, (100, 0))


def test_a_revision_that_runs_already_changes_nothing() -> None:
    """A spec that catches up with a start by command is no newer revision."""
    world = under_way()
    world.wanted = _wanting(revision="2")
    world.look(after=1)

    assert (world.state.attempt, world.weights()) == (1, (95, 5))


def test_an_undo_minds_no_revision() -> None:
    """While weights go back to the previous stable, a new revision waits for its turn."""
    world = under_way()
    world.tell("promote", full=True)
    world.look()
    world.lost = True
    world.tell("undo")
    world.lost = False
    world.wanted = _wanting(revision="3")
    for _ in range(3):
        world.look(after=1)

    assert (world.state.attempt, world.state.revision) == (2, "3")
    assert Reason.UNDONE in {made.reason for made in world.state.transitions}


PLAN = [{"weight": weight, "hold": "1h"} for weight in (5, 25, 60, 95)]


def _at_step_two() -> World:
    world = under_way(steps=PLAN)
    world.tell("promote")
    world.look()
    assert world.weights() == (75, 25)
    return world


@pytest.mark.parametrize(
    ("plan", "step"),
    [((5, 10, 20, 30, 80), 3), ((5, 25), 2), ((25,), 1), ((5, 60), 1)],
)
def test_edited_steps_move_nothing_at_once(plan: tuple[int, ...], step: int) -> None:
    """The attempt goes on from the weight in force, after the last step that is not above it."""
    world = _at_step_two()
    world.wanted = _wanting(steps=[{"weight": weight, "hold": "2h"} for weight in plan])
    world.look(after=1)

    assert (world.weights(), world.state.step) == ((75, 25), step)
    edited = [made for made in world.state.transitions if made.reason == Reason.STEPS_EDITED]
    assert [made.message for made in edited] == [
        f"The steps were edited; the attempt goes on from 25 %, after step {step} of {len(plan)}."
    ]


def test_edited_steps_above_the_weight_begin_with_the_first() -> None:
    """Where every new step is above the weight in force, the first one is next."""
    world = _at_step_two()
    world.wanted = _wanting(steps=[{"weight": 50, "hold": "1h"}])
    world.look(after=1)

    assert (world.state.step, world.weights()) == (1, (50, 50))


def test_edited_steps_are_taken_in_while_paused() -> None:
    """A paused attempt stays paused."""
    world = _at_step_two()
    world.tell("pause")
    world.wanted = _wanting(steps=PLAN[:2])
    world.look(after=1)

    assert (world.state.phase, world.state.transitions[-1].reason) == (Phase.PAUSED, Reason.STEPS_EDITED)


def test_hold_times_may_be_edited_without_a_word() -> None:
    """Other hold times at the same weights count from now on, and are no edit of the plan."""
    world = _at_step_two()
    world.wanted = _wanting(steps=[{**step, "hold": "10s"} for step in PLAN])
    world.look(after=11)

    assert world.state.step == 3


APPROVED: list[dict[str, object]] = [
    {"weight": 5},
    {"weight": 25, "approval": True, "gates": [{"url": "https://ci.example", "name": "ci"}]},
]


def test_an_approval_stays_when_later_steps_are_edited() -> None:
    """What a person approved is not asked for again because of a step that is still to come."""
    world = under_way(steps=[*APPROVED, {"weight": 60}])
    world.look(after=1)
    world.tell("approve")
    world.wanted = _wanting(steps=[*APPROVED, {"weight": 70}])
    world.look(after=1)

    assert (world.state.step, world.state.reason) == (2, Reason.STEPS_EDITED)


def test_an_approval_is_for_the_plan_that_was_seen() -> None:
    """When steps up to this one are edited, the approval must be given again."""
    world = under_way(steps=[*APPROVED, {"weight": 60}])
    world.look(after=1)
    world.tell("approve")
    world.wanted = _wanting(steps=[{"weight": 10}, {**APPROVED[1], "weight": 20}, {"weight": 60}])
    world.look(after=1)

    assert (world.state.step, world.state.reason) == (2, Reason.WAITING_FOR_APPROVAL)


# ---------------------------------------------------------------- suspension and deletion


def test_a_suspended_attempt_stands_still() -> None:
    """Nothing is written and no hold time counts; it goes on when the suspension ends."""
    world = under_way()
    world.look(after=30)
    running, world.wanted = world.wanted, rollout(suspend=True)
    world.look()
    decision = world.look(after=3600)
    assert (decision.writes, world.state.reason) == ((), Reason.SUSPENDED)
    world.wanted = running
    world.look()

    assert world.state.hold.at(world.now) == 30


def test_suspension_at_rest_needs_no_status() -> None:
    """An idle Rollout that is suspended says so once in its conditions and is quiet."""
    world = at_rest(suspend=True)
    world.look(after=1)

    assert not world.look(after=3600).significant
    assert world.state.reason == Reason.BASELINE


def test_a_pause_says_why_again_after_a_suspension() -> None:
    """A suspension that is over is no reason to stand still; the person's pause is."""
    world = under_way()
    world.tell("pause")
    message, wanted = world.state.message, world.wanted
    world.wanted = rollout(suspend=True)
    world.look(after=1)
    assert world.state.reason == Reason.SUSPENDED
    world.wanted = wanted
    world.look(after=1)

    assert (world.state.reason, world.state.message) == (Reason.PAUSED, message)


def test_a_pause_says_why_again_after_backends_came_back() -> None:
    """That the canary carries all is said while it does, and no longer."""
    world = under_way()
    world.tell("pause")
    world.endpoints = {V1: DOWN, V2: DOWN}
    world.look(after=1)
    said = world.look(after=1)
    assert (world.state.reason, said.significant) == (Reason.CANARY_CARRIES_ALL, False)
    world.endpoints = {V1: UP, V2: UP}
    world.look(after=1)

    assert world.state.reason == Reason.PAUSED


def test_a_pause_whose_transition_is_not_known_says_what_it_said() -> None:
    """A status may have lost its transitions."""
    world = under_way()
    world.tell("pause")
    world.state = replace(world.state, transitions=(), reason=Reason.SUSPENDED)
    world.look(after=1)

    assert world.state.reason == Reason.SUSPENDED


def test_a_deletion_gives_everything_to_stable_first() -> None:
    """In the middle of an attempt all weight goes back, then the Rollout is finished."""
    world = under_way()
    decision = world.look(after=1, deleting=True)
    assert (world.weights(), decision.finished) == ((100, 0), False)
    decision = world.look(deleting=True)

    assert decision.finished


def test_a_deletion_leaves_the_weights_where_asked() -> None:
    """With onDelete Leave it is finished at once and nothing moves."""
    world = under_way(onDelete="Leave")
    decision = world.look(after=1, deleting=True)

    assert (world.weights(), decision.finished) == ((95, 5), True)


def test_a_deletion_during_an_abort_waits_for_the_abort() -> None:
    """Weights that are on their way back come back first, also with Leave."""
    world = under_way()
    world.lost = True
    world.tell("abort")
    world.lost = False
    assert not world.look(after=1, deleting=True).finished
    decision = world.look(deleting=True)

    assert (decision.finished, world.state.phase, world.weights()) == (True, Phase.ABORTED, (100, 0))


def test_a_deletion_gives_up_after_a_minute() -> None:
    """Weights that cannot be written keep nothing from being deleted for longer than 60 s."""
    world = under_way()
    world.lost = True
    world.look(after=1, deleting=True)
    assert not world.look(after=60, deleting=True).finished
    decision = world.look(after=1, deleting=True, write_problem="the API server is away.")

    assert (decision.finished, decision.writes) == (True, ())
    assert [(made.phase, made.reason) for made in decision.transitions] == [(Phase.ABORTED, Reason.GAVE_UP)]
    assert world.state.message == (
        "Deleted without putting the weights back, which took over 60 s (the API server is away); "
        f"the first rule says {V1} 95, {V2} 5."
    )


def test_a_deletion_that_gave_up_says_so_once() -> None:
    """Where the Rollout cannot be taken away yet, it is finished still, and nothing is told again."""
    world = under_way()
    world.lost = True
    world.look(after=1, deleting=True)
    world.look(after=61, deleting=True)
    decision = world.look(after=1, deleting=True)

    assert (decision.finished, decision.transitions, decision.writes) == (True, (), ())


def test_a_deletion_whose_route_is_gone_gives_up_at_once() -> None:
    """There is nothing to put back; it is told which route it was."""
    world = under_way()
    world.views[ROUTE] = None
    decision = world.look(after=1, deleting=True)

    assert decision.finished
    assert [made.reason for made in decision.transitions] == [Reason.INVALID, Reason.DELETING, Reason.GAVE_UP]
    assert str(ROUTE) in world.state.message


def test_a_suspended_rollout_can_be_deleted() -> None:
    """Suspended means that nothing is written, so a deletion leaves the weights and is done."""
    world = under_way()
    world.wanted = rollout(suspend=True)
    decision = world.look(after=1, deleting=True)

    assert (decision.finished, decision.writes, world.weights()) == (True, (), (95, 5))


@pytest.mark.parametrize("make", [at_rest, aborted])
def test_a_deletion_at_rest_is_done_at_once(make: type[World]) -> None:
    """Without an attempt there is nothing to wait for."""
    assert make().look(after=1, deleting=True).finished


def test_an_invalid_rollout_can_be_deleted() -> None:
    """The weights go back by what the status says."""
    world = under_way()
    world.wanted = None
    world.look(after=1, problems=NO_POLICY)
    world.look(after=1, problems=NO_POLICY, deleting=True)

    assert world.weights() == (100, 0)
    assert world.look(problems=NO_POLICY, deleting=True).finished


def test_a_deleted_rollout_is_not_started() -> None:
    """A new revision in the last moment changes nothing."""
    world = at_rest()
    world.wanted = _wanting(revision="2")

    assert decide(world.wanted, world.state, seen(deleting=True)).writes == ()
    assert world.views[ROUTE] is not None
