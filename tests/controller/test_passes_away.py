"""Facts about a pass that fails over: what becomes of a move that cannot be recorded."""

from __future__ import annotations

import asyncio

import pytest

from rollout.controller.catalog import Abilities, Catalog
from rollout.controller.entry import Entry
from rollout.controller.hurry import unless_pressed
from rollout.controller.passes import Passes, Told
from rollout.engine.decide import Decision
from rollout.engine.observation import Endpoints, FailoverSeen, Observation
from rollout.errors import Unavailable
from rollout.failover.health import Reading
from rollout.failover.readings import EndpointsSeen, endpoints_reading
from rollout.failover.seen import BackendSeen
from rollout.failover.table import Stage
from rollout.spec.built_in import built_in_policy
from rollout.spec.failover import EndpointsSignal
from tests.controller.builders import KEY, NOW, ROUTE, UP, V1, V2, ContestedRoutes, manifest, virtually
from tests.fakes.clock import FakeClock
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.store import FakeStore

DR = "checkout-dr"
DOWN = Endpoints(0, 2)
SPEC: dict[str, object] = {
    "backends": {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}]},
}


class Table:
    """A Rollout with a backup, and passes that are run for it by hand."""

    def __init__(self) -> None:
        self.store, self.routes, self.entry, self.now = FakeStore(), ContestedRoutes(), Entry(KEY), NOW
        self.endpoints = {V1: UP, V2: UP, DR: UP}
        self.told: list[Told] = []
        self.readings: dict[str, Reading] = {}
        self.passes = Passes(self.store, self.routes, FakeMeasurements(), FakeClock(unix=NOW))
        self.passes.listeners.append(self.told.append)

    async def look(self) -> Decision:
        """Run one pass."""
        self.now += 1
        stored = self.store.read(KEY)
        assert stored is not None
        wanted = Catalog(self.store, built_in_policy(), Abilities()).resolve(stored, None).rollout
        seen = Observation(
            now=self.now,
            session_started_at=NOW,
            cadence_seconds=10,
            routes={ROUTE: self.routes.read(ROUTE)},
            endpoints=self.endpoints,
            write_problem=self.entry.write_problem,
            failover=FailoverSeen({name: self._seen(name) for name in self.endpoints}),
        )
        decision, failure = await self.passes.run(self.entry, stored, wanted, seen)
        if failure is not None:
            raise failure
        return decision

    def _seen(self, name: str) -> BackendSeen:
        found = self.endpoints[name]
        seen = EndpointsSeen(found.ready, found.total, self.now)
        before = self.readings.get(name)
        self.readings[name] = endpoints_reading(EndpointsSignal(), seen, before, self.now)
        return BackendSeen(name, (self.readings[name],))

    @property
    def stage(self) -> Stage:
        """Return where failover stands."""
        assert self.entry.state is not None
        return self.entry.state.failover.stage

    def weights(self) -> dict[str, int]:
        """Return the weights above zero."""
        view = self.routes.read(ROUTE)
        assert view is not None
        return {ref.backend.name: ref.weight for ref in view.rules[0].refs if ref.weight}


async def _down(**failover: object) -> Table:
    """Return a table whose primary has just lost its endpoints, `failover` laid over its settings."""
    table = Table()
    wanted = {"signals": {"endpoints": {}}, "confirmFor": "0s", **failover}
    await table.store.apply(manifest(**{**SPEC, "failover": wanted}))
    table.routes.put(ROUTE, {V1: 100, V2: 0, DR: 0})
    await table.look()
    await table.look()
    table.endpoints = {**table.endpoints, V1: DOWN}
    table.told.clear()
    return table


@virtually
async def test_a_failover_acts_although_its_record_fails() -> None:
    """It does not wait for a store that is away; it is recorded as soon as that is back."""
    table = await _down()
    table.store.fail(Unavailable("disk full"), Unavailable("disk full"))
    await table.look()
    acted, unrecorded = table.weights(), table.entry.unrecorded
    await table.look()
    stored = table.store.read(KEY)

    assert (acted, unrecorded, table.entry.unrecorded) == ({DR: 100}, 1, 0)
    assert stored is not None
    assert stored.status["failover"]["active"] == DR  # type: ignore[index] # a status is JSON
    assert [told.transition.reason for told in table.told if told.transition][:2] == ["PrimaryDown", "FailedOver"]


@virtually
async def test_what_is_neither_recorded_nor_written_is_decided_anew() -> None:
    """The primary is up again before anything can be written: then nothing is moved away from it, and nothing told."""
    table = await _down()
    table.store.fail(Unavailable("away"), Unavailable("away"))
    table.routes.down_routes.add(ROUTE)
    with pytest.raises(Unavailable):
        await table.look()
    stage, told = table.stage, list(table.told)
    table.routes.down_routes.clear()
    table.endpoints = {**table.endpoints, V1: UP}
    await table.look()

    assert (stage, told) == (Stage.NORMAL, [])
    assert (table.stage, table.weights()) == (Stage.NORMAL, {V1: 100})


@virtually
async def test_a_failover_is_confirmed_although_nothing_can_be_recorded() -> None:
    """A store that is full does not keep the time of confirmation from running."""
    table = await _down(confirmFor="2s")
    for _ in range(4):
        table.store.fail(*[Unavailable("disk full")] * 2)
        await table.look()

    assert table.weights() == {DR: 100}


@virtually
async def test_a_record_that_hangs_is_given_up_for_what_presses() -> None:
    """After a second; else it has the time that it needs."""
    table = await _down()
    table.entry.hurry.set()
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable, match="presses"):
        await unless_pressed(table.entry, lambda: asyncio.sleep(60))
    gave_up = asyncio.get_running_loop().time() - began
    table.entry.hurry.clear()

    assert gave_up == pytest.approx(1.0, abs=0.1)
    assert await unless_pressed(table.entry, lambda: asyncio.sleep(60, "there")) == "there"


@virtually
async def test_what_presses_lets_a_call_end_that_is_about_to() -> None:
    """It may come while the call is under way."""
    table = await _down()
    asyncio.get_running_loop().call_later(5, table.entry.hurry.set)

    assert await unless_pressed(table.entry, lambda: asyncio.sleep(5.5, "there")) == "there"
