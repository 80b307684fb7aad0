"""Facts about the vitals: one reading for all who ask, since when it says so, and what cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from rollout.analysis.samples import ERRORS
from rollout.controller.entry import Entry
from rollout.controller.outside import Options, Ports
from rollout.controller.vitals import MAINTENANCE, NO_TEMPLATES, Vitals, resting_in
from rollout.engine.observation import FailoverSeen
from rollout.engine.state import OwnedRule, State, Tiers
from rollout.errors import Unavailable
from rollout.failover.health import Health, Reading
from rollout.failover.seen import Calendar
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.kube.kept import kept_rollout, stored
from rollout.ports import Key, StoredRollout
from rollout.signals import ProbeAsk, Target
from rollout.spec.failover import Failover
from rollout.spec.resource import Rollout
from rollout.sqlite.documents import wanted
from tests.controller.builders import DOWN, KEY, ROUTE, UP, V1, V2, backend, virtually
from tests.controller.failing import ALL, DR, ENDPOINTS, METRICS, PROBE, failing_over, many
from tests.controller.test_watches import STANDS, resolved
from tests.fakes.clock import FakeClock
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import TOTAL, FakeMeasurements
from tests.fakes.probes import FakeProbes
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.waiting import until


class Bedside:
    """Vitals over fakes."""

    def __init__(self, options: Options | None = None) -> None:
        self.clock = FakeClock()
        self.health = FakeBackendHealth(self.clock)
        self.source = FakeMeasurements()
        for name in ALL:
            self.health.put(backend(name), UP)
        self.probes = FakeProbes(self.clock)
        ports = Ports(
            FakeStore(),
            FakeRouteTable(),
            self.health,
            self.source,
            FakeGates(),
            self.clock,
            probes=self.probes,
        )
        self.vitals = Vitals(ports, options or Options(), tell=lambda _: None, wake=lambda _: None)

    def keep(self, rollout: Rollout | None, state: State = STANDS, key: Key = KEY) -> None:
        """Let the failover of a Rollout be watched."""
        self.vitals.keep(Entry(key, state=state), rollout)

    def seen(self, document: Mapping[str, object] | None = None, key: Key = KEY) -> FailoverSeen:
        """Return what is seen now."""
        seen = self.vitals.seen(key, StoredRollout(key, document or {}, {}, "1", 1), self.clock.now())
        assert seen is not None
        return seen

    def reading(self, name: str = V1, key: Key = KEY) -> Reading:
        """Return what the first signal says of a backend."""
        return self.seen(key=key).backends[name].readings[0]


async def test_a_short_loss_is_not_missed() -> None:
    """Endpoints that go and come between two passes are healthy since they came, and have failed."""
    bed = Bedside()
    bed.keep(resolved(failing_over()))
    before = bed.reading()
    for endpoints in (DOWN, UP):
        bed.clock.advance(1)
        bed.health.put(backend(V1), endpoints)
        bed.vitals.heard(backend(V1))
    after = bed.reading()

    assert (before.failed_at, after.failed_at) == (0.0, bed.clock.now() - 1)
    assert (after.health, after.since) == (Health.HEALTHY, bed.clock.now())


async def test_all_who_use_a_backend_read_the_same() -> None:
    """Also one that came later, and nothing is kept when the last has gone."""
    bed, other = Bedside(), Key("shop", "other")
    bed.keep(resolved(failing_over()))
    since = bed.reading().since
    bed.clock.advance(60)
    bed.keep(resolved(failing_over()), key=other)
    shared = bed.reading(key=other).since
    for key in (KEY, other):
        bed.vitals.drop(key)
    bed.keep(resolved(failing_over()))

    assert shared == since
    assert bed.reading().since == since + 60


async def test_silence_is_unknown_and_health_after_it_is_new() -> None:
    """What was heard too long ago counts for nothing; what is said again is said since then."""
    bed = Bedside()
    bed.keep(resolved(failing_over()))
    bed.reading()
    bed.health.heard_at = bed.clock.now()
    bed.clock.advance(31)
    silent = bed.reading()
    bed.clock.advance(10)
    bed.health.heard_at = None

    assert silent.expires_at < bed.clock.now()
    assert bed.reading().since == bed.clock.now()


async def test_nothing_is_seen_for_whom_nothing_is_kept() -> None:
    """A Rollout without failover, and one that has let go of it."""
    bed = Bedside()
    bed.keep(resolved(failing_over()))
    bed.keep(None, State())

    assert bed.vitals.seen(KEY, StoredRollout(KEY, {}, {}, "1", 1), 0.0) is None
    assert bed.vitals.crowded_until(KEY, 0.0) == 0.0
    assert bed.vitals.keys() == ()


async def test_the_calendar_is_that_of_the_settings() -> None:
    """Asked for the moment of the pass."""
    asked: list[tuple[Failover, float]] = []

    def calendar_of(settings: Failover, now: float) -> Calendar:
        asked.append((settings, now))
        return Calendar(drill_due="today")

    bed, rollout = Bedside(Options(calendar_of=calendar_of)), resolved(failing_over())
    bed.keep(rollout)

    assert bed.seen().calendar == Calendar(drill_due="today")
    assert asked == [(rollout.spec.failover, bed.clock.now())]


async def test_a_source_that_fails_is_one_problem() -> None:
    """However many backends are asked for."""
    bed = Bedside()
    bed.source.error = Unavailable("Prometheus cannot be reached")
    bed.keep(resolved(failing_over({**ENDPOINTS, **METRICS})))
    await until(lambda: bool(bed.seen().problems))

    assert bed.seen().problems == ("The signal metrics cannot be had: Prometheus cannot be reached",)
    bed.vitals.stop()


async def test_a_backend_in_use_without_samples_is_a_problem() -> None:
    """Of an idle one there need be none; in use is the primary, or the backup that has its traffic."""
    bed, rollout = Bedside(), resolved(failing_over({**ENDPOINTS, **METRICS}))
    for at in (bed.clock.now() - 5, bed.clock.now()):
        bed.source.count(V1, TOTAL, at, 0)
        bed.source.count(V1, ERRORS, at, 0)
    bed.keep(rollout)
    await until(lambda: "not counted" not in bed.seen().backends[DR].readings[1].evidence)
    of_primary = bed.seen().problems
    bed.keep(rollout, replace(STANDS, failover=FailoverState(stage=Stage.FAILED_OVER, active=DR)))

    assert of_primary == ()
    assert bed.seen().problems == ("The signal metrics cannot be had: no sample of the last 60 s",)
    bed.vitals.stop()


async def test_after_a_restart_nobody_knows_how_an_invalid_rollout_was_counted() -> None:
    """Its other signals go on; this one says why it does not."""
    bed = Bedside()
    rules = (OwnedRule(ROUTE, 0, "", 100, tuple(map(backend, ALL)), alone=True),)
    settings = Failover.model_validate({"signals": {**ENDPOINTS, **METRICS}})
    bed.keep(None, State(stable=V1, canary=V2, owned=rules, tiers=Tiers(settings, (DR,))))

    assert bed.seen().problems == (f"The signal metrics cannot be had: {NO_TEMPLATES}",)
    assert bed.reading().health is Health.HEALTHY


@virtually
async def test_many_changes_do_not_let_everything_be_said_again_each_time() -> None:
    """Nine hundred backends come one by one: what is probed is said a few times, and whole at last."""
    bed, said = Bedside(), 0
    want = bed.probes.want

    def counted(wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        nonlocal said
        said += 1
        want(wanted)

    bed.probes.want = counted  # type: ignore[method-assign]
    for number, (document, _) in enumerate(many(300, signals=PROBE)):
        bed.keep(resolved(document), key=Key("shop", f"rollout-{number}"))
        await asyncio.sleep(0.001)
    await asyncio.sleep(1)

    assert len(bed.probes.wanted) == 900
    assert said < 100


@virtually
async def test_after_the_end_nothing_is_probed() -> None:
    """Who sends the probes may be gone."""
    bed = Bedside()
    bed.keep(resolved(failing_over(PROBE)))
    bed.vitals.stop()
    await asyncio.sleep(1)

    assert bed.probes.wanted == {}


# ---------------------------------------------------------------- maintenance


@pytest.mark.parametrize(
    ("document", "names"),
    [
        ({}, set()),
        ({"metadata": None}, set()),
        ({"metadata": {"annotations": None}}, set()),
        ({"metadata": {"annotations": {MAINTENANCE: 7}}}, set()),
        ({"metadata": {"annotations": {MAINTENANCE: " , "}}}, set()),
        ({"metadata": {"annotations": {MAINTENANCE: "v1"}}}, {"v1"}),
        ({"metadata": {"annotations": {MAINTENANCE: "v1, v2 ,"}}}, {"v1", "v2"}),
    ],
)
def test_the_annotation_names_who_rests(document: dict[str, object], names: set[str]) -> None:
    """Names with commas between them; whatever else stands there names nobody."""
    assert resting_in(document) == names


async def test_who_rests_is_seen_so() -> None:
    """The others are not."""
    bed = Bedside()
    bed.keep(resolved(failing_over()))
    seen = bed.seen({"metadata": {"annotations": {MAINTENANCE: V1}}})

    assert {name: backend_seen.resting for name, backend_seen in seen.backends.items()} == {
        V1: True,
        V2: False,
        DR: False,
    }


def test_the_stores_keep_the_annotation() -> None:
    """In a cluster it stays in what is cached; beside an Envoy a change of it is a change of what is wanted."""
    document = failing_over()
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    resting = {**document, "metadata": {**metadata, "resourceVersion": "1", "annotations": {MAINTENANCE: V1}}}

    assert resting_in(stored(kept_rollout(resting)).document) == {V1}
    assert wanted(resting) != wanted(document)
