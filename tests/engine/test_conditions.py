"""Facts about conditions: what each says, and that its time is that of its last change of status."""

from rollout.engine.observation import Acceptance
from rollout.engine.reasons import Reason
from rollout.engine.settling import SETTLE_SECONDS
from rollout.engine.state import Condition
from tests.engine.builders import ROUTE, World, at_rest, batch, rollout, under_way, weighing

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}


def _of(world: World, kind: str) -> Condition:
    return next(condition for condition in world.state.conditions if condition.type == kind)


def test_every_condition_is_there_from_the_first_pass() -> None:
    """Seven conditions, each once."""
    kinds = [condition.type for condition in at_rest().state.conditions]

    assert kinds == [
        "Ready",
        "RoutesAccepted",
        "WeightsEffective",
        "AnalysisHealthy",
        "DriftDetected",
        "OwnershipConflict",
        "Suspended",
    ]


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    """Another message or reason alone moves no time."""
    world = under_way()
    world.accept(Acceptance.PENDING, "one")
    world.look(after=1)
    world.look(after=SETTLE_SECONDS)
    before = _of(world, "RoutesAccepted")
    world.accept(Acceptance.REFUSED, "two")
    world.look(after=1)
    after = _of(world, "RoutesAccepted")

    assert before.message != after.message
    assert before.last_transition_time == after.last_transition_time


def test_a_condition_takes_the_time_at_which_its_status_changed() -> None:
    """Another status has the time of the pass that saw it."""
    world = under_way()
    world.accept(Acceptance.PENDING)
    world.look(after=1)
    world.look(after=SETTLE_SECONDS)

    assert _of(world, "RoutesAccepted").last_transition_time == world.now


def test_a_sound_rollout_is_ready() -> None:
    """With routes, backends and roles known, Ready is True."""
    assert _of(at_rest(), "Ready").status == "True"


def test_an_invalid_rollout_is_not_ready() -> None:
    """Ready is False and says what is wrong."""
    world = World(views={ROUTE: None})
    world.look()

    ready = _of(world, "Ready")
    assert (ready.status, ready.reason) == ("False", Reason.INVALID)
    assert "does not exist" in ready.message


def test_a_rollout_without_roles_is_not_ready() -> None:
    """Ready is False as long as nobody knows which backend is stable."""
    world = World(views={ROUTE: weighing(70, 30)})
    world.look()

    assert (_of(world, "Ready").status, _of(world, "Ready").reason) == ("False", Reason.ROLES_UNKNOWN)


def test_a_suspended_rollout_says_so_twice() -> None:
    """Ready is False and Suspended is True."""
    world = at_rest()
    world.wanted = rollout(suspend=True)
    world.look(after=1)

    assert (_of(world, "Ready").reason, _of(world, "Suspended").status) == (Reason.SUSPENDED, "True")


def test_a_refused_route_is_told() -> None:
    """RoutesAccepted is False with what the gateway says."""
    world = under_way()
    world.accept(Acceptance.REFUSED, "no such cluster")
    world.look(after=1)

    accepted = _of(world, "RoutesAccepted")
    assert accepted.status == "False"
    assert accepted.message == f"The gateway refuses {ROUTE}: no such cluster."


def test_without_an_attempt_nothing_is_judged() -> None:
    """AnalysisHealthy is Unknown at rest."""
    assert _of(at_rest(), "AnalysisHealthy").reason == "NoAttempt"


def test_an_attempt_without_data_is_not_healthy() -> None:
    """AnalysisHealthy is False with the judge's reason when it holds."""
    world = under_way(analysis=ERRORS)
    world.look(after=60, source_problem=("SourceDown", "Prometheus did not answer"))

    assert (_of(world, "AnalysisHealthy").status, _of(world, "AnalysisHealthy").reason) == ("False", "SourceDown")


def test_measurements_that_come_in_are_healthy() -> None:
    """AnalysisHealthy is True while samples are judged."""
    world = under_way(analysis=ERRORS)
    start = world.now
    world.look(after=20, batch=batch((start + 1, 1000, 50), (start + 10, 2000, 100), (start + 19, 3000, 150)))

    assert _of(world, "AnalysisHealthy").status == "True"


def _served(stable: int, canary: int) -> World:
    world = under_way(analysis=ERRORS)
    start = world.now
    world.look(after=20, batch=batch((start + 1, 0, 0), (start + 19, stable, canary)))
    return world


def test_requests_as_weighted_are_effective() -> None:
    """WeightsEffective is True when the canary's part of the requests is its weight."""
    assert _of(_served(9500, 500), "WeightsEffective").status == "True"


def test_requests_not_as_weighted_are_not_effective() -> None:
    """WeightsEffective is False when the parts differ beyond chance."""
    assert _of(_served(9000, 1000), "WeightsEffective").reason == "Differs"


def test_requests_far_from_the_weights_are_far_off() -> None:
    """WeightsEffective says FarOff when the canary gets over three times its weight."""
    assert _of(_served(5000, 5000), "WeightsEffective").reason == "FarOff"


def test_few_requests_say_nothing_of_the_weights() -> None:
    """WeightsEffective is Unknown under 200 requests."""
    assert _of(_served(90, 10), "WeightsEffective").status == "Unknown"


def test_conditions_that_stay_are_the_very_same() -> None:
    """A pass that sees nothing new keeps the tuple."""
    world = at_rest()
    before = world.state.conditions
    world.look(after=60)

    assert world.state.conditions is before
