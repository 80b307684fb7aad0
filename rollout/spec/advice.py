"""Warnings: what is allowed in a Rollout and yet will not do what its writer hopes for.

Called by ``rollout lint``. Nothing here refuses a Rollout; that is ``rollout.spec.admission``.
"""

from __future__ import annotations

from collections.abc import Iterator

from rollout.errors import Problem
from rollout.spec.analysis import Analysis, Judge, QueryCheck, SlowerThanCheck
from rollout.spec.failover_advice import failover_warnings
from rollout.spec.lifecycle import PromotionMode, StartMode
from rollout.spec.plan import steps_of, too_few_requests
from rollout.spec.quantities import format_duration
from rollout.spec.resource import Rollout, RolloutSpec
from rollout.spec.traffic import RouteKind, Step

_MOST_COMPARABLE = 98.0
_WORTH_SAYING = 0.1
_ALL = 100.0


def warnings_of(rollout: Rollout, *, requests_per_second: float | None = None) -> tuple[Problem, ...]:
    """Return what to warn of; ``requests_per_second`` (all backends together) lets it count requests too."""
    spec = rollout.spec
    found = [*_of_steps(spec), *_of_analysis(spec.analysis), *_of_warm_up(spec), *_of_workloads(spec)]
    if requests_per_second is not None:
        found += _of_traffic(spec, requests_per_second)
    found += failover_warnings(spec, requests_per_second=requests_per_second)
    return tuple(found)


def _warning(field: str, message: str, *, given: str, allowed: str) -> Problem:
    return Problem(field, message, given=given, allowed=allowed, warning=True)


def _place(spec: RolloutSpec, index: int, field: str = "") -> str:
    """Return the path of step ``index``, which may come from a ramp."""
    return "spec.ramp" if spec.ramp is not None else f"spec.steps[{index}]{field}"


def _of_steps(spec: RolloutSpec) -> Iterator[Problem]:
    steps = steps_of(spec)
    for index, step in enumerate(steps):
        if step.hold <= 0 and not (step.min_requests or step.approval or step.gates):
            message = "waits for nothing, so the step is left after one fresh look"
            allowed = "hold, minRequests, approval or gates"
            yield _warning(_place(spec, index), message, given=f"only weight {step.weight:g}", allowed=allowed)
        yield from _of_precision(spec, index, step)
    yield from _of_last(spec, steps)


def _of_last(spec: RolloutSpec, steps: tuple[Step, ...]) -> Iterator[Problem]:
    last = max((step.weight for step in steps), default=0.0)
    if last > _MOST_COMPARABLE and spec.analysis.checks:
        index = [step.weight for step in steps].index(last)
        message = "leaves stable too little traffic to compare with, so only the objective is judged there"
        yield _warning(
            _place(spec, index, ".weight"), message, given=f"{last:g}", allowed="95 is recommended as the last weight"
        )


def _of_precision(spec: RolloutSpec, index: int, step: Step) -> Iterator[Problem]:
    exact = step.weight * spec.precision / _ALL
    real = min(max(round(exact), 1), spec.precision - 1)
    if not 0 < step.weight < _ALL or abs(real - exact) <= _WORTH_SAYING * min(exact, spec.precision - exact):
        return
    message = f"cannot be told apart at precision {spec.precision}: it becomes {real} of {spec.precision}"
    allowed = "a weight that precision can express, or a larger precision"
    yield _warning(_place(spec, index, ".weight"), message, given=f"{step.weight:g}", allowed=allowed)


def _of_analysis(analysis: Analysis) -> Iterator[Problem]:
    if all(check.dry_run for check in analysis.checks):
        message = "judges nothing, so only time, approvals and gates protect the attempt"
        given = "only dry runs" if analysis.checks else "no checks"
        yield _warning("spec.analysis.checks", message, given=given, allowed="at least one check without dryRun")
    for index, check in enumerate(analysis.checks):
        by_evidence = not isinstance(check, QueryCheck) and (check.judge or analysis.judge) is Judge.EVIDENCE
        for name, limit in (("failAbove", check.fail_above), ("failBelow", check.fail_below)):
            if by_evidence and limit is not None:
                field, message = f"spec.analysis.checks[{index}].{name}", "has no effect under judge Evidence"
                yield _warning(field, message, given=f"{limit:g}", allowed="judge: Threshold, or no limit")


def _of_warm_up(spec: RolloutSpec) -> Iterator[Problem]:
    total = sum(step.hold for step in steps_of(spec))
    by_slowness = any(isinstance(check, SlowerThanCheck) for check in spec.analysis.checks)
    if by_slowness and 0 < total <= spec.analysis.warm_up:
        message = "is not shorter than all hold times together, so slowness is never judged"
        given, allowed = format_duration(spec.analysis.warm_up), f"less than {format_duration(total)}"
        yield _warning("spec.analysis.warmUp", message, given=given, allowed=allowed)


def _of_workloads(spec: RolloutSpec) -> Iterator[Problem]:
    on_envoy = any(route.kind is RouteKind.ENVOY_ROUTE for route in spec.routes)
    both = spec.workloads.canary and spec.workloads.stable
    if spec.start is StartMode.ON_WORKLOAD and (on_envoy or both is None):
        message, allowed = "has no workloads to watch", "OnRevision, or Kubernetes with both workloads"
        yield _warning("spec.start", message, given="OnWorkload", allowed=allowed)
    if spec.promotion.mode is PromotionMode.COPY_TEMPLATE and (on_envoy or both is None):
        message, allowed = "has no workloads to copy between", "Swap, or Kubernetes with both workloads"
        yield _warning("spec.promotion.mode", message, given="CopyTemplate", allowed=allowed)


def _of_traffic(spec: RolloutSpec, requests_per_second: float) -> Iterator[Problem]:
    wanted = spec.analysis.min_requests if spec.analysis.checks else 0
    steps = steps_of(spec)
    for short in too_few_requests(steps, min_requests=wanted, requests_per_second=requests_per_second):
        step = steps[short.step]
        given = f"weight {step.weight:g} for {format_duration(step.hold)} at {requests_per_second:g} requests/s"
        yield _warning(_place(spec, short.step), short.sentence(), given=given, allowed="more weight, time or traffic")
