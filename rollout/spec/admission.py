"""Rules over more than one field: what a well-formed Rollout must still keep to be admitted.

Each rule is a small function that yields problems; ``problems_of`` runs them all over a Rollout with
its policy merged in. Called by ``rollout.spec.merge``. A rule says nothing about what is absent:
that is said by the shape (``rollout.spec.resource``) or by a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rollout.errors import Problem
from rollout.spec.analysis import Analysis, Judge, OnNoDataThen, QueryCheck, SlowerThanCheck
from rollout.spec.failover_rules import failover_problems
from rollout.spec.plan import MOST_STEPS, ramp_length
from rollout.spec.quantities import format_duration
from rollout.spec.resource import Rollout
from rollout.spec.traffic import BackendRef, Gate, Ramp

Rule = Callable[[Rollout], Iterable[Problem]]


def problems_of(rollout: Rollout) -> tuple[Problem, ...]:
    """Return everything that is wrong with ``rollout`` beyond the shape of its fields."""
    return tuple(problem for rule in RULES for problem in rule(rollout))


def failover_holds_together(rollout: Rollout) -> Iterator[Problem]:
    """Apply the rules of failover, where there is one."""
    spec = rollout.spec
    if spec.failover is not None:
        yield from failover_problems(spec.failover, backends=spec.backends, metrics=spec.metrics)


def has_a_plan(rollout: Rollout) -> Iterator[Problem]:
    """Ask for steps or a ramp, not both, from the Rollout or its policy; without a canary, for failover."""
    spec = rollout.spec
    if spec.backends.canary is None:
        if spec.failover is None:
            message = "is needed where there is no failover"
            yield Problem("spec.backends.canary", message, given="nothing", allowed="a backend, or spec.failover")
        return
    if spec.steps and spec.ramp is not None:
        yield Problem(
            "spec.ramp", "cannot stand beside steps", given="steps and a ramp", allowed="steps or a ramp, not both"
        )
    if not spec.steps and spec.ramp is None:
        yield Problem(
            "spec.steps",
            "there is no plan: neither the Rollout nor its policy has steps or a ramp",
            given="nothing",
            allowed="steps or a ramp",
        )


def ramp_goes_up(rollout: Rollout) -> Iterator[Problem]:
    """Ask that a ramp goes up, in a number of steps that somebody can follow."""
    ramp = rollout.spec.ramp
    if ramp is None:
        return
    yield from _ramp_problems(ramp)


def _ramp_problems(ramp: Ramp) -> Iterator[Problem]:
    if ramp.start > ramp.end:
        yield Problem("spec.ramp.from", "is above to", given=f"{ramp.start:g}", allowed=f"at most {ramp.end:g}")
    elif ramp_length(ramp) > MOST_STEPS:
        yield Problem(
            "spec.ramp.by",
            f"gives {ramp_length(ramp)} steps",
            given=f"{ramp.by:g}",
            allowed=f"an amount that gives at most {MOST_STEPS} steps",
        )


def pair_differs(rollout: Rollout) -> Iterator[Problem]:
    """Ask that stable and canary have different names: metrics and health tell backends apart by name."""
    stable, canary = rollout.spec.backends.names
    if stable == canary:
        yield Problem(
            "spec.backends.canary.name",
            "is the name of the stable backend too",
            given=canary,
            allowed="another backend than stable",
        )


def backups_are_others(rollout: Rollout) -> Iterator[Problem]:
    """Ask that every backup is a backend of its own."""
    backends, namespace = rollout.spec.backends, rollout.metadata.namespace
    taken = {_key(ref, namespace): role for ref, role in zip(backends.pair, ("stable", "canary"), strict=False)}
    for index, backup in enumerate(backends.backups):
        role = taken.setdefault(_key(backup, namespace), f"backups[{index}]")
        if role != f"backups[{index}]":
            path = f"spec.backends.backups[{index}]"
            yield Problem(path, f"is the same backend as {role}", given=_said(backup), allowed="a backend of its own")


def _key(backend: BackendRef, namespace: str) -> tuple[str, str, int]:
    return (backend.namespace or namespace, backend.name, backend.port or 0)


def _said(backend: BackendRef) -> str:
    return backend.name if backend.port is None else f"{backend.name}:{backend.port}"


def routes_are_unique(rollout: Rollout) -> Iterator[Problem]:
    """Ask that no rule of a route is listed twice, by itself or with all rules of its route."""
    seen: dict[tuple[str, str, str], list[int | str | None]] = {}
    for index, route in enumerate(rollout.spec.routes):
        rules = seen.setdefault((route.kind, route.namespace or rollout.metadata.namespace, route.name), [])
        if rules and (route.rule in rules or route.rule is None or None in rules):
            given = (
                f"{route.kind} {route.name}" if route.rule is None else f"{route.kind} {route.name}, rule {route.rule}"
            )
            yield Problem(f"spec.routes[{index}]", "is listed before", given=given, allowed="each rule of a route once")
        rules.append(route.rule)


def names_are_unique(rollout: Rollout) -> Iterator[Problem]:
    """Ask for different names among the checks, and among the gates of one list."""
    spec = rollout.spec
    yield from _repeated("spec.analysis.checks", [check.name for check in spec.analysis.checks])
    for index, step in enumerate(spec.steps):
        yield from _repeated(f"spec.steps[{index}].gates", _gate_names(step.gates))
    yield from _repeated("spec.hooks.beforeStart", _gate_names(spec.hooks.before_start))
    yield from _repeated("spec.hooks.onStep", _gate_names(spec.hooks.on_step))
    yield from _repeated("spec.hooks.beforePromotion", _gate_names(spec.hooks.before_promotion))
    yield from _repeated("spec.hooks.onRollback", _gate_names(spec.hooks.on_rollback))


def _gate_names(gates: Sequence[Gate]) -> list[str]:
    return [gate.name for gate in gates]


def _repeated(path: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            field = f"{path}[{index}].name"
            yield Problem(field, "is used before in this list", given=name, allowed="a name of its own")


def bounds_are_unique(rollout: Rollout) -> Iterator[Problem]:
    """Ask that no bound of a check is given twice: it would count double."""
    for number, check in enumerate(rollout.spec.analysis.checks):
        if isinstance(check, SlowerThanCheck):
            yield from _repeated_bounds(f"spec.analysis.checks[{number}].bounds", check)


def _repeated_bounds(path: str, check: SlowerThanCheck) -> Iterator[Problem]:
    texts = [format_duration(bound) for bound in check.bounds]
    for index, text in enumerate(texts):
        if text in texts[:index]:
            yield Problem(f"{path}[{index}]", "is given before", given=text, allowed="each bound once")


def thresholds_have_limits(rollout: Rollout) -> Iterator[Problem]:
    """Ask what is judged by threshold for a limit, and keep evidence away from queries."""
    analysis = rollout.spec.analysis
    for index, check in enumerate(analysis.checks):
        path = f"spec.analysis.checks[{index}]"
        if isinstance(check, QueryCheck) and check.judge is Judge.EVIDENCE:
            yield Problem(
                f"{path}.judge", "cannot judge a query, which has no counts", given="Evidence", allowed="Threshold"
            )
        by_threshold = isinstance(check, QueryCheck) or (check.judge or analysis.judge) is Judge.THRESHOLD
        if by_threshold and check.fail_above is None and check.fail_below is None:
            message = f"has no limit, and check {check.name} is judged by threshold"
            yield Problem(
                f"{path}.failAbove", message, given="nothing", allowed="a number as failAbove, failBelow or both"
            )
        if check.fail_above is not None and check.fail_below is not None and check.fail_below > check.fail_above:
            allowed = f"at most failAbove ({check.fail_above:g})"
            yield Problem(f"{path}.failBelow", "makes every value fail", given=f"{check.fail_below:g}", allowed=allowed)


def aborting_has_a_limit(rollout: Rollout) -> Iterator[Problem]:
    """Ask how long to hold before an attempt without data is aborted."""
    on_no_data = rollout.spec.analysis.on_no_data
    if on_no_data.then is OnNoDataThen.ABORT and on_no_data.hold is None:
        message = "is needed before then: Abort"
        yield Problem("spec.analysis.onNoData.hold", message, given="nothing", allowed="a duration, such as 15m")


def early_pass_has_holds(rollout: Rollout) -> Iterator[Problem]:
    """Ask for a least hold time on every step that may be left early."""
    spec = rollout.spec
    if not spec.analysis.early_pass:
        return
    for index, step in enumerate(spec.steps):
        if step.hold <= 0:
            message = "is needed on every step with analysis.earlyPass"
            yield Problem(f"spec.steps[{index}].hold", message, given="nothing", allowed="a duration above 0s")


def metrics_can_answer(rollout: Rollout) -> Iterator[Problem]:
    """Ask for the counters that the checks look at, where there are metric templates and a canary to check."""
    metrics = rollout.spec.metrics
    if metrics is None or rollout.spec.backends.canary is None:
        return
    missing = _unanswered(rollout.spec.analysis, errors=metrics.errors is not None, latency=metrics.latency is not None)
    for index, template in missing:
        check = rollout.spec.analysis.checks[index]
        message = f"needs metrics.{template} of the policy, which has none"
        yield Problem(
            f"spec.analysis.checks[{index}]", message, given=check.kind, allowed=f"a policy with metrics.{template}"
        )


def _unanswered(analysis: Analysis, *, errors: bool, latency: bool) -> Iterator[tuple[int, str]]:
    for index, check in enumerate(analysis.checks):
        if check.kind == "Errors" and not errors:
            yield index, "errors"
        if check.kind == "SlowerThan" and not latency:
            yield index, "latency"


RULES: tuple[Rule, ...] = (
    failover_holds_together,
    has_a_plan,
    ramp_goes_up,
    pair_differs,
    backups_are_others,
    routes_are_unique,
    names_are_unique,
    bounds_are_unique,
    thresholds_have_limits,
    aborting_has_a_limit,
    early_pass_has_holds,
    metrics_can_answer,
)
"""Every rule, in the order in which problems are told."""
