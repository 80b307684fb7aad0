"""What is to be seen for the failover of one Rollout: whose health, by which signals, asked how. Pure.

Asks of many Rollouts that are equal are one, so nothing of a Rollout stands in them that its answer does not hang on.
Made anew with each pass by ``rollout.controller.vitals``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rollout.controller.counting import MetricsAsk
from rollout.controller.observe import backends_of
from rollout.controller.requests import RequestsAsk
from rollout.engine.observation import BackendKey
from rollout.engine.state import State, Tiers
from rollout.engine.tiers import in_force
from rollout.signals import ProbeAsk
from rollout.spec.failover import EndpointsSignal, Failover
from rollout.spec.metrics import MetricTemplates
from rollout.spec.resource import Rollout, RolloutSpec

ROUTE_NAME = "route.name"


@dataclass(frozen=True, slots=True)
class EndpointsAsk:
    """Whose endpoints are read, and how."""

    backend: BackendKey
    signal: EndpointsSignal


@dataclass(frozen=True, slots=True)
class Asks:
    """How one backend is looked at: by each signal that is configured."""

    backend: BackendKey
    endpoints: EndpointsAsk | None
    probe: ProbeAsk | None
    metrics: MetricsAsk | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is seen for one Rollout: its settings, its primary (None: not known which), each backend by name."""

    settings: Failover
    primary: BackendKey | None
    backends: Mapping[str, Asks]


def watch_of(rollout: Rollout | None, state: State, *, namespace: str, before: Watch | None) -> Watch | None:
    """Return what is to be seen, None where no failover counts; ``before`` is what was, whose templates may be needed.

    A Rollout that has become invalid is still counted by the templates of when it was valid.
    """
    spec = rollout.spec if rollout is not None else None
    tiers = in_force(spec, state)
    if tiers is None:
        return None
    keys = _keys(spec, state, tiers, namespace)
    source = _source(spec, tiers, namespace) or _source_before(before)
    backends = {name: _asks(key, tiers.settings, source) for name, key in keys.items()}
    return Watch(tiers.settings, keys.get(state.stable), backends)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where requests are counted."""

    namespace: str
    route: str
    templates: MetricTemplates | None


def _keys(spec: RolloutSpec | None, state: State, tiers: Tiers, namespace: str) -> dict[str, BackendKey]:
    """Return all backends that may count by name: the pair by role, and the backups in order."""
    owned = [backend for rule in state.owned for backend in rule.backends]
    known = {backend.name: backend for backend in (*owned, *backends_of(spec, state, namespace))}
    pair = spec.backends.names if spec is not None else ()
    names = dict.fromkeys((state.stable, state.canary, *pair, *tiers.backups))
    return {name: known[name] for name in names if name in known}


def _source(spec: RolloutSpec | None, tiers: Tiers, namespace: str) -> _Source | None:
    if spec is None or tiers.settings.signals.metrics is None:
        return None
    templates = spec.metrics
    is_by_route = templates is not None and any(ROUTE_NAME in text for text in _texts(templates))
    return _Source(namespace, spec.routes[0].name if is_by_route else "", templates)


def _texts(templates: MetricTemplates) -> Iterator[str]:
    yield from templates.backend_labels.values()
    if templates.errors is not None:
        yield from (templates.errors.total, *templates.errors.bad)


def _source_before(before: Watch | None) -> _Source | None:
    asks = (asks.metrics.requests for asks in before.backends.values() if asks.metrics) if before is not None else ()
    return next((_Source(ask.namespace, ask.route, ask.templates) for ask in asks), None)


def _asks(backend: BackendKey, settings: Failover, source: _Source | None) -> Asks:
    signals, metrics = settings.signals, None
    if signals.metrics is not None and source is not None:
        requests = RequestsAsk(
            source.namespace, source.route, backend, source.templates, window_seconds=signals.metrics.window
        )
        metrics = MetricsAsk(requests, signals.metrics, signals.stale_after)
    return Asks(
        backend=backend,
        endpoints=EndpointsAsk(backend, signals.endpoints) if signals.endpoints is not None else None,
        probe=_probe_ask(backend, settings),
        metrics=metrics,
    )


def _probe_ask(backend: BackendKey, settings: Failover) -> ProbeAsk | None:
    signals = settings.signals
    if signals.probe is None:
        return None
    least = signals.endpoints.min_ready_percent if signals.endpoints is not None else 1
    return ProbeAsk(backend, signals.probe, signals.stale_after, least)
