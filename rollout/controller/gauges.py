"""Live metrics of Rollouts: read from the controller's states when somebody scrapes, so that passes pay nothing.

Registered by ``rollout.bootstrap`` with the registry of ``rollout.meters``. ``collect`` may run in a thread beside the
loop: it reads frozen values only. A Rollout at rest has few series; one that is gone has none.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rollout.engine.drift import running
from rollout.engine.moves import intended
from rollout.engine.state import State
from rollout.meter_table import SINKS, TABLE
from rollout.ports import Key

States = Callable[[], Iterable[tuple[Key, State]]]
READY = "FailoverReady"
EFFECTIVE = "WeightsEffective"
_KNOWN = {"True": 1.0, "False": 0.0}

_LIVE = tuple(row for row in TABLE if row.live and row not in SINKS)


class RolloutGauges(Collector):
    """One family for each live row of the table."""

    def __init__(self, states: States) -> None:
        """Read the Rollouts that ``states`` returns."""
        self._states = states

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the families without values, so that registering reads nothing."""
        return _families().values()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families, read now."""
        began, families, phases = time.perf_counter(), _families(), Counter[str]()
        for key, state in self._states():
            phases[state.phase.value] += 1
            _add(families, (key.namespace, key.name), state)
        for phase, count in phases.items():
            families["rollout_rollouts"].add_metric((phase,), count)
        families["rollout_scrape_seconds"].add_metric((), time.perf_counter() - began)
        yield from families.values()


def _families() -> dict[str, GaugeMetricFamily]:
    return {row.name: GaugeMetricFamily(row.name, row.meaning, labels=row.labels) for row in _LIVE}


def _add(families: dict[str, GaugeMetricFamily], who: tuple[str, str], state: State) -> None:
    families["rollout_phase"].add_metric((*who, state.phase.value, state.reason), 1)
    families["rollout_attempt"].add_metric(who, state.attempt)
    families["rollout_canary_weight_percent"].add_metric(who, state.share)
    if state.tiers is not None:
        families["rollout_failover_state"].add_metric((*who, state.failover.stage.value), 1)
        families["rollout_failover_ready"].add_metric(who, float(_condition(state, READY) == "True"))
    if (effective := _KNOWN.get(_condition(state, EFFECTIVE))) is not None:
        families["rollout_weights_effective"].add_metric(who, effective)
    if state.transitions:
        families["rollout_last_transition_timestamp_seconds"].add_metric(who, state.transitions[-1].at)
    for backend, weight in intended(state):
        role = "stable" if backend == state.stable else "canary" if backend == state.canary else "backup"
        families["rollout_backend_weight"].add_metric((*who, backend, role), weight)
    for backend, health in state.ready:
        families["rollout_backend_health"].add_metric((*who, backend, health), 1)
    if running(state):
        _add_attempt(families, who, state)


def _condition(state: State, kind: str) -> str:
    return next((condition.status for condition in state.conditions if condition.type == kind), "Unknown")


def _add_attempt(families: dict[str, GaugeMetricFamily], who: tuple[str, str], state: State) -> None:
    families["rollout_step"].add_metric(who, state.step)
    for check in state.evidence:
        if check.limit > 0:
            share = min(1.0, max(0.0, check.log_evidence / check.limit))
            families["rollout_check_evidence_ratio"].add_metric((*who, check.name), share)
        for role, kind, count in (
            ("canary", "all", check.canary_total),
            ("canary", "bad", check.canary_bad),
            ("stable", "all", check.stable_total),
            ("stable", "bad", check.stable_bad),
        ):
            families["rollout_check_requests"].add_metric((*who, check.name, role, kind), count)
