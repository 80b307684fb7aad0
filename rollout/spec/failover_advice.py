"""Warnings of failover: what is allowed and yet will not do what its writer hopes for.

Called by ``rollout.spec.advice``, which says the same of everything else.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.errors import Problem
from rollout.spec.failover import Failover, Strategy
from rollout.spec.probe import ProbeSignal
from rollout.spec.quantities import format_duration
from rollout.spec.resource import RolloutSpec

_ALL = 100
_FRESH_INTERVALS = 3
_SLOW_SECONDS = 30.0
"""Readiness of pods tells that much later of a failure by itself, as clusters are set by default."""

_MOST_WINDOW_SECONDS = 3000.0
"""Sources keep so much of the past at hand."""

_PATH = "spec.failover"


def failover_warnings(spec: RolloutSpec, *, requests_per_second: float | None) -> Iterator[Problem]:
    """Yield what to warn of in the failover of ``spec``; ``requests_per_second`` is that of all backends together."""
    failover = spec.failover
    if failover is None:
        if spec.backends.backups:
            message, allowed = "get no traffic without failover", "spec.failover, here or in the policy"
            yield _warning("spec.backends.backups", message, given=f"{len(spec.backends.backups)}", allowed=allowed)
        return
    if failover.signals.probe is not None:
        yield from _of_probe(failover, failover.signals.probe)
    yield from _of_sight(failover)
    yield from _of_spill(failover)
    yield from _of_failback(failover)
    if requests_per_second is not None:
        yield from _of_samples(failover, requests_per_second)


def _warning(field: str, message: str, *, given: str, allowed: str) -> Problem:
    return Problem(field, message, given=given, allowed=allowed, warning=True)


def _of_probe(failover: Failover, probe: ProbeSignal) -> Iterator[Problem]:
    path = f"{_PATH}.signals.probe"
    if probe.timeout > probe.interval:
        message = "is longer than the interval, so that a target which hangs is asked less often"
        allowed = f"at most {format_duration(probe.interval)}"
        yield _warning(f"{path}.timeout", message, given=format_duration(probe.timeout), allowed=allowed)
    fresh = _FRESH_INTERVALS * probe.interval
    if fresh > failover.signals.stale_after:
        message = (
            f"counts as {format_duration(fresh)} for the probe, which comes every {format_duration(probe.interval)}"
        )
        given, allowed = format_duration(failover.signals.stale_after), f"at least {format_duration(fresh)}"
        yield _warning(f"{_PATH}.signals.staleAfter", message, given=given, allowed=allowed)
    takes = probe.fall * max(probe.interval, probe.timeout) + failover.confirm_for
    if takes > _SLOW_SECONDS:
        message = f"finds a failure after {format_duration(takes)} at the earliest, later than readiness of pods does"
        given = f"{probe.fall} probes, one every {format_duration(probe.interval)}"
        yield _warning(f"{path}.fall", message, given=given, allowed="a shorter interval, or fewer probes")


def _of_sight(failover: Failover) -> Iterator[Problem]:
    signals, path = failover.signals, f"{_PATH}.signals"
    if signals.metrics is not None and signals.endpoints is None and signals.probe is None:
        message = "sees nothing of a backup without requests of its own, and traffic goes only to what is seen healthy"
        yield _warning(path, message, given="only metrics", allowed="endpoints or probe beside metrics")
    if signals.metrics is not None and signals.metrics.window > _MOST_WINDOW_SECONDS:
        most = format_duration(_MOST_WINDOW_SECONDS)
        given, message = format_duration(signals.metrics.window), f"is looked back over for {most} only"
        yield _warning(f"{path}.metrics.window", message, given=given, allowed=f"at most {most}")


def _of_spill(failover: Failover) -> Iterator[Problem]:
    signals = failover.signals
    if failover.strategy is Strategy.SPILL and signals.endpoints is None and signals.probe is None:
        message = "needs a count of healthy endpoints, which metrics do not give: it is all or nothing"
        yield _warning(f"{_PATH}.strategy", message, given="Spill", allowed="Spill with endpoints or probe, or Switch")
    if failover.strategy is Strategy.SWITCH and failover.overprovisioning != Failover().overprovisioning:
        given, message = str(failover.overprovisioning), "has no effect on Switch, which moves all at once"
        yield _warning(f"{_PATH}.overprovisioning", message, given=given, allowed="strategy: Spill, or no such field")


def _of_failback(failover: Failover) -> Iterator[Problem]:
    failback = failover.failback
    path, steps = f"{_PATH}.failback", failback.steps
    for field, weights in ((f"{path}.steps", steps), (f"{_PATH}.rampUp", failover.ramp_up)):
        if list(weights) != sorted(set(weights)):
            message, given = "does not rise from step to step", ", ".join(map(str, weights))
            yield _warning(field, message, given=given, allowed="weights that rise, such as 10, 50, 100")
    if failback.hold_growth.max < failback.stable_for:
        message, given = "is below stableFor, so that the wait never grows", format_duration(failback.hold_growth.max)
        allowed = f"more than {format_duration(failback.stable_for)}"
        yield _warning(f"{path}.holdGrowth.max", message, given=given, allowed=allowed)


def _of_samples(failover: Failover, requests_per_second: float) -> Iterator[Problem]:
    metrics = failover.signals.metrics
    if metrics is None:
        return
    comes = requests_per_second * metrics.window
    first = failover.failback.steps[0]
    if comes < metrics.min_samples:
        message = f"are more requests than come in the window: about {comes:.0f}"
    elif comes * first / _ALL < metrics.min_samples:
        message = f"are more requests than the first failback step gets in the window: about {comes * first / _ALL:.0f}"
    else:
        return
    given = f"{metrics.min_samples} in {format_duration(metrics.window)} at {requests_per_second:g} requests/s"
    allowed = "fewer samples, a longer window or a larger first step"
    yield _warning(f"{_PATH}.signals.metrics.minSamples", message, given=given, allowed=allowed)
