"""Facts about what a pass looks at."""

from dataclasses import replace

import pytest

from rollout.analysis.samples import Batch
from rollout.controller.catalog import Abilities, Catalog, Resolved
from rollout.controller.entry import Entry
from rollout.controller.observe import Observer, backends_of, routes_of
from rollout.engine.observation import RouteKey, WorkloadKey
from rollout.engine.state import OwnedRule, State
from rollout.errors import Unavailable
from rollout.ports import StoredRollout
from rollout.spec.built_in import built_in_policy
from tests.controller.builders import KEY, NOW, ROUTE, UP, V1, V2, backend, manifest
from tests.fakes.health import FakeBackendHealth
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.fakes.workloads import FakeWorkloads

OWNED = State(owned=(OwnedRule(ROUTE, 0, "", 100, (backend(V1), backend(V2)), alone=True),))


def _stored(**spec: object) -> StoredRollout:
    return StoredRollout(KEY, manifest(**spec), {}, "1", 3)


def _resolved(stored: StoredRollout) -> Resolved:
    return Catalog(FakeStore(), built_in_policy(), Abilities()).resolve(stored, None)


def test_the_routes_are_those_of_the_spec_once_each() -> None:
    """A route that the spec names twice, with two rules, is looked at once; another namespace is taken as said."""
    routes = [
        {"kind": "HTTPRoute", "name": "checkout", "rule": 0},
        {"kind": "HTTPRoute", "name": "checkout", "rule": 1},
        {"kind": "GRPCRoute", "name": "checkout", "namespace": "edge"},
    ]
    rollout = _resolved(_stored(routes=routes)).rollout
    assert rollout is not None

    assert routes_of(rollout.spec, State(), KEY.namespace) == (ROUTE, RouteKey("GRPCRoute", "edge", "checkout"))


def test_without_a_spec_the_routes_are_those_of_the_status() -> None:
    """An invalid Rollout still looks at the routes that it owns, so that an abort works."""
    assert routes_of(None, OWNED, KEY.namespace) == (ROUTE,)
    assert backends_of(None, OWNED, KEY.namespace) == (backend(V1), backend(V2))


def test_without_spec_and_status_there_is_nothing_to_look_at() -> None:
    """A Rollout that was never valid looks at nothing."""
    assert (routes_of(None, State(), KEY.namespace), backends_of(None, State(), KEY.namespace)) == ((), ())


def test_the_backups_are_looked_at_too() -> None:
    """The backends are stable, canary and the backups."""
    backends = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": "dr"}]}
    rollout = _resolved(_stored(backends=backends)).rollout
    assert rollout is not None

    assert backends_of(rollout.spec, State(), KEY.namespace) == (backend(V1), backend(V2), backend("dr"))


def test_what_is_seen_comes_from_the_caches() -> None:
    """Routes, endpoints, command and generation are in the observation, with its time."""
    routes, health, stored = FakeRouteTable(), FakeBackendHealth(), _stored()
    routes.put(ROUTE, {V1: 100, V2: 0})
    health.put(backend(V1), UP)
    observer = Observer(routes, health, FakeWorkloads(), cadence_seconds=10)
    seen = observer.observe(Entry(KEY), stored, _resolved(stored), now=NOW, session=NOW - 5)

    assert (seen.routes[ROUTE], seen.endpoints[V1], seen.endpoints[V2].known) == (routes.read(ROUTE), UP, False)
    assert (seen.now, seen.session_started_at, seen.cadence_seconds, seen.generation) == (NOW, NOW - 5, 10, 3)


def test_a_measurement_counts_once() -> None:
    """What was measured is in one observation and not in the next."""
    stored, entry, batch = _stored(), Entry(KEY), Batch()
    entry.batch = batch
    observer = Observer(FakeRouteTable(), FakeBackendHealth(), FakeWorkloads(), cadence_seconds=10)
    first = observer.observe(entry, stored, _resolved(stored), now=NOW, session=NOW)
    second = observer.observe(entry, stored, _resolved(stored), now=NOW, session=NOW)

    assert (first.batch, second.batch) == (batch, None)


def test_a_route_that_cannot_be_read_is_explained() -> None:
    """Why a route is not there is one of the problems."""
    stored = _stored()
    observer = Observer(FakeRouteTable(), FakeBackendHealth(), FakeWorkloads(), cadence_seconds=10)
    seen = observer.observe(Entry(KEY), stored, _resolved(stored), now=NOW, session=NOW)

    assert seen.problems == (f"{ROUTE}: {ROUTE} does not exist",)


def test_a_route_of_which_nothing_is_known_yet_is_waited_for() -> None:
    """A pass does not decide on it; who only looks is told what is missing."""
    stored, routes, entry = _stored(), FakeRouteTable(), Entry(KEY)
    routes.unread = {ROUTE}
    observer = Observer(routes, FakeBackendHealth(), FakeWorkloads(), cadence_seconds=10)
    with pytest.raises(Unavailable, match=f"{ROUTE}: it has not been read yet"):
        observer.wait_for_routes(entry, _resolved(stored))
    seen = observer.observe(entry, stored, _resolved(stored), now=NOW, session=NOW)
    routes.put(ROUTE, {V1: 100, V2: 0})
    observer.wait_for_routes(entry, _resolved(stored))

    assert seen.problems == (f"{ROUTE}: it has not been read yet",)


def test_a_workload_that_cannot_be_seen_is_a_problem() -> None:
    """Once for each reason, since both backends may have the same."""
    named = {"stable": {"kind": "StatefulSet", "name": "old"}, "canary": {"kind": "StatefulSet", "name": "new"}}
    stored, workloads, routes = _stored(workloads=named), FakeWorkloads(), FakeRouteTable()
    routes.put(ROUTE, {V1: 100, V2: 0})
    workloads.hidden = {"StatefulSet": "StatefulSets cannot be seen: forbidden"}
    resolved = Catalog(FakeStore(), built_in_policy(), Abilities(workloads=True)).resolve(stored, None)
    observer = Observer(routes, FakeBackendHealth(), workloads, cadence_seconds=10)
    seen = observer.observe(Entry(KEY), stored, resolved, now=NOW, session=NOW)

    assert seen.problems == ("StatefulSets cannot be seen: forbidden",)


def test_a_backend_that_does_not_exist_is_a_problem() -> None:
    """Which Service is missing is said."""
    stored, health, routes = _stored(), FakeBackendHealth(), FakeRouteTable()
    routes.put(ROUTE, {V1: 100, V2: 0})
    health.take_away(backend(V2))
    observer = Observer(routes, health, FakeWorkloads(), cadence_seconds=10)
    seen = observer.observe(Entry(KEY), stored, _resolved(stored), now=NOW, session=NOW)

    assert seen.problems == (f"Service shop/{V2} does not exist",)


def test_workloads_are_seen_by_the_name_of_their_backend() -> None:
    """Those that the spec names, None where there is none, and what the last order met."""
    named = {"stable": {"kind": "Deployment", "name": "old"}, "canary": {"kind": "Deployment", "name": "new"}}
    stored, entry, workloads = _stored(workloads=named), Entry(KEY), FakeWorkloads()
    entry.order_problem = "refused"
    workloads.put(WorkloadKey("Deployment", "shop", "new"), "two")
    observer = Observer(FakeRouteTable(), FakeBackendHealth(), workloads, cadence_seconds=10)
    seen = observer.observe(entry, stored, _resolved(stored), now=NOW, session=NOW)
    invalid = observer.observe(entry, stored, Resolved(None, (), "", 1, None), now=NOW, session=NOW)

    assert {name: view and view.template for name, view in seen.workloads.items()} == {V1: None, V2: "two"}
    assert (seen.order_problem, invalid.workloads) == ("refused", {})


def test_the_problems_of_the_manifest_come_first() -> None:
    """What is wrong with the manifest is told before what is wrong with the world."""
    stored = replace(_stored(steps=[{"weight": 200}]))
    observer = Observer(FakeRouteTable(), FakeBackendHealth(), FakeWorkloads(), cadence_seconds=10)
    seen = observer.observe(Entry(KEY), stored, _resolved(stored), now=NOW, session=NOW)

    assert "steps" in seen.problems[0]
