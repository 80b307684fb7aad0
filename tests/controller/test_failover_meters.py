"""What failover moves of the service's own metrics."""

from __future__ import annotations

from dataclasses import replace

from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import count_told
from rollout.controller.passes import Told
from rollout.engine.state import Condition, Failing, State, Tiers, Transition
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.meters import Meters
from rollout.spec.failover import Failover
from tests.controller.builders import KEY, NOW, Scene, virtually
from tests.controller.failing import DR, HandSwitch, lose, watching
from tests.test_meters import read

LATCHED = FailoverState(stage=Stage.LATCHED, active=DR)


def state(*, ready: str = "True") -> State:
    """Return where a Rollout with failover stands."""
    condition = Condition("FailoverReady", ready, "Watching", "", NOW)
    return State(tiers=Tiers(Failover(), (DR,)), failover=LATCHED, conditions=(condition,))


def transition(reason: str, failing: Failing | None) -> Transition:
    """Return a transition with this reason."""
    return Transition(1, NOW, Phase.IDLE, 0, (), reason, "", failing)


def test_the_phase_of_failover_is_shown_for_those_that_have_it() -> None:
    """A Rollout without failover has no series of it."""
    meters = Meters()
    meters.registry.register(RolloutGauges(lambda: [(KEY, state()), (replace(KEY, name="other"), State())]))

    assert read(meters, "rollout_failover_state") == {("checkout", "shop", "Latched"): 1.0}
    assert read(meters, "rollout_failover_ready") == {("checkout", "shop"): 1.0}


def test_who_could_not_fail_over_is_shown() -> None:
    """The condition says why."""
    meters = Meters()
    meters.registry.register(RolloutGauges(lambda: [(KEY, state(ready="False"))]))

    assert read(meters, "rollout_failover_ready") == {("checkout", "shop"): 0.0}


def test_moves_are_counted_by_reason_and_cause() -> None:
    """What only waits, and what attempts do, is none."""
    meters = Meters()
    count = count_told(meters)
    failing = Failing(Stage.FAILED_OVER, DR, 1)
    count(Told(KEY, transition=transition(Reason.FAILED_OVER, failing), cause="endpoints+probe"))
    count(Told(KEY, transition=transition(Reason.NO_HEALTHY_BACKUP, failing)))
    count(Told(KEY, transition=transition("Promoted", None)))

    assert read(meters, "rollout_failovers_total") == {("endpoints+probe", "FailedOver"): 1.0}


def test_the_switch_is_shown() -> None:
    """As it stands when somebody looks."""
    meters, switch = Meters(), HandSwitch()
    meters.stopped_is(lambda: switch.stopped)
    before = read(meters, "rollout_failover_stopped")
    switch.turn("olga stopped all automatic failover.")

    assert (before, read(meters, "rollout_failover_stopped")) == ({(): 0.0}, {(): 1.0})


def test_how_late_probes_begin_is_counted() -> None:
    """Each of them."""
    meters = Meters()
    meters.probe_began(0.002)
    meters.probe_began(0.2)

    assert read(meters, "rollout_probe_lateness_seconds_count") == {(): 2.0}


@virtually
async def test_what_is_told_of_a_failover_names_the_signals() -> None:
    """Those that moved the traffic."""
    scene = await watching(scene=Scene())
    lose(scene)
    await scene.until(lambda: scene.weights() == (0, 0, 100))
    told = [told for told in scene.told if told.transition is not None and told.transition.reason == Reason.FAILED_OVER]

    assert [one.cause for one in told] == ["endpoints"]
    await scene.stop()
