"""Facts about simulated routes: only owned rules are touched, and what a gateway refuses is refused."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from rollout.engine.observation import Acceptance, BackendKey, RouteKey, RouteView, RuleWeights
from rollout.errors import ConflictError, NotOursError, Unavailable, UpdateRefused
from rollout.rehearsal.api import Api
from rollout.rehearsal.layout import layout_of
from rollout.rehearsal.routes import SimulatedRoutes
from rollout.rehearsal.scenario import ApiMode
from rollout.rehearsal.virtual_loop import run
from rollout.spec.resource import Rollout
from tests.rehearsal.builders import CANARY, STABLE, manifest

ROUTE = RouteKey("HTTPRoute", "shop", "checkout")
KEYS = {name: BackendKey("shop", name, 8080) for name in (STABLE, CANARY)}


class Bench:
    """Routes of a Rollout with a foreign backend, and what they said before each change."""

    def __init__(self, rule: int | str | None = None) -> None:
        routes = [{"kind": "HTTPRoute", "name": "checkout", **({} if rule is None else {"rule": rule})}]
        rollout = Rollout.model_validate(manifest(routes=routes))
        self.api = Api()
        self.changes = 0
        self.routes = SimulatedRoutes(layout_of(rollout, {"legacy": 1}), self.api, self._count)

    def _count(self) -> float:
        self.changes += 1
        return float(self.changes)

    def view(self) -> RouteView:
        """Return the route."""
        found = self.routes.read(ROUTE)
        assert found is not None
        return found

    def weights(self, rule: int = 0) -> dict[str, int]:
        """Return the weights in a rule."""
        return {ref.backend.name: ref.weight for ref in self.view().rules[rule].refs}

    async def write(self, *weights: int, rule: int = 0, name: str = "", expected: str = "") -> None:
        """Write the weights of stable and canary."""
        wanted = RuleWeights(rule, name, dict(zip(KEYS.values(), weights, strict=False)))
        await self.routes.write(ROUTE, [wanted], expected=expected or self.view().version)


def in_time(fact: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in virtual time."""
    run(fact())


def test_all_weight_is_on_stable_at_first() -> None:
    """Summing to 100, foreign backends as the file says."""
    assert Bench().weights() == {STABLE: 100, CANARY: 0, "legacy": 1}


def test_a_write_touches_no_foreign_weight() -> None:
    """And is remembered with every owned backend."""

    async def fact() -> None:
        bench = Bench()
        await bench.write(90, 10)

        assert bench.weights() == {STABLE: 90, CANARY: 10, "legacy": 1}
        assert [write.weights for write in bench.routes.writes] == [{STABLE: 90, CANARY: 10}]

    in_time(fact)


def test_a_named_rule_is_found_by_its_name() -> None:
    """It stands behind another one, which stays as it is."""

    async def fact() -> None:
        bench = Bench(rule="main")
        await bench.write(90, 10, rule=0, name="main")

        assert bench.weights(0)[CANARY] == 0
        assert bench.weights(1)[CANARY] == 10
        assert bench.routes.in_force() == [[(STABLE, 90), (CANARY, 10), ("legacy", 1)]]

    in_time(fact)


def test_a_rule_by_index_has_the_rules_before_it() -> None:
    """A route has as many rules as the Rollout needs."""
    assert len(Bench(rule=2).view().rules) == 3


@pytest.mark.parametrize("weights", [(0, 0), (-1, 101), (1_000_001, 0)])
def test_what_a_gateway_refuses_is_refused(weights: tuple[int, int]) -> None:
    """All zero (no foreign weight beside), or out of range."""

    async def fact() -> None:
        bench = Bench()
        bench.routes.edit(ROUTE, {"legacy": 0})
        with pytest.raises(UpdateRefused):
            await bench.write(*weights)

        assert bench.routes.writes == []

    in_time(fact)


def test_an_old_version_is_a_conflict() -> None:
    """Somebody else changed the route since."""

    async def fact() -> None:
        bench = Bench()
        version = bench.view().version
        bench.routes.edit(ROUTE, {STABLE: 50, CANARY: 50})
        with pytest.raises(ConflictError):
            await bench.write(90, 10, expected=version)

        assert bench.view().changed_by == "kubectl-edit"

    in_time(fact)


def test_what_is_gone_is_not_ours() -> None:
    """A route, a rule or a backend that is not there."""

    async def fact() -> None:
        bench = Bench()
        with pytest.raises(NotOursError):
            await bench.write(90, 10, name="other")
        with pytest.raises(NotOursError):
            await bench.routes.write(
                ROUTE, [RuleWeights(0, "", {BackendKey("shop", "nobody"): 1})], expected=bench.view().version
            )
        version = bench.view().version
        bench.routes.exist(ROUTE, there=False)
        with pytest.raises(NotOursError):
            await bench.write(90, 10, expected=version)

        assert bench.routes.in_force() == [[]]

    in_time(fact)


def test_a_route_that_comes_back_is_as_in_the_beginning() -> None:
    """With a version of its own, so that nothing old is written over it."""

    async def fact() -> None:
        bench = Bench()
        await bench.write(90, 10)
        version = bench.view().version
        bench.routes.exist(ROUTE, there=False)
        bench.routes.exist(ROUTE, there=True)

        assert bench.weights()[STABLE] == 100
        assert int(bench.view().version) > int(version)

    in_time(fact)


def test_the_api_lets_nothing_through_while_it_is_down() -> None:
    """Reads come from the cache."""

    async def fact() -> None:
        bench = Bench()
        bench.api.turn(ApiMode.DOWN)
        with pytest.raises(Unavailable):
            await bench.write(90, 10)

        assert bench.weights()[STABLE] == 100

    in_time(fact)


def test_in_conflict_every_second_try_succeeds() -> None:
    """The first try meets another change, whose version is then the one to expect."""

    async def fact() -> None:
        bench = Bench()
        bench.api.turn(ApiMode.CONFLICT)
        for weight in (10, 20):
            with pytest.raises(ConflictError):
                await bench.write(100 - weight, weight)
            await bench.write(100 - weight, weight)

        assert bench.weights()[CANARY] == 20

    in_time(fact)


def test_acceptance_is_what_was_said_last() -> None:
    """And leaves the weights alone."""

    async def fact() -> None:
        bench = Bench()
        before = bench.view()
        bench.routes.accept(ROUTE, Acceptance.REFUSED)
        after = bench.view()

        assert after.acceptance is Acceptance.REFUSED
        assert replace(after, acceptance=before.acceptance, version=before.version, message="") == before

    in_time(fact)


def test_listeners_hear_of_every_change() -> None:
    """Ours and others'; requests are counted before each."""

    async def fact() -> None:
        bench = Bench()
        heard: list[RouteKey] = []
        bench.routes.subscribe(heard.append)
        await bench.write(90, 10)
        bench.routes.edit(ROUTE, {STABLE: 80, CANARY: 20})
        before = bench.changes
        await bench.write(90, 10)

        assert heard[:2] == [ROUTE, ROUTE]
        assert bench.changes > before
        assert bench.routes.explain(ROUTE) == ""

    in_time(fact)
