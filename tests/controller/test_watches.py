"""Facts about what is to be seen for failover: whose health, by which signals, and what many Rollouts share."""

from __future__ import annotations

from dataclasses import replace

from rollout.controller.catalog import Abilities, Catalog
from rollout.controller.watches import EndpointsAsk, Watch, watch_of
from rollout.engine.observation import RouteKey
from rollout.engine.state import OwnedRule, State, Tiers
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage
from rollout.ports import StoredRollout
from rollout.spec.built_in import built_in_policy
from rollout.spec.failover import Failover
from rollout.spec.metrics import MetricTemplates
from rollout.spec.resource import Rollout
from tests.controller.builders import KEY, ROUTE, V1, V2, backend, manifest
from tests.controller.failing import ALL, DR, ENDPOINTS, METRICS, PROBE, failing_over
from tests.fakes.store import FakeStore

STANDS = State(stable=V1, canary=V2)
TEMPLATES = MetricTemplates.model_validate(
    {"errors": {"total": "all", "bad": ["bad"]}, "backendLabels": {"service": "{{ backend.name }}"}}
)
BY_ROUTE = TEMPLATES.model_copy(update={"backend_labels": {"route": "{{ route.name }}/{{ backend.name }}"}})


def resolved(document: dict[str, object], templates: MetricTemplates | None = None) -> Rollout:
    """Return the Rollout, as if a policy had given it these templates."""
    stored = StoredRollout(KEY, document, {}, "1", 1)
    rollout = Catalog(FakeStore(), built_in_policy(), Abilities()).resolve(stored, None).rollout
    assert rollout is not None
    return rollout.model_copy(update={"spec": rollout.spec.model_copy(update={"metrics": templates})})


def watched(
    document: dict[str, object], state: State = STANDS, *, templates: MetricTemplates | None = None
) -> Watch | None:
    """Return what is to be seen."""
    return watch_of(resolved(document, templates), state, namespace="shop", before=None)


def test_without_failover_there_is_nothing_to_see() -> None:
    """Neither for a Rollout without it, nor for one that was never valid."""
    assert watched(manifest()) is None
    assert watch_of(None, State(), namespace="shop", before=None) is None


def test_the_pair_and_the_backups_are_seen_by_each_signal() -> None:
    """The primary is who has the stable role, whatever the spec calls it."""
    signals = {"endpoints": {"minReadyPercent": 40}, **PROBE, **METRICS, "staleAfter": "7s"}
    watch = watched(failing_over(signals), replace(STANDS, stable=V2, canary=V1))
    assert watch is not None
    asks = watch.backends[DR]
    assert asks.endpoints is not None
    assert asks.probe is not None
    assert asks.metrics is not None

    assert sorted(watch.backends) == sorted(ALL)
    assert watch.primary == backend(V2)
    assert asks.endpoints.signal.min_ready_percent == 40
    assert (asks.probe.stale_after, asks.probe.min_percent) == (7.0, 40)
    assert (asks.metrics.stale_after, asks.metrics.requests.window_seconds) == (7.0, 60.0)


def test_a_signal_that_is_not_configured_is_not_asked() -> None:
    """And a probe alone is content with one target."""
    watch = watched(failing_over(PROBE))
    assert watch is not None
    asks = watch.backends[V1]
    assert asks.probe is not None

    assert (asks.endpoints, asks.metrics, asks.probe.min_percent) == (None, None, 1)


def test_two_rollouts_on_the_same_backends_ask_the_same() -> None:
    """Whatever their routes are called, unless requests are counted by route."""
    mine, other = failing_over(METRICS), failing_over(METRICS)
    spec = other["spec"]
    assert isinstance(spec, dict)
    spec["routes"] = [{"kind": "HTTPRoute", "name": "another"}]
    shared = [watched(document, templates=TEMPLATES) for document in (mine, other)]
    apart = [watched(document, templates=BY_ROUTE) for document in (mine, other)]

    assert shared[0] == shared[1]
    assert apart[0] != apart[1]


def test_templates_that_count_errors_by_route_are_by_route_too() -> None:
    """The placeholder may stand in a selector as well as in a label."""
    errors = {"total": 'all{route="{{ route.name }}"}', "bad": ["bad"]}
    by_selector = MetricTemplates.model_validate({"errors": errors, "backendLabels": {"service": "x"}})
    silent = MetricTemplates.model_validate({"backendLabels": {"service": "x"}})
    routes = []
    for templates in (by_selector, silent):
        watch = watched(failing_over(METRICS), templates=templates)
        assert watch is not None
        asks = watch.backends[V1].metrics
        assert asks is not None
        routes.append(asks.requests.route)

    assert routes == ["checkout", ""]


def test_an_invalid_rollout_is_watched_as_when_it_was_valid() -> None:
    """The settings are those of the status, the backends those of the rules, the templates those of before."""
    before = watched(failing_over({**ENDPOINTS, **METRICS}), templates=TEMPLATES)
    assert before is not None
    rules = (OwnedRule(ROUTE, 0, "", 100, tuple(map(backend, ALL)), alone=True),)
    state = replace(STANDS, owned=rules, tiers=Tiers(before.settings, (DR,)))
    after = watch_of(None, state, namespace="shop", before=before)
    restarted = watch_of(None, state, namespace="shop", before=None)
    assert restarted is not None

    assert after == before
    assert restarted.backends[V1].endpoints == EndpointsAsk(backend(V1), before.settings.signals.endpoints)  # type: ignore[arg-type]
    assert restarted.backends[V1].metrics is None


def test_a_backup_that_carries_traffic_is_seen_though_the_spec_names_it_no_more() -> None:
    """It counts until traffic is back."""
    settings = Failover.model_validate({"signals": dict(ENDPOINTS)})
    rules = (OwnedRule(RouteKey("HTTPRoute", "shop", "checkout"), 0, "", 100, tuple(map(backend, ALL)), alone=True),)
    away = FailoverState(stage=Stage.FAILED_OVER, active=DR, shares=((DR, 100),))
    state = replace(STANDS, owned=rules, tiers=Tiers(settings, (DR,)), failover=away)
    watch = watched(manifest(), state)
    assert watch is not None

    assert watch.backends[DR].endpoints is not None
