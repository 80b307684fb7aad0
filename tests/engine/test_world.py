"""Facts about taking the world in: the pair of backends, what is missing, and what is seen."""

from dataclasses import replace

from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from tests.engine.builders import (
    DOWN,
    ROUTE,
    UP,
    V1,
    V2,
    World,
    aborted,
    at_rest,
    rollout,
    route,
    rule,
    under_way,
    weighing,
)

V3 = "checkout-v3"


def _pair(stable: str, canary: str) -> dict[str, object]:
    return {"stable": {"name": stable}, "canary": {"name": canary}}


def test_the_pair_in_another_order_changes_nothing() -> None:
    """Names in the spec edited to match the roles move nothing."""
    world = at_rest()
    world.wanted = rollout(backends=_pair(V2, V1))
    world.look(after=1)

    assert (world.state.stable, world.state.canary, world.weights()) == (V1, V2, (100, 0))


def test_a_new_canary_takes_its_role() -> None:
    """At rest, another canary in the spec beside the same stable is the canary."""
    world = at_rest()
    world.wanted = rollout(backends=_pair(V1, V3))
    world.views[ROUTE] = route(rule({V1: 100, V3: 0}))
    world.look(after=1)

    assert (world.state.stable, world.state.canary, world.state.phase) == (V1, V3, Phase.IDLE)


def test_a_new_canary_in_the_first_place_takes_its_role() -> None:
    """Where stable stands second in the spec, the first is the canary."""
    world = at_rest()
    world.wanted = rollout(backends=_pair(V3, V1))
    world.views[ROUTE] = route(rule({V1: 100, V3: 0}))
    world.look(after=1)

    assert (world.state.stable, world.state.canary) == (V1, V3)


def test_two_new_names_are_adopted_anew() -> None:
    """At rest, a spec that names neither of the roles is read from the weights again."""
    world = at_rest()
    world.wanted = rollout(backends=_pair("blue", "green"))
    world.views[ROUTE] = route(rule({"blue": 0, "green": 100}))
    world.look(after=1)

    assert (world.state.stable, world.state.canary) == ("green", "blue")


def test_the_pair_cannot_change_during_an_attempt() -> None:
    """Another canary in the middle of an attempt makes the Rollout invalid until it is taken back or aborted."""
    world = under_way()
    world.wanted = rollout(backends=_pair(V1, V3))
    world.look(after=1)

    assert (world.state.phase, world.state.canary) == (Phase.INVALID, V2)
    assert "cannot take the place" in world.state.message


def test_a_missing_route_makes_invalid() -> None:
    """At rest, a route that does not exist is told in phase Invalid."""
    world = World(views={ROUTE: None})
    world.look()

    assert (world.state.phase, world.state.reason) == (Phase.INVALID, Reason.INVALID)
    assert world.state.message == "spec.routes[0]: HTTPRoute shop/checkout does not exist"


def test_what_appears_makes_valid() -> None:
    """A route that appears later ends Invalid, and the roles are read from it."""
    world = World(views={ROUTE: None})
    world.look()
    world.views[ROUTE] = weighing(100, 0)
    world.look(after=1)

    assert (world.state.phase, world.state.stable) == (Phase.IDLE, V1)
    assert world.state.before_invalid is None


def test_an_attempt_goes_on_where_it_was() -> None:
    """A Rollout that is valid again is in the phase and step it was in."""
    world = under_way()
    kept = world.wanted
    world.wanted = None
    world.look(after=1, problems=("spec.steps: must be a list",))
    world.wanted = kept
    world.look(after=1)

    assert (world.state.phase, world.state.step, world.weights()) == (Phase.PROGRESSING, 1, (95, 5))


def test_hold_time_stands_still_while_invalid() -> None:
    """Time in phase Invalid is no hold time."""
    world = under_way()
    kept = world.wanted
    world.look(after=30)
    world.wanted = None
    world.look(after=0, problems=("no policy",))
    world.look(after=3600, problems=("no policy",))
    world.wanted = kept
    world.look()

    assert world.state.hold.at(world.now) == 30


def test_a_spec_that_cannot_be_read_is_told() -> None:
    """Without a spec and without a sentence why, Invalid still has a sentence."""
    world = World(wanted=None)
    world.look()

    assert world.state.message == "the Rollout cannot be read"


def test_another_problem_is_told_without_a_transition() -> None:
    """What is wrong may change while Invalid: the message follows, no transition is made."""
    world = World(wanted=None)
    world.look(problems=("one",))
    decision = world.look(after=1, problems=("two",))

    assert (world.state.message, decision.transitions) == ("two", ())


def test_an_abort_is_not_stopped_by_problems() -> None:
    """While the weights go back, a spec that becomes invalid changes nothing."""
    world = under_way()
    world.lost = True
    world.tell("abort")
    world.wanted = None
    world.look(after=1, problems=("no policy",))

    assert world.state.phase is Phase.ABORTING


def test_an_abort_works_while_invalid() -> None:
    """The weights go back by the routes and roles in the status."""
    world = under_way()
    world.wanted = None
    world.look(after=1, problems=("no policy",))
    world.look(after=1, problems=("no policy",), command=None)
    world.tell("abort")

    assert world.weights() == (100, 0)


def test_settings_of_the_gateway_are_kept_while_invalid() -> None:
    """The last valid settings of the gateway stay in the state."""
    world = at_rest(gateway={"minWriteInterval": "3s"})
    world.wanted = None
    world.look(after=1, problems=("no policy",))

    assert world.state.gateway.min_write_interval == 3.0


def test_endpoints_are_health() -> None:
    """Ready endpoints are Healthy, none is Unhealthy, none seen yet is Unknown."""
    world = World(endpoints={V1: UP, V2: DOWN, V3: replace(UP, known=False)})
    world.look()

    assert dict(world.state.ready) == {V1: "Healthy", V2: "Unhealthy", V3: "Unknown"}


def test_nothing_new_gives_the_very_same_state() -> None:
    """A pass at rest that sees nothing new copies nothing."""
    world = at_rest()
    world.look(after=1)
    before = world.state
    world.look(after=1)

    assert world.state is before


def test_the_generation_seen_is_kept() -> None:
    """The generation of the spec that was looked at stands in the state."""
    world = at_rest()
    world.look(generation=7)

    assert world.state.observed_generation == 7


def test_what_was_observed_stays_known_when_the_route_is_gone() -> None:
    """The last weights seen are kept for the status."""
    world = at_rest()
    world.views[ROUTE] = None
    world.look(after=1)

    assert world.state.observed == ((V1, 100), (V2, 0))


def test_invalid_after_an_abort_comes_back_to_aborted() -> None:
    """An aborted Rollout that was invalid for a while is still aborted."""
    world = aborted()
    kept = world.wanted
    world.wanted = None
    world.look(after=1)
    world.wanted = kept
    world.look(after=1)

    assert world.state.phase is Phase.ABORTED
