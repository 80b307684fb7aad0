"""Failover as the API tells it: where it stands, what each signal says, what is waited for and how long."""

from dataclasses import replace

import pytest

from rollout.api.failing import failover_of
from rollout.api.failover_models import FailoverView
from rollout.api.live import live_of
from rollout.controller.look import Look
from rollout.engine.moves import Context
from rollout.engine.observation import Command, Endpoints, FailoverSeen
from rollout.engine.outlook import outlook
from rollout.failover.seen import BackendSeen, Calendar
from rollout.failover.table import LEGAL, Stage
from rollout.ports import StoredRollout
from tests.api.world import WEB
from tests.engine.tiered import DOWN, DR, UP, V1, V2, Backed, at_home, away, backed

PROPOSE = backed({"mode": "Propose"})
MANUAL = backed({"failback": {"mode": "Manual", "stableFor": "10s"}})
SLOW = backed({"confirmFor": "20s"})
WITH_DRILL = backed({"drill": {"schedule": "0 10 * * 2", "percent": 10, "duration": "5m"}})


def look_at(world: Backed, *, is_leader: bool = True) -> Look:
    """Return a look at a world, as the controller has it, or another replica."""
    seen = world.observation()
    return Look(
        at=world.now,
        key=WEB,
        stored=StoredRollout(WEB, {}, {}, "7", 1),
        state=world.state,
        rollout=world.wanted,
        problems=(),
        endpoints=seen.endpoints,
        steps=Context.of(world.wanted, seen).steps,
        outlook=outlook(world.wanted, world.state, seen),
        is_new=False,
        failover=seen.failover if is_leader else None,
        session=seen.session_started_at,
    )


def told(world: Backed) -> FailoverView:
    """Return what is told of a world."""
    found = failover_of(look_at(world))
    assert found is not None
    return found


def confirming() -> Backed:
    """Return a world whose stable is down, which is being confirmed."""
    world = at_home(wanted=SLOW)
    world.endpoints[V1] = DOWN
    world.look(after=5)
    return world


def failing_back() -> Backed:
    """Return a world in the first step of failback."""
    world = away()
    world.endpoints[V1] = UP
    world.pass_time(65)
    assert world.stage is Stage.FAILING_BACK
    return world


def latched() -> Backed:
    """Return a world in which a person wants that nothing moves."""
    world = away()
    world.look(after=1, command=Command("hold-1", "hold", at=world.now))
    return world


def drilling() -> Backed:
    """Return a world with a drill under way."""
    world = at_home(wanted=WITH_DRILL)
    world.pass_time(120)
    world.look(after=1, command=Command("drill-1", "drill", at=world.now))
    return world


WORLDS = {
    Stage.NORMAL: at_home,
    Stage.CONFIRMING: confirming,
    Stage.FAILED_OVER: away,
    Stage.FAILING_BACK: failing_back,
    Stage.LATCHED: latched,
    Stage.DRILL: drilling,
}


@pytest.mark.parametrize("stage", Stage)
def test_every_stage_is_told(stage: Stage) -> None:
    """Phase, reason, sentence and the commands that are legal there stand in the answer."""
    world = WORLDS[stage]()
    found = told(world)

    assert (found.phase, found.reason) == (stage, world.state.failover.reason)
    assert found.message == world.state.failover.message
    assert found.commands == [action for action, stages in LEGAL.items() if stage in stages]


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        (Stage.CONFIRMING, 20.0),
        (Stage.FAILED_OVER, None),
        (Stage.FAILING_BACK, 10.0),
        (Stage.LATCHED, None),
        (Stage.DRILL, 300.0),
    ],
)
def test_what_is_waited_for_is_told_with_its_time(stage: Stage, seconds: float | None) -> None:
    """The reason that keeps it there is waited for; its end is told where it can be foreseen."""
    world = WORLDS[stage]()
    found = told(world)
    (missing,) = found.missing

    assert (missing.reason, missing.message) == (found.reason, found.message)
    assert missing.seconds is None if seconds is None else 0 < (missing.seconds or 0) <= seconds


def test_a_partial_loss_is_waited_out_for_longer() -> None:
    """Spill moves a part only after it has been missing for ``holdOff``."""
    world = at_home(wanted=backed({"strategy": "Spill", "holdOff": "30s"}))
    world.endpoints[V1] = Endpoints(ready=1, total=2)
    world.look(after=5)
    (missing,) = told(world).missing

    assert (missing.reason, missing.seconds) == ("PrimaryPartlyDown", 30)


def test_a_recent_move_is_waited_out() -> None:
    """Failback does not begin before the cooldown is over."""
    world = away(wanted=backed({"damping": {"cooldown": "5m"}}))
    world.endpoints[V1] = UP
    world.pass_time(70)
    (missing,) = told(world).missing

    assert missing.reason == "CoolingDown"
    assert missing.seconds == pytest.approx(300 - 70, abs=3)


def test_at_home_nothing_is_waited_for() -> None:
    """All to the primary is where failover wants to be."""
    found = told(at_home())

    assert (found.missing, found.active, found.away_since, found.journey) == ([], "", None, None)
    assert found.ready


def test_the_countdown_to_failback_is_told() -> None:
    """Once the primary is healthy again, the rest of its time of health is waited for."""
    world = away()
    world.endpoints[V1] = UP
    world.pass_time(20)
    (missing,) = told(world).missing

    assert missing.reason == "WaitingForStableHealth"
    assert missing.seconds == pytest.approx(40, abs=2)


def test_backends_are_told_in_order_with_their_signals() -> None:
    """Each has its role, its share, and of each signal health, since, evidence and age."""
    world = away()
    world.look(after=3)
    found = told(world).backends
    down = found[V1].signals[0]

    assert [(name, each.role, each.health, each.share) for name, each in found.items()] == [
        (V1, "stable", "Unhealthy", 0),
        (V2, "canary", "Healthy", None),
        (DR, "backup", "Healthy", 100),
    ]
    assert (down.signal, down.health, down.evidence) == ("endpoints", "Unhealthy", "0 of 2 ready")
    assert down.since < world.now
    assert down.age_seconds == 0


def test_evidence_that_is_too_old_is_unknown() -> None:
    """What is told is what counts now, with how old it is."""
    world = away()
    look = look_at(world)
    found = failover_of(replace(look, at=look.at + 60))
    assert found is not None
    signal = found.backends[DR].signals[0]

    assert (found.backends[DR].health, signal.health, signal.age_seconds) == ("Unknown", "Unknown", 60)


def test_a_replica_that_does_not_look_tells_the_rest() -> None:
    """Where another one looks there are no signals, and all else is as recorded."""
    found = failover_of(look_at(away(), is_leader=False))
    assert found is not None

    assert (found.phase, found.active, found.epoch) == ("FailedOver", DR, 1)
    assert {name: (each.health, each.signals) for name, each in found.backends.items()} == {
        name: ("Unknown", []) for name in (V1, V2, DR)
    }


def test_failback_tells_where_it_is_on_its_way() -> None:
    """The target, the step and all steps stand beside the countdown."""
    journey = told(failing_back()).journey
    assert journey is not None

    assert (journey.back, journey.target, journey.step, journey.steps) == (True, V1, 1, [50, 100])


def test_a_cold_backup_tells_its_ramp() -> None:
    """On the way to a cold backup the target is the backup."""
    world = at_home(wanted=backed({"rampUp": [50, 100]}))
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.look(after=1)
    journey = told(world).journey
    assert journey is not None

    assert (journey.back, journey.target, journey.step, journey.steps) == (False, DR, 1, [50, 100])


def test_a_proposal_is_told_with_its_number() -> None:
    """Who approves must name it."""
    world = at_home(wanted=PROPOSE)
    world.endpoints[V1] = DOWN
    world.look(after=1)
    world.look(after=1)
    found = told(world)

    assert (found.proposed, found.epoch, found.mode, found.missing[0].seconds) == (True, 1, "Propose", None)


def test_failovers_are_counted_against_the_limit() -> None:
    """How many of how many, and over which time."""
    damping = told(away()).damping

    assert (damping.counted, damping.most, damping.per_seconds) == (1, 3, 600)


def test_a_drill_is_told_and_so_is_the_last_one() -> None:
    """While it runs its id stands there; afterwards its outcome."""
    world = drilling()
    during = told(world)
    world.pass_time(310, every=10)
    after = told(world)

    assert (during.drilling, during.last_drill) == ("by hand", None)
    assert (after.drilling, after.last_drill.result if after.last_drill else None) == (None, "SUCCEEDED")


def test_the_calendar_is_told() -> None:
    """The next drill, and when a window of failback opens."""
    look = look_at(at_home(wanted=WITH_DRILL))
    seen = FailoverSeen({V1: BackendSeen(V1)}, Calendar(next_drill_at=look.at + 3600))
    found = failover_of(replace(look, failover=seen))
    assert found is not None

    assert found.next_drill_at == look.at + 3600


def test_the_end_of_a_closed_window_is_told() -> None:
    """Outside its windows failback waits for the next one."""
    world = away(wanted=backed({"failback": {"stableFor": "10s", "windows": ["* 9-17 * * *"]}}))
    world.endpoints[V1] = UP
    world.failover["calendar"] = Calendar(window_opens_at=world.now + 3600)
    world.pass_time(15)
    (missing,) = told(world).missing

    assert missing.reason == "OutsideFailbackWindow"
    assert missing.seconds == pytest.approx(3600 - 15, abs=2)


def test_without_failover_nothing_is_told() -> None:
    """A Rollout that asks for none has none."""
    look = look_at(at_home())
    assert look.rollout is not None
    spec = look.rollout.spec.model_copy(update={"failover": None})
    without = replace(look, rollout=look.rollout.model_copy(update={"spec": spec}))

    assert failover_of(without) is None
    assert live_of(without).failover is None


def test_the_live_numbers_have_it() -> None:
    """What `rollout watch` reads has failover beside everything else."""
    found = live_of(look_at(away())).failover
    assert found is not None

    assert (found.phase, found.active) == ("FailedOver", DR)
