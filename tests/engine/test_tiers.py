"""Failover in a pass: what it moves, and what it does to an attempt, a drift, an invalid spec and a lost status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rollout.engine.decide import wants
from rollout.engine.observation import UNKNOWN_ENDPOINTS, Acceptance, Endpoints, RouteKey
from rollout.engine.outlook import outlook
from rollout.engine.reasons import Reason, Refusal
from rollout.engine.state import Condition, Failing, State
from rollout.engine.status import from_status, to_status
from rollout.engine.table import Phase
from rollout.engine.tiers import asked_for, in_force, is_frozen
from rollout.failover.reasons import Reason as Why
from rollout.failover.table import Stage
from rollout.spec.resource import Rollout
from tests.engine.builders import ERRORS_ONLY, ROUTE, batch, command, rollout, route, rule, weighing
from tests.engine.tiered import BACKENDS, DOWN, DR, UP, V1, V2, Backed, at_home, away, backed, tiers

STEPS = [{"weight": 25, "hold": "5m"}, {"weight": 50, "hold": "5m"}]


def _condition(world: Backed, kind: str) -> Condition:
    return next(condition for condition in world.state.conditions if condition.type == kind)


def _in_step(failover: Mapping[str, object] | None = None, **spec: object) -> Backed:
    """Return a world in step 1, the canary at 25 %."""
    world = at_home(wanted=backed(failover, steps=STEPS, revision="1", **spec))
    world.wanted = backed(failover, steps=STEPS, revision="2", **spec)
    world.look(after=1)
    world.look(after=1)
    assert world.weights() == (75, 25, 0)
    return world


# What moves


def test_the_backup_gets_all_at_once() -> None:
    """One urgent write in the pass that sees the last endpoint go, and none after it."""
    world = at_home()
    world.endpoints[V1] = DOWN
    decision = world.look(after=1)

    assert (world.weights(), decision.urgent, decision.significant) == ((0, 0, 100), True, True)
    assert [world.look(after=1).writes for _ in range(5)] == [()] * 5


def test_the_move_is_a_numbered_transition_with_its_cause() -> None:
    """It says where failover stands, and the sentence has the evidence."""
    made = away().state.transitions[-1]

    assert (made.failover, made.phase, made.reason) == (Failing(Stage.FAILED_OVER, DR, 1), Phase.IDLE, "FailedOver")
    assert dict(made.weights) == {V1: 0, V2: 0, DR: 100}
    assert "0 of 2 ready" in made.message


def test_what_is_told_on_the_way_has_the_weights_of_its_moment() -> None:
    """The suspicion comes before the move, in the same pass."""
    made = away().state.transitions[-2]

    assert (made.failover, made.reason) == (Failing(Stage.CONFIRMING, "", 0), Why.PRIMARY_DOWN)
    assert dict(made.weights) == {V1: 100, V2: 0, DR: 0}


def test_it_goes_back_in_steps() -> None:
    """After its time of health, with the weights of each step."""
    world = away()
    world.endpoints[V1] = UP
    world.pass_time(62)
    half = world.weights()
    world.pass_time(12)
    back = world.weights()
    world.pass_time(12)

    assert (half, back, world.stage) == ((50, 0, 50), (100, 0, 0), Stage.NORMAL)
    assert world.state.reason == Why.FAILED_BACK
    assert "away" in world.state.message


def test_a_restart_in_the_middle_of_failback_goes_on_at_that_step() -> None:
    """The weights stay, and the rest of the way follows."""
    world = away()
    world.endpoints[V1] = UP
    world.pass_time(62)
    world.restart()
    world.look(after=1)
    after = world.weights(), world.stage
    world.pass_time(30)

    assert after == ((50, 0, 50), Stage.FAILING_BACK)
    assert (world.weights(), world.stage) == ((100, 0, 0), Stage.NORMAL)


def test_nothing_moves_while_nobody_looks() -> None:
    """Without what failover sees it decides nothing."""
    world = at_home()
    world.endpoints[V1] = DOWN
    world.look(after=1, failover=None)

    assert (world.weights(), world.stage) == ((100, 0, 0), Stage.NORMAL)


def test_nothing_moves_to_what_nobody_knows() -> None:
    """A backup that was not seen gets nothing; that is told once, as a transition and a condition."""
    world = at_home()
    world.endpoints |= {V1: DOWN, DR: UNKNOWN_ENDPOINTS}
    world.look(after=1)
    world.look(after=1)
    told = [made.reason for made in world.state.transitions]

    assert world.weights() == (100, 0, 0)
    assert told.count(Why.NO_HEALTHY_BACKUP) == 1
    assert _condition(world, "FailoverReady").reason == Why.NO_HEALTHY_BACKUP


def test_a_suspended_rollout_writes_nothing() -> None:
    """Also not for a failover, and it says so."""
    world = at_home()
    world.wanted = backed(suspend=True)
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert world.weights() == (100, 0, 0)
    assert _condition(world, "FailoverReady").reason == Why.SUSPENDED


def test_a_move_does_not_wait_for_the_least_time_between_writes() -> None:
    """A backup at the floor makes it a change without a zero, and it goes at once all the same."""
    world = Backed(wanted=backed(gateway={"separateClusters": True, "minWriteInterval": "60s"}))
    world.look()
    world.look(after=1)
    rest = world.weights()
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert rest == (999_999, 0, 1)
    assert world.weights() == (1, 0, 999_999)


def test_a_primary_that_is_up_again_stands_at_the_floor() -> None:
    """Where a gateway keeps one cluster for each backend: it may soon get traffic."""
    world = away(wanted=backed(gateway={"separateClusters": True}))
    world.endpoints[V1] = UP
    world.look(after=1)
    world.look(after=2)

    assert world.weights() == (1, 0, 999_999)


def test_a_backup_that_nobody_sees_for_a_while_stays_at_the_floor() -> None:
    """Not knowing is no reason to write; knowing that it is down is."""
    world = at_home(wanted=backed(gateway={"separateClusters": True}))
    world.endpoints[DR] = UNKNOWN_ENDPOINTS
    world.look(after=2)
    unseen = world.weights()
    world.endpoints[DR] = DOWN
    world.look(after=2)

    assert (unseen, world.weights()) == ((999_999, 0, 1), (1_000_000, 0, 0))


def test_deletion_leaves_the_weights_on_the_backup() -> None:
    """Failed over, they stay, and nothing holds the deletion up."""
    world = away()
    decision = world.look(after=1, deleting=True)

    assert (decision.finished, decision.writes, world.weights()) == (True, (), (0, 0, 100))


def test_health_is_what_failover_sees() -> None:
    """With all its signals, not with endpoints alone."""
    assert dict(away().state.ready) == {V1: "Unhealthy", V2: "Healthy", DR: "Healthy"}


# The attempt


def test_an_attempt_stands_still_and_goes_on_afterwards() -> None:
    """At the step it was in, its hold time counted up to the failure."""
    world = _in_step()
    world.pass_time(60)
    world.endpoints[V1] = DOWN
    world.look(after=1)
    away_at = world.weights(), world.state.step, world.state.hold.since
    world.endpoints[V1] = UP
    world.pass_time(100)
    held = world.state.hold.at(world.now)

    assert away_at == ((0, 0, 100), 1, None)
    assert (world.stage, world.state.phase, world.state.step) == (Stage.NORMAL, Phase.PROGRESSING, 1)
    assert world.weights() == (75, 25, 0)
    assert 60 < held < 100


def test_while_traffic_is_away_the_status_says_why() -> None:
    """The attempt's own words come back with it."""
    world = _in_step()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.look(after=1)
    seen = outlook(world.wanted, world.state, world.observation())

    assert world.state.reason == Why.ON_BACKUP
    assert [missing.reason for missing in seen.missing] == [Why.ON_BACKUP]


def test_nothing_is_judged_while_traffic_is_away() -> None:
    """What the backends do meanwhile is no evidence, and evidence begins anew afterwards."""
    world = _in_step(analysis=ERRORS_ONLY)
    world.look(after=10, batch=batch((world.now, 0, 0), (world.now + 10, 1000, 300)))
    before = world.state.judge
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.look(after=10, batch=batch((world.now - 10, 0, 0), (world.now, 0, 5000), bad=5000))
    frozen = world.state
    world.endpoints[V1] = UP
    world.pass_time(100)
    after = world.state.judge

    assert before is not None
    assert frozen.judge is not None
    assert frozen.judge.last_tick_at == before.last_tick_at
    assert frozen.phase is Phase.PROGRESSING
    assert after is not None
    assert after.began_at > before.began_at


def test_nothing_is_measured_while_traffic_is_away() -> None:
    """A source has nothing to say of it."""
    world = _in_step(analysis=ERRORS_ONLY)
    before = wants(world.wanted, world.state, world.observation()).measurement
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert before
    assert not wants(world.wanted, world.state, world.observation()).measurement


def test_no_attempt_starts_while_failover_is_not_normal() -> None:
    """A new revision waits for the end of it, and then starts."""
    world = away(wanted=backed(steps=STEPS, revision="1"))
    world.wanted = backed(steps=STEPS, revision="2")
    world.pass_time(10)
    meanwhile = world.state.attempt
    world.endpoints[V1] = UP
    world.pass_time(100)

    assert (meanwhile, world.state.attempt, world.state.revision) == (0, 1, "2")


@pytest.mark.parametrize("action", ["start", "promote", "skip"])
def test_what_moves_an_attempt_is_refused_meanwhile(action: str) -> None:
    """With where failover stands."""
    world = _in_step()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.tell(action, **({"revision": "3"} if action == "start" else {}))
    handled = world.state.handled[-1]

    assert (handled.done, handled.reason) == (False, Refusal.FAILED_OVER)
    assert handled.message == f"{action} is refused until failover is Normal; it is FailedOver"


def test_a_lost_canary_aborts_also_meanwhile() -> None:
    """Nothing is moved by that, since the backup has the traffic."""
    world = _in_step()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.endpoints[V2] = DOWN
    decision = world.look(after=1)

    assert (world.state.phase, world.state.share, decision.writes) == (Phase.ABORTED, 0.0, ())
    assert world.weights() == (0, 0, 100)


def test_a_lost_canary_alone_is_no_failover() -> None:
    """The attempt is aborted at once, and tier 0 keeps its traffic."""
    world = _in_step()
    world.endpoints[V2] = DOWN
    world.look(after=1)

    assert (world.weights(), world.stage) == ((100, 0, 0), Stage.NORMAL)


def test_without_a_healthy_backup_the_canary_carries_all() -> None:
    """That is what the status says, and the attempt stands still."""
    world = _in_step()
    world.endpoints |= {V1: DOWN, DR: DOWN}
    world.look(after=1)
    world.look(after=1)

    assert (world.weights(), world.state.reason) == ((75, 25, 0), Reason.CANARY_CARRIES_ALL)
    assert "no backup is healthy" in world.state.message


def test_a_person_may_abort_into_a_stable_that_is_down() -> None:
    """Where no backup is healthy either, it is obeyed."""
    world = _in_step()
    world.endpoints |= {V1: DOWN, DR: DOWN}
    world.look(after=1)
    world.tell("abort")

    assert world.weights() == (100, 0, 0)


def test_a_blip_of_the_primary_keeps_the_evidence() -> None:
    """Nothing was moved, so nothing begins anew."""
    world = _in_step({"confirmFor": "30s"}, analysis=ERRORS_ONLY)
    began = world.state.judge
    world.endpoints[V1] = DOWN
    world.look(after=1)
    confirming = world.stage
    world.endpoints[V1] = UP
    world.look(after=1)

    assert (confirming, world.stage) == (Stage.CONFIRMING, Stage.NORMAL)
    assert began is not None
    assert world.state.judge is not None
    assert world.state.judge.began_at == began.began_at


# Foreign hands


def test_weights_are_put_back_for_ever_while_traffic_is_away() -> None:
    """With growing gaps, and the conflict stands as a condition."""
    world = away()
    gaps, last = [], world.now
    for _ in range(6):
        world.meddle(100, 0, by="argocd")
        while world.weights()[0] == 100:
            world.look(after=0.5)
        gaps.append(world.now - last)
        last = world.now

    assert world.state.phase is Phase.IDLE
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 8
    assert _condition(world, "OwnershipConflict").status == "True"


def test_hands_that_were_kept_off_are_laid_on_again_by_a_failover() -> None:
    """What was left to somebody else is written over when the primary is down."""
    world = at_home()
    for _ in range(5):
        world.meddle(60, 40, by="argocd")
        world.look(after=2)
        world.look(after=2)
    left = world.weights(), world.state.drift.hands_off
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert left == ((60, 40, 0), True)
    assert world.weights() == (0, 0, 100)


# People


def test_a_person_fails_over_and_back_by_number() -> None:
    """An old number is refused, the present one is obeyed."""
    world = at_home()
    world.tell("failover", to=DR)
    over = world.weights(), world.state.handled[-1].done
    world.tell("failback", epoch=7)
    refused = world.state.handled[-1]
    world.tell("failback", epoch=1)

    assert over == ((0, 0, 100), True)
    assert (refused.done, refused.reason) == (False, "OldNumber")
    assert (world.weights(), world.stage) == ((50, 0, 50), Stage.FAILING_BACK)


def test_a_proposal_is_approved_by_its_number() -> None:
    """An approval of a step is another thing."""
    world = at_home(wanted=backed({"mode": "Propose"}))
    world.endpoints[V1] = DOWN
    world.look(after=1)
    proposed = world.weights()
    world.tell("approve", epoch=1)
    world.look(after=1)

    assert (proposed, world.weights()) == ((100, 0, 0), (0, 0, 100))


def test_hold_and_unlatch() -> None:
    """Nothing moves between them."""
    world = at_home()
    world.tell("hold")
    world.endpoints[V1] = DOWN
    world.pass_time(5)
    held = world.weights(), world.stage
    world.tell("unlatch")
    world.look(after=1)

    assert held == ((100, 0, 0), Stage.LATCHED)
    assert world.weights() == (0, 0, 100)


def test_a_command_waits_for_the_first_looks_after_a_start() -> None:
    """Nobody knows the backup yet; later that is a refusal."""
    world = at_home()
    world.endpoints[DR] = UNKNOWN_ENDPOINTS
    world.tell("failover")
    refused = world.state.handled[-1]
    fresh = at_home()
    fresh.endpoints[DR] = UNKNOWN_ENDPOINTS
    fresh.look(command=command("failover", at=fresh.now, id="first"), session_started_at=fresh.now)

    assert (refused.done, refused.reason) == (False, "BackupNotHealthy")
    assert fresh.state.handled == ()


def test_a_command_waits_while_nobody_looks() -> None:
    """What failover sees comes with the next pass."""
    world = at_home()
    world.look(command=command("failover", at=world.now, id="first"), failover=None)

    assert world.state.handled == ()


def test_the_master_switch_is_loud() -> None:
    """Nothing moves, and the condition says who stopped it."""
    world = at_home(failover={"stopped": "Failover is stopped by alice."})
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert world.weights() == (100, 0, 0)
    assert _condition(world, "FailoverReady").message == "Failover is stopped by alice."


# Conditions


def test_conditions_of_failover_are_there_where_it_is() -> None:
    """A Rollout without one has none of them."""
    plain = Backed(wanted=rollout(backends=BACKENDS))
    plain.look()
    kinds = {condition.type for condition in plain.state.conditions}

    assert not kinds & {"FailedOver", "FailoverReady"}
    assert _condition(at_home(), "FailoverReady").status == "True"
    assert _condition(at_home(), "FailedOver").status == "False"
    assert _condition(away(), "FailedOver").status == "True"


def test_a_signal_that_cannot_be_had_is_named() -> None:
    """By the sentence of the source."""
    world = at_home(failover={"problems": ("metrics: Prometheus did not answer.",)})
    found = _condition(world, "FailoverReady")

    assert (found.status, found.reason) == ("False", "SignalUnavailable")
    assert found.message == "metrics: Prometheus did not answer."


def test_a_gateway_that_does_not_follow_is_named() -> None:
    """After the time that it has for it; nothing is written again."""
    world = away()
    world.accept(Acceptance.PENDING)
    decisions = [world.look(after=1) for _ in range(15)]

    assert _condition(world, "FailoverReady").reason == Why.INEFFECTIVE
    assert all(decision.writes == () for decision in decisions)


def test_a_gateway_that_says_nothing_is_not_asked() -> None:
    """Where route status is not looked at."""
    world = away(wanted=backed(gateway={"verifyRouteStatus": False}))
    world.accept(Acceptance.PENDING)
    world.pass_time(15)

    assert _condition(world, "FailoverReady").status == "True"


def test_unknown_roles_are_no_failover() -> None:
    """Nobody knows which backend is the primary."""
    world = Backed()
    world.views = {ROUTE: tiers(50, 50, 0)}
    world.look()
    world.endpoints[V1] = DOWN
    world.look(after=1)

    assert (world.state.phase, world.weights()) == (Phase.PAUSED, (50, 50, 0))
    assert _condition(world, "FailoverReady").reason == Reason.ROLES_UNKNOWN


# Settings


def test_an_invalid_rollout_fails_over_by_the_last_valid_settings() -> None:
    """And back; nothing else is written."""
    world = at_home()
    world.wanted = None
    world.look(after=1, problems=("the policy is missing",))
    world.endpoints[V1] = DOWN
    world.look(after=1, problems=("the policy is missing",))
    over = world.weights()
    world.endpoints[V1] = UP
    for _ in range(100):
        world.look(after=1, problems=("the policy is missing",))

    assert over == (0, 0, 100)
    assert (world.weights(), world.state.phase, world.stage) == ((100, 0, 0), Phase.INVALID, Stage.NORMAL)


def test_foreign_hands_are_left_alone_in_an_invalid_rollout_at_home() -> None:
    """Only what failover moves is written."""
    world = at_home()
    world.wanted = None
    world.look(after=1, problems=("the policy is missing",))
    world.meddle(60, 40)
    world.look(after=1, problems=("the policy is missing",))

    assert world.weights() == (60, 40, 0)


OTHER = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": "checkout-far"}]}


@pytest.mark.parametrize("wanted", [rollout(backends=BACKENDS), backed(backends=OTHER)], ids=["failover", "backup"])
def test_what_has_the_traffic_cannot_be_taken_away(wanted: Rollout) -> None:
    """The Rollout is invalid meanwhile, and goes back all the same."""
    world = away()
    world.wanted = wanted
    world.look(after=1)
    invalid = world.state.phase, world.state.message
    world.endpoints[V1] = UP
    world.pass_time(100)

    assert invalid[0] is Phase.INVALID
    assert "fail back first" in invalid[1]
    assert (world.stage, world.weights()) == (Stage.NORMAL, (100, 0, 0))


def test_without_failover_its_standby_weight_goes() -> None:
    """A spec without it has no backup any more; the number of the last failover stays."""
    world = at_home(wanted=backed({"standbyWeight": 1}))
    world.pass_time(62)
    stands = world.weights()
    world.wanted = rollout(backends=BACKENDS)
    world.look(after=2)
    world.look(after=2)

    assert stands == (99, 0, 1)
    assert world.weights() == (100, 0, 0)
    assert world.state.tiers is None


def test_each_backup_must_be_in_each_rule() -> None:
    """Else a move to it would lose what it should have."""
    world = Backed(views={ROUTE: weighing(100, 0)})
    world.look()

    assert world.state.phase is Phase.INVALID
    assert f"does not name backend {DR}" in world.state.message


# Lost status


def test_traffic_that_is_found_on_a_backup_is_taken_as_failed_over() -> None:
    """Where attempts can have changed the roles, only a person sends it back."""
    world = Backed(views={ROUTE: tiers(0, 0, 100)})
    world.look()
    found = world.state.failover
    world.pass_time(100)
    waits = world.weights()
    world.tell("failback", epoch=1)

    assert (found.stage, found.active, world.state.stable) == (Stage.FAILED_OVER, DR, V1)
    assert waits == (0, 0, 100)
    assert world.weights() == (50, 0, 50)


def test_without_steps_it_goes_back_by_itself() -> None:
    """No attempt can have changed the roles."""
    bare = backed()
    wanted = bare.model_copy(update={"spec": bare.spec.model_copy(update={"steps": ()})})
    world = Backed(wanted=wanted, views={ROUTE: tiers(0, 0, 100)})
    world.look()
    world.pass_time(100)

    assert (world.weights(), world.stage) == ((100, 0, 0), Stage.NORMAL)


def test_a_standby_weight_is_known_again() -> None:
    """It is no mixture of which nobody knows the roles; one that is another is."""
    wanted = backed({"standbyWeight": 1})
    known = Backed(wanted=wanted, views={ROUTE: tiers(99, 0, 1)})
    known.look()
    mixed = Backed(wanted=wanted, views={ROUTE: tiers(90, 0, 10)})
    mixed.look()

    assert (known.state.stable, known.state.failover.standby, known.weights()) == (V1, True, (99, 0, 1))
    assert mixed.state.reason == Reason.ROLES_UNKNOWN


def test_floors_are_no_weight_when_roles_are_read() -> None:
    """One of a million."""
    world = Backed(wanted=backed(gateway={"separateClusters": True}), views={ROUTE: tiers(1, 1, 999_998)})
    world.look()

    assert (world.state.failover.active, world.state.stable) == (DR, V1)


def test_paused_for_unknown_roles_it_is_found_on_the_backup_later() -> None:
    """The pause ends with that."""
    world = Backed(views={ROUTE: tiers(50, 0, 50)})
    world.look()
    paused = world.state.phase
    world.views = {ROUTE: tiers(0, 0, 100, version="7")}
    world.look(after=1)

    assert (paused, world.state.phase, world.stage) == (Phase.PAUSED, Phase.IDLE, Stage.FAILED_OVER)


def test_the_status_keeps_it_all() -> None:
    """Written and read, nothing is lost; what cannot be read is no status."""
    world = away()
    status = to_status(world.state)

    assert from_status(status) == world.state
    assert from_status({**status, "failover": {"phase": "Flying"}}) is None
    assert from_status({name: told for name, told in status.items() if name != "failover"}) is not None
    assert State().failover.is_normal


def test_which_failover_counts() -> None:
    """The spec's; the last valid one while the spec is invalid, or would let go of what has the traffic."""
    over, home = away().state, at_home().state
    plain = rollout(backends=BACKENDS).spec
    other = backed({"confirmFor": "9s"}).spec

    assert in_force(other, over) == asked_for(other) != over.tiers
    assert in_force(None, over) == in_force(plain, over) == over.tiers
    assert in_force(plain, home) is None


# Without a canary


def _alone(weights: Mapping[str, int]) -> Backed:
    """Return a world of a primary and its backup, and nothing that is tried."""
    pair: dict[str, object] = {"stable": {"name": V1}, "backups": [{"name": DR}]}
    wanted = backed(backends=pair, steps=None, revision=None)
    return Backed(wanted=wanted, views={ROUTE: route(rule(weights))}, endpoints={V1: UP, DR: UP})


def test_a_rollout_without_a_canary_fails_over_and_back() -> None:
    """A primary and its backup are enough."""
    world = _alone({V1: 100, DR: 0})
    world.look()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    over = world.weights()
    world.endpoints[V1] = UP
    world.pass_time(100)

    assert (over, world.weights(), world.stage) == ((0, 100), (100, 0), Stage.NORMAL)
    assert from_status(to_status(world.state)) == world.state


def test_without_a_canary_there_are_no_attempts() -> None:
    """Also where a policy has steps."""
    world = _alone({V1: 100, DR: 0})
    world.look()
    world.tell("start", revision="2")
    handled = world.state.handled[-1]

    assert (handled.done, handled.reason) == (False, Refusal.NO_STEPS)


def test_without_a_canary_its_rules_are_those_that_name_all() -> None:
    """One that lacks the backup is not meant."""
    world = _alone({V1: 100})
    world.look()

    assert world.state.phase is Phase.INVALID
    assert f"has no rule that names both {V1} and {DR}" in world.state.message


def test_without_a_canary_only_stable_can_be_adopted() -> None:
    """Nothing else has a role to give."""
    world = _alone({V1: 50, DR: 50})
    world.look()
    world.tell("adopt", stable="")
    refused = world.state.handled[-1]
    world.tell("adopt", stable=V1)

    assert (refused.done, refused.message) == (False, f"stable must be one of {V1}")
    assert (world.state.stable, world.state.canary, world.weights()) == (V1, "", (100, 0))


def test_a_canary_may_come_later() -> None:
    """It gets its role, and nothing moves."""
    world = _alone({V1: 100, V2: 0, DR: 0})
    world.look()
    world.wanted = backed()
    world.endpoints[V2] = UP
    world.look(after=1)

    assert (world.state.stable, world.state.canary, world.weights()) == (V1, V2, (100, 0, 0))


def test_a_status_that_is_older_than_a_failover_is_taken_for_one() -> None:
    """We wrote the weights after all that it tells of; its number goes on from the one that it knows."""
    world = at_home()
    world.tell("failover")
    world.endpoints[V1] = UP
    world.pass_time(1)
    world.tell("failback", epoch=1)
    world.pass_time(40)
    world.restart()
    began = world.now + 100
    world.now = began
    world.views[ROUTE] = replace(tiers(0, 0, 100, version="9"), written_at=began - 10)
    world.look(session_started_at=began - 1)

    assert (world.stage, world.state.failover.active, world.state.failover.epoch) == (Stage.FAILED_OVER, DR, 2)
    assert world.weights() == (0, 0, 100)


def test_a_reason_of_failover_that_is_over_is_not_said_any_more() -> None:
    """At rest the status says how it is now."""
    world = at_home()
    world.endpoints[V1] = UNKNOWN_ENDPOINTS
    world.look(after=1)
    blind = world.state.reason
    world.endpoints[V1] = UP
    world.look(after=1)

    assert (blind, world.state.reason) == (Why.BLIND, Why.WATCHING)


# What comes late, in part, or in the wrong moment


WEB = RouteKey("HTTPRoute", "shop", "web")


def _two_routes() -> Backed:
    names = [{"kind": "HTTPRoute", "name": "checkout"}, {"kind": "HTTPRoute", "name": "web"}]
    views = {ROUTE: tiers(100, 0, 0), WEB: replace(tiers(100, 0, 0), key=WEB)}
    return at_home(wanted=backed(routes=names), views=views)


def test_what_was_decided_is_not_written_onto_a_backup_that_is_down_by_now() -> None:
    """Recorded, refused by the gateway, and looked at again an hour later: the primary is up, the backup is not."""
    world = at_home()
    world.endpoints[V1] = DOWN
    world.lost = True
    world.look(after=1)
    world.lost = False
    world.restart()
    world.endpoints |= {V1: UP, DR: DOWN}
    world.look(after=3600)
    world.pass_time(5)

    assert (world.weights(), world.stage) == ((100, 0, 0), Stage.NORMAL)


@pytest.mark.parametrize("known", [UNKNOWN_ENDPOINTS, DOWN])
def test_nothing_is_put_back_onto_a_backup_that_is_not_healthy(known: Endpoints) -> None:
    """A person moved the traffic off it."""
    world = away()
    world.endpoints[DR] = known
    world.meddle(100, 0, by="kubectl")
    world.views[ROUTE] = tiers(100, 0, 0, version="9")
    world.pass_time(30)

    assert world.weights() == (100, 0, 0)


def test_a_write_that_waits_for_health_says_so() -> None:
    """In the status and in both conditions, and it goes once the backup is known again."""
    world = away()
    world.endpoints[DR] = UNKNOWN_ENDPOINTS
    world.views[ROUTE] = tiers(100, 0, 0, version="9")
    world.look(after=1)
    world.look(after=1)
    waits = world.state.reason, _condition(world, "FailedOver").status, _condition(world, "FailoverReady").reason
    world.endpoints[DR] = UP
    world.pass_time(5)

    assert waits == (Why.WAITING_FOR_HEALTH, "Unknown", Why.WAITING_FOR_HEALTH)
    assert world.weights() == (0, 0, 100)


def test_nothing_is_put_back_while_nobody_looks() -> None:
    """Not onto a backup, and not onto the primary."""
    world = away()
    world.views[ROUTE] = tiers(100, 0, 0, version="9")
    world.look(after=1, failover=None)

    assert world.weights() == (100, 0, 0)


def test_equal_shares_of_what_is_all_down_are_written() -> None:
    """That is what allUnhealthy asks."""
    world = at_home(wanted=backed({"allUnhealthy": "Spread"}))
    world.endpoints |= {V1: DOWN, DR: DOWN}
    world.look(after=1)
    world.look(after=1)

    assert world.weights() == (50, 0, 50)


def test_a_write_that_is_refused_is_told_of() -> None:
    """Nobody reads that the traffic is on the backup while it is not."""
    world = at_home()
    world.endpoints[V1] = DOWN
    world.lost = True
    world.look(after=1)
    world.look(after=1, write_problem="HTTPRoute shop/checkout: refused by a webhook")
    told = _condition(world, "FailedOver")

    assert (told.status, told.reason) == ("Unknown", Reason.WAITING_FOR_WRITE)
    assert "refused by a webhook" in world.state.message
    assert _condition(world, "FailoverReady").reason == Reason.WAITING_FOR_WRITE


def test_of_two_routes_the_one_that_did_not_land_is_written_also_while_invalid() -> None:
    """The way back of a failover is finished by the last valid settings."""
    world = _two_routes()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.wanted = None
    world.look(after=1, problems=("the policy is missing",))
    world.endpoints |= {V1: UP, DR: DOWN}
    world.lost = True
    decision = world.look(after=1, problems=("the policy is missing",))
    world.lost = False
    world.take(replace(decision, writes=decision.writes[:1]))
    world.look(after=2, problems=("the policy is missing",))

    assert len(decision.writes) == 2
    assert (world.weights(), world.weights(WEB)) == ((100, 0, 0), (100, 0, 0))


def test_the_gap_of_one_route_holds_up_no_other() -> None:
    """Somebody fights for one of them; the other is written at once."""
    world = _two_routes()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    for _ in range(5):
        world.views[ROUTE] = replace(tiers(100, 0, 0, version=f"{world.now}"[:7]), changed_by="argocd")
        while world.weights()[0]:
            world.look(after=1)
    world.endpoints[V1] = UP
    world.views[ROUTE] = replace(tiers(100, 0, 0, version="77"), changed_by="argocd")
    before = world.now
    while world.weights(WEB) == (0, 0, 100):
        world.look(after=1)

    assert world.now - before <= 62


def test_who_only_observes_stops_no_attempt() -> None:
    """Hold time runs, and a bad canary is taken back."""
    world = _in_step({"mode": "Observe"}, analysis=ERRORS_ONLY)
    world.failover = {"backends": {}}
    world.endpoints[DR] = DOWN
    world.look(after=1)

    assert world.stage is Stage.NORMAL
    assert not is_frozen(replace(world.state, failover=replace(world.state.failover, stage=Stage.CONFIRMING)))


def test_a_canary_is_judged_while_no_backup_can_take_over() -> None:
    """The attempt stands still, and a bad canary is still given up."""
    world = _in_step(analysis=ERRORS_ONLY)
    world.endpoints |= {DR: DOWN}
    world.readings.clear()
    world.look(after=1)
    world.state = replace(
        world.state, failover=replace(world.state.failover, stage=Stage.CONFIRMING, pressing_since=1.0)
    )

    assert is_frozen(world.state)
    assert wants(world.wanted, world.state, world.observation()).measurement


def test_a_revision_that_is_withdrawn_while_traffic_is_away_gets_nothing_on_the_way_back() -> None:
    """The attempt is given up as soon as stable can have the traffic."""
    world = _in_step()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.wanted = backed(steps=STEPS, revision="1")
    world.look(after=1)
    world.endpoints[V1] = UP
    seen = []
    for _ in range(120):
        world.look(after=1)
        seen.append(world.weights()[1])

    assert set(seen) == {0}
    assert (world.state.phase, world.weights()) == (Phase.ABORTED, (100, 0, 0))


def test_a_newer_revision_waits_at_its_beginning() -> None:
    """The attempt begins anew, and its first step comes after failback."""
    world = _in_step()
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.endpoints[V1] = UP
    world.wanted = backed(steps=STEPS, revision="3")
    world.look(after=1)
    waits = world.state.attempt, world.state.step, world.state.share
    world.pass_time(100)

    assert waits == (2, 0, 0.0)
    assert (world.state.step, world.weights()) == (1, (75, 25, 0))


def test_a_deadline_does_not_run_while_traffic_is_away() -> None:
    """The canary has its whole time afterwards."""
    world = at_home(wanted=backed(steps=STEPS, revision="1", progressDeadline="2m"))
    world.endpoints[V2] = DOWN
    world.wanted = backed(steps=STEPS, revision="2", progressDeadline="2m")
    world.look(after=1)
    world.endpoints[V1] = DOWN
    world.pass_time(600)
    world.endpoints[V1] = UP
    world.pass_time(100)

    assert (world.stage, world.state.phase) == (Stage.NORMAL, Phase.PROGRESSING)


def test_a_pair_cannot_be_renamed_while_traffic_is_away() -> None:
    """What is on its way back would stay where it is."""
    world = away()
    world.endpoints |= {V1: UP, "x1": UP, "x2": UP}
    world.pass_time(62)
    world.wanted = backed(backends={"stable": {"name": "x1"}, "canary": {"name": "x2"}, "backups": [{"name": DR}]})
    world.views[ROUTE] = route(rule({V1: 50, V2: 0, DR: 50, "x1": 0, "x2": 0}), version="9")
    world.look(after=1)

    assert (world.state.phase, world.state.stable) == (Phase.INVALID, V1)
    assert world.state.message.startswith(f"spec.backends: x1 and x2 cannot take the place of {V1} while failover is")


def test_a_small_share_is_no_tenth() -> None:
    """Totals that cannot say what failover names give way."""
    world = Backed(wanted=backed({"standbyWeight": 1}), views={ROUTE: tiers(10, 0, 0)})
    world.pass_time(62)

    assert world.weights() == (99, 0, 1)


def test_totals_of_spill_can_say_any_percentage() -> None:
    """And those of drills and ramps what they name."""
    drill = {"schedule": "0 10 * * 2", "percent": 3}
    for failover in ({"strategy": "Spill"}, {"drill": drill}, {"rampUp": [7, 100]}):
        world = Backed(wanted=backed(failover), views={ROUTE: tiers(10, 0, 0)})
        world.look()
        assert world.state.owned[0].total == 100


def test_nobody_could_take_over_from_the_primary() -> None:
    """That is told before it is needed; just after a start nobody knows yet, and traffic tests what metrics see."""
    world = at_home()
    world.endpoints[DR] = DOWN
    world.look(after=1)
    down = _condition(world, "FailoverReady")
    world.endpoints[DR] = UNKNOWN_ENDPOINTS
    world.look(after=1, session_started_at=world.now - 1)
    begun = _condition(world, "FailoverReady").status
    metrics = Backed(wanted=backed({"signals": {"endpoints": None, "metrics": {}}}), endpoints={V1: UP, V2: UP})
    metrics.look()

    assert (down.status, down.reason) == ("False", Why.NO_HEALTHY_BACKUP)
    assert begun == "True"


def test_held_is_not_ready() -> None:
    """A person ordered that nothing moves."""
    world = at_home()
    world.tell("hold")

    assert _condition(world, "FailoverReady").reason == Why.HELD


def test_numbers_and_answers_are_bounded() -> None:
    """What is sent as a number does not fill a status."""
    world = at_home()
    world.tell("failback", epoch=10**4000)
    world.tell("failback", epoch=-1)
    answers = [done.message for done in world.state.handled]

    assert answers == ["epoch of failback must be from 0 to 1000000000"] * 2


def test_a_failover_is_recorded_once() -> None:
    """Before its write; that the route shows it then is no news."""
    world = at_home()
    world.endpoints[V1] = DOWN
    first = world.look(after=1)
    later = [world.look(after=0.1).significant for _ in range(3)]

    assert first.significant
    assert later == [False, False, False]
