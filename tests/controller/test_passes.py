"""Facts about one pass: its order, what is recorded, and what happens when a record or a write fails."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from rollout.controller.catalog import Abilities, Catalog
from rollout.controller.entry import Entry
from rollout.controller.passes import Passes, Told
from rollout.engine.decide import Decision
from rollout.engine.observation import Command, Observation, RouteKey, RouteView, RuleWeights
from rollout.engine.reasons import Reason
from rollout.engine.state import Transition
from rollout.engine.status import from_status
from rollout.engine.table import Phase
from rollout.errors import ConflictError, LeaseLost, PermanentError, Unavailable, UpdateRefused
from rollout.ports import Key
from rollout.spec.built_in import built_in_policy
from rollout.spec.resource import Rollout
from tests.controller.builders import KEY, NOW, ROUTE, UP, V1, V2, WEB, ContestedRoutes, manifest, virtually
from tests.fakes.clock import FakeClock
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.store import FakeStore


class LoudStore(FakeStore):
    """A store that writes into `order` when something is recorded, which takes `slow_seconds`.

    `urgent` has for each record whether it was said to be urgent.
    """

    slow_seconds = 0.0

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Record, and say so."""
        self._order.append("record")
        await asyncio.sleep(self.slow_seconds)
        return await super().record(key, status=status, expected=expected)


class LoudRoutes(ContestedRoutes):
    """Routes that write into `order` when they are written."""

    def __init__(self, order: list[str]) -> None:
        super().__init__()
        self._order = order

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write, and say so."""
        self._order.append("act")
        return await super().write(key, rules, expected=expected)


@dataclass(slots=True)
class Table:
    """A Rollout, and passes that are run for it by hand."""

    order: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    entry: Entry = field(default_factory=lambda: Entry(KEY))
    now: float = NOW
    store: LoudStore = field(init=False)
    routes: LoudRoutes = field(init=False)
    passes: Passes = field(init=False)
    wanted: Rollout | None = None

    def __post_init__(self) -> None:
        self.store, self.routes = LoudStore(self.order), LoudRoutes(self.order)
        self.passes = Passes(self.store, self.routes, FakeMeasurements(), FakeClock(unix=NOW))
        self.passes.listeners.append(self._hear)

    def _hear(self, told: Told) -> None:
        self.order.append("tell")
        self.told.append(told)

    async def look(self, action: str = "") -> Decision:
        """Run one pass, with this command if one is given."""
        self.now += 1
        stored = self.store.read(KEY)
        assert stored is not None
        command = Command(f"{action}-{self.now}", action, {"revision": "2"} if action == "start" else {}, self.now)
        seen = Observation(
            now=self.now,
            session_started_at=NOW,
            cadence_seconds=10,
            routes={key: self.routes.read(key) for key in (ROUTE, WEB)},
            endpoints={V1: UP, V2: UP},
            command=command if action else None,
            write_problem=self.entry.write_problem,
        )
        decision, failure = await self.passes.run(self.entry, stored, self.wanted, seen)
        if failure is not None:
            raise failure
        return decision

    @property
    def phase(self) -> Phase:
        """Return the phase."""
        assert self.entry.state is not None
        return self.entry.state.phase

    def transitions(self) -> list[Transition]:
        """Return the transitions that were told, in order."""
        return [told.transition for told in self.told if told.transition is not None]

    def weights(self, route: RouteKey = ROUTE) -> tuple[int, ...]:
        """Return the weights of the route."""
        view = self.routes.read(route)
        assert view is not None
        return tuple(ref.weight for ref in view.rules[0].refs)


async def _table(*, routes: Sequence[str] = ("checkout",), running: bool = False) -> Table:
    """Return a table with its baseline known, or with step 1 written."""
    table = Table()
    spec: dict[str, object] = {"routes": [{"kind": "HTTPRoute", "name": name} for name in routes]}
    await table.store.apply(manifest(**spec))
    for key in (ROUTE, WEB):
        table.routes.put(key, {V1: 100, V2: 0})
    stored = table.store.read(KEY)
    assert stored is not None
    table.wanted = Catalog(table.store, built_in_policy(), Abilities()).resolve(stored, None).rollout
    await table.look()
    if running:
        await table.look("start")
        await table.look()
    table.order.clear()
    table.told.clear()
    return table


async def test_the_record_comes_before_the_act() -> None:
    """Intended weights are in the status, transition and answer are told, before a route is written."""
    table = await _table()
    await table.look("start")

    assert table.order == ["record", "tell", "tell", "act"]


async def test_what_is_urgent_is_written_before_it_is_told() -> None:
    """An abort is in the status, then in the routes; whoever hears of it may make work then."""
    table = await _table(running=True)
    await table.look("abort")

    assert table.order == ["record", "act", "tell", "tell"]


@virtually
async def test_a_write_that_hangs_keeps_nobody_from_hearing_of_it() -> None:
    """An abort is told once, and at most 250 ms after it was recorded."""
    table = await _table(running=True)
    heard: list[float] = []
    table.passes.listeners.append(lambda _: heard.append(asyncio.get_running_loop().time()))
    table.routes.slow_seconds = 30.0
    before = asyncio.get_running_loop().time()
    await table.look("abort")

    assert len(heard) == len(table.told) == 2
    assert max(heard) - before <= 0.25


@virtually
async def test_an_abort_whose_write_was_cut_off_is_told() -> None:
    """It is in the status: a replica that loses its Lease in the middle of the write has not kept it to itself."""
    table = await _table(running=True)
    table.routes.slow_seconds = 30.0
    looking = asyncio.create_task(table.look("abort"))
    await asyncio.sleep(0.01)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)

    assert [made.phase for made in table.transitions()] == [Phase.ABORTING]


async def test_nothing_new_is_not_recorded() -> None:
    """A pass that sees nothing new writes neither status nor route."""
    table = await _table()
    await table.look()

    assert table.order == []


async def test_a_refused_command_is_told() -> None:
    """A refusal reaches those who listen, with its reason."""
    table = await _table()
    await table.look("resume")

    assert [(told.handled.action, told.handled.reason) for told in table.told if told.handled] == [
        ("resume", "IllegalInPhase")
    ]


async def test_a_record_in_conflict_changes_nothing() -> None:
    """When somebody else wrote the status first, nothing is kept, told or written."""
    table = await _table()
    table.store.conflict_next()

    with pytest.raises(ConflictError):
        await table.look("start")
    assert (table.order, table.phase, table.weights()) == (["record"], Phase.IDLE, (100, 0))


async def test_a_step_waits_for_its_record() -> None:
    """A start whose record fails is not written: going on is never urgent."""
    table = await _table()
    table.store.fail(Unavailable("disk full"))

    with pytest.raises(Unavailable):
        await table.look("start")
    assert (table.phase, table.weights()) == (Phase.IDLE, (100, 0))


@virtually
async def test_an_abort_acts_although_its_record_fails() -> None:
    """After one retry within 200 ms the weights go back, and the entry knows that it is not recorded."""
    table = await _table(running=True)
    table.store.fail(Unavailable("disk full"), PermanentError("disk full"))
    before = asyncio.get_running_loop().time()
    await table.look("abort")

    assert table.weights() == (100, 0)
    assert table.entry.unrecorded
    assert asyncio.get_running_loop().time() - before <= 0.2


@virtually
async def test_an_abort_waits_a_second_for_its_record() -> None:
    """A store that does not answer holds up the weights no longer; the status is written as soon as it can be."""
    table = await _table(running=True)
    table.store.slow_seconds = 3600.0
    before = asyncio.get_running_loop().time()
    await table.look("abort")
    took, weights, unrecorded = asyncio.get_running_loop().time() - before, table.weights(), table.entry.unrecorded
    table.store.slow_seconds = 5.0
    await table.look()

    assert (weights, unrecorded) == ((100, 0), 1)
    assert took <= 1.1
    assert (table.entry.unrecorded, table.store.records[-1][1]["phase"]) == (0, "Aborted")


@virtually
async def test_it_is_told_less_and_less_that_a_record_is_missing() -> None:
    """A store that refuses for hours is not as many lines as tries."""
    table = await _table(running=True)
    table.store.fail(*(PermanentError("forbidden") for _ in range(101)))
    with capture_logs() as logs:
        await table.look("abort")
        for _ in range(99):
            await table.look()

    assert [entry["tries"] for entry in logs if entry["log_level"] == "critical"] == [1, 2, 4, 8, 16, 32, 64]


@virtually
async def test_a_second_try_may_record_the_abort() -> None:
    """A store that fails once has the abort after the retry."""
    table = await _table(running=True)
    table.store.fail(Unavailable("locked"))
    decision = await table.look("abort")

    assert (table.entry.unrecorded, table.entry.recorded) == (False, decision.state.number)
    assert table.store.records[-1][1]["phase"] == "Aborting"


@virtually
async def test_an_abort_is_told_once_and_recorded_as_it_was_told() -> None:
    """Not to be silent while a disk is full: its number and time, and so the id of a notice, stay what they were."""
    table = await _table(running=True)
    table.store.fail(Unavailable("locked"), Unavailable("locked"))
    await table.look("abort")
    (told,) = table.transitions()
    await table.look()
    state = from_status(table.store.records[-1][1])

    assert state is not None
    assert told.phase is Phase.ABORTING
    assert told in state.transitions
    assert [made.number for made in table.transitions()] == [told.number, told.number + 1]


@virtually
async def test_an_abort_that_was_not_recorded_is_recorded_by_the_next_pass() -> None:
    """The next pass records it, whatever else it sees."""
    table = await _table(running=True)
    table.store.fail(Unavailable("locked"), Unavailable("locked"))
    await table.look("abort")
    await table.look()

    assert not table.entry.unrecorded
    assert table.store.records[-1][1]["phase"] == "Aborted"


@virtually
async def test_an_abort_in_conflict_is_decided_again() -> None:
    """A conflict is no failing store: an abort, too, looks again before it acts."""
    table = await _table(running=True)
    table.store.conflict_next()

    with pytest.raises(ConflictError):
        await table.look("abort")
    await table.look("abort")
    assert table.weights() == (100, 0)


async def test_a_write_that_fails_is_told_and_raised() -> None:
    """What the gateway refused is known to the next decision, and is handed back as the failure of the pass."""
    table = await _table()
    table.routes.refuse_next = 1

    with pytest.raises(UpdateRefused):
        await table.look("start")
    assert "refused" in table.entry.write_problem


async def test_a_refused_write_is_why_the_step_waits() -> None:
    """The status then says what the write met."""
    table = await _table()
    table.routes.refuse_next = 1
    with pytest.raises(UpdateRefused):
        await table.look("start")
    decision = await table.look()

    assert decision.state.reason == Reason.WAITING_FOR_WRITE
    assert table.weights() == (90, 10)


async def test_one_route_that_fails_does_not_keep_the_others_back() -> None:
    """Of two routes the one that can be written is written, and only that one counts as written."""
    table = await _table(routes=("checkout", "checkout-web"))
    table.routes.down_routes = {ROUTE}

    with pytest.raises(Unavailable):
        await table.look("start")
    state = table.entry.state
    assert state is not None
    assert (table.weights(), table.weights(WEB)) == ((100, 0), (90, 10))
    assert [dict(rule.acknowledged)[V2] for rule in state.owned] == [0, 10]


async def test_a_route_that_is_gone_is_told_without_an_end() -> None:
    """A route deleted just before its write is a problem for the next pass, not a failed one."""
    table = await _table()
    table.routes.contest.append(lambda: table.routes.take_away(ROUTE))
    await table.look("start")

    assert "is gone" in table.entry.write_problem


async def test_a_good_write_ends_the_problem() -> None:
    """Once a write is taken nothing is said of the one that failed."""
    table = await _table()
    table.entry.write_problem = "refused"
    await table.look("start")

    assert table.entry.write_problem == ""


async def test_a_write_whose_answer_was_lost_is_no_problem_any_more() -> None:
    """Once the routes say what they should, nothing is said of the write that seemed to have failed."""
    table = await _table()
    await table.look("start")
    table.entry.write_problem = "no answer within 12 s"
    decision = await table.look()

    assert (table.entry.write_problem, decision.writes) == ("", ())
    assert "no answer" not in decision.state.message


@virtually
async def test_nothing_is_recorded_by_who_may_not_act() -> None:
    """The Lease may end while a pass decides: its record is left to another replica."""
    table = await _table()
    table.passes = Passes(
        table.store, table.routes, FakeMeasurements(), FakeClock(unix=NOW), may=lambda entry: entry.key != KEY
    )
    table.order.clear()
    with pytest.raises(LeaseLost, match="shop/checkout is for another replica"):
        await table.look("start")

    assert (table.order, table.phase) == ([], Phase.IDLE)
