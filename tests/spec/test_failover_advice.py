"""Warnings of failovers that will not do what is hoped for."""

from typing import Any

import pytest

from rollout.spec.advice import warnings_of
from tests.spec.builders import BACKENDS, rollout

WITH_BACKUP = {**BACKENDS, "backups": [{"name": "dr"}]}
ENDPOINTS: dict[str, Any] = {"signals": {"endpoints": {}}}
PROBE: dict[str, Any] = {"tcp": {}}


def fields_of(rps: float | None = None, **failover: object) -> list[str]:
    """Return the fields of the failover that are warned of."""
    found = warnings_of(rollout(failover=failover, backends=WITH_BACKUP), requests_per_second=rps)
    return [problem.field.removeprefix("spec.failover.") for problem in found]


def test_a_sound_failover_gives_no_warning() -> None:
    """The defaults with endpoints and a probe need no word."""
    assert fields_of(signals={"endpoints": {}, "probe": PROBE}) == []


@pytest.mark.parametrize(
    ("failover", "field"),
    [
        ({"signals": {"probe": {**PROBE, "timeout": "2s"}}}, "signals.probe.timeout"),
        ({"signals": {"probe": {**PROBE, "interval": "4s"}}}, "signals.staleAfter"),
        ({"signals": {"probe": {**PROBE, "fall": 30}}}, "signals.probe.fall"),
        ({"signals": {"metrics": {}}}, "signals"),
        ({"signals": {"endpoints": {}, "metrics": {"window": "1h"}}}, "signals.metrics.window"),
        ({**ENDPOINTS, "overprovisioning": 200}, "overprovisioning"),
        ({**ENDPOINTS, "failback": {"steps": [50, 10, 100]}}, "failback.steps"),
        ({**ENDPOINTS, "rampUp": [50, 50]}, "rampUp"),
        ({**ENDPOINTS, "failback": {"holdGrowth": {"max": "1m"}}}, "failback.holdGrowth.max"),
    ],
)
def test_what_will_not_work_is_warned_of(failover: dict[str, Any], field: str) -> None:
    """Each doubtful failover gives exactly its warning."""
    assert fields_of(**failover) == [field]


def test_spill_needs_somebody_who_counts() -> None:
    """Metrics do not say how many endpoints are well."""
    assert fields_of(signals={"metrics": {}}, strategy="Spill") == ["signals", "strategy"]
    assert fields_of(**ENDPOINTS, strategy="Spill", overprovisioning=200) == []


def test_backups_without_failover_are_warned_of() -> None:
    """A backup that nothing fails over to is a mistake more often than not."""
    (problem,) = warnings_of(rollout(backends=WITH_BACKUP))

    assert (problem.field, problem.given, problem.warning) == ("spec.backends.backups", "1", True)


@pytest.mark.parametrize(
    ("rps", "said"),
    [
        (0.5, ["are more requests than come in the window: about 30"]),
        (2, ["are more requests than the first failback step gets in the window: about 12"]),
        (20, []),
    ],
)
def test_samples_that_never_come_are_warned_of(rps: float, said: list[str]) -> None:
    """With the traffic known it is said when metrics could not judge."""
    spec: dict[str, Any] = {"signals": {"endpoints": {}, "metrics": {}}}
    found = warnings_of(rollout(failover=spec, backends=WITH_BACKUP), requests_per_second=rps)

    told = [problem.message for problem in found if problem.field == "spec.failover.signals.metrics.minSamples"]
    assert told == said


def test_without_metrics_the_traffic_does_not_matter() -> None:
    """Endpoints and probes count no requests."""
    assert "signals.metrics.minSamples" not in fields_of(rps=0.1, **ENDPOINTS)
