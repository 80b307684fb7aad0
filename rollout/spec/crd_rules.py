"""The rules over more than one field that the API server can check by itself, as CEL.

Beside ``rollout.spec.admission``, which says the same of a Rollout with its policy merged in and
more: here a Rollout stands alone, so a rule looks only at what no policy can give or take away.
Joined to the schema of each model by ``rollout.spec.crd_schema``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rollout.spec.plan import MOST_STEPS

INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression that must be true of a value, what is said when it is not, and the ``field`` that is named."""

    expression: str
    message: str
    field: str = ""
    reason: str = INVALID

    def as_schema(self) -> dict[str, object]:
        """Return the rule as an entry of ``x-kubernetes-validations``."""
        place = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.expression, "message": self.message, "reason": self.reason, **place}


def _same(field: str, left: str, right: str) -> str:
    """Return the expression that two objects have the same ``field``, or both none."""
    return f"(has({left}.{field}) ? has({right}.{field}) && {left}.{field} == {right}.{field} : !has({right}.{field}))"


def _same_backend(left: str, right: str) -> str:
    namespace = _same("__namespace__", left, right)
    return f"({left}.name == {right}.name && {left}.port == {right}.port && {namespace})"


def _beside_policy(rule: Rule) -> Rule:
    """Return the rule for a Rollout that names no policy, which could say what is missing."""
    return replace(rule, expression=f"has(self.policy) || ({rule.expression})")


_EARLY_PASS = Rule(
    "!has(self.analysis) || !has(self.analysis.earlyPass) || !self.analysis.earlyPass || !has(self.steps)"
    " || self.steps.all(s, has(s.hold) && s.hold.matches('[1-9]'))",
    "each step needs a hold time above 0s with analysis.earlyPass",
    ".steps",
)
_ASKED = "has(self.failover) && has(self.failover.signals)"
_SIGNAL = "has(self.failover.signals.{0}) ? 1 : 0"
_SIGNALS = " + ".join(f"({_SIGNAL.format(name)})" for name in ("endpoints", "probe", "metrics"))
_ENOUGH_FOR_FLEET = Rule(
    f"!has(self.failover) || !has(self.failover.fleetLimit) || ({_ASKED} && {_SIGNALS} >= 2)",
    "needs two signals, to tell a broken observer",
    ".failover.fleetLimit",
)
_ABORTS = (
    "has(self.analysis) && has(self.analysis.onNoData) && has(self.analysis.onNoData.then)"
    " && self.analysis.onNoData.then == 'Abort' && !has(self.analysis.onNoData.hold)"
)
_NEEDS_HOLD = "is needed before then: Abort"
_HOLD = ".analysis.onNoData.hold"
_TWO_PLANS = "cannot stand beside steps: give steps or a ramp, not both"
_EACH_CHECK = "!has(self.metrics) || !has(self.analysis) || !has(self.analysis.checks) || self.analysis.checks.all"

RULES: Mapping[str, tuple[Rule, ...]] = {
    "RolloutSpec": (
        Rule("!has(self.ramp) || !has(self.steps) || size(self.steps) == 0", _TWO_PLANS, ".ramp", FORBIDDEN),
        Rule(
            "has(self.policy) || has(self.ramp) || (has(self.steps) && size(self.steps) > 0)"
            " || !has(self.backends.canary)",
            "there is no plan: give steps or a ramp, or name a policy that has them",
            ".steps",
            REQUIRED,
        ),
        Rule(
            "has(self.policy) || has(self.failover) || has(self.backends.canary)",
            "is needed where there is no failover",
            ".backends.canary",
            REQUIRED,
        ),
        # Two entries with the same rule pass here: the text of a rule has no bound that CEL knows of, so comparing
        # each with each would cost more than the API server allows. The controller refuses them.
        Rule(
            "self.routes.all(a, has(a.rule) || self.routes.exists_one(b, a.kind == b.kind && a.name == b.name"
            f" && {_same('__namespace__', 'a', 'b')}))",
            "has a route twice: list each route once, or each of its rules once",
            ".routes",
        ),
        Rule(
            "!has(self.failover) || (has(self.backends.backups) && size(self.backends.backups) > 0)",
            "is needed for failover",
            ".backends.backups",
            REQUIRED,
        ),
        Rule(
            "!has(self.failover) || !has(self.backends.backups) || self.backends.backups.all(a,"
            " a.name != self.backends.stable.name"
            " && (!has(self.backends.canary) || a.name != self.backends.canary.name)"
            " && self.backends.backups.exists_one(b, a.name == b.name))",
            "has a name twice, and failover tells backends apart by name",
            ".backends.backups",
        ),
        Rule(
            f"has(self.policy) || !has(self.failover) || ({_ASKED} && {_SIGNALS} >= 1)",
            "has no signal: one of endpoints, probe and metrics is needed",
            ".failover.signals",
            REQUIRED,
        ),
        Rule(
            f"has(self.policy) || !({_ASKED}) || !has(self.failover.signals.combine)"
            " || (self.failover.signals.combine == 'Quorum(3)' ? 3"
            f" : self.failover.signals.combine == 'Quorum(2)' ? 2 : 1) <= {_SIGNALS}",
            "asks for more votes than there are signals",
            ".failover.signals.combine",
        ),
        Rule(
            f"has(self.policy) || !({_ASKED}) || !has(self.failover.signals.probe)"
            " || [has(self.failover.signals.probe.http), has(self.failover.signals.probe.grpc),"
            " has(self.failover.signals.probe.tcp)].exists(way, way)",
            "needs one way to ask: one of http, grpc and tcp",
            ".failover.signals.probe",
            REQUIRED,
        ),
        _beside_policy(_ENOUGH_FOR_FLEET),
        _EARLY_PASS,
        Rule(f"has(self.policy) || !({_ABORTS})", _NEEDS_HOLD, _HOLD, REQUIRED),
    ),
    "PolicySpec": (
        Rule("!has(self.ramp) || !has(self.steps)", _TWO_PLANS, ".ramp", FORBIDDEN),
        _ENOUGH_FOR_FLEET,
        _EARLY_PASS,
        Rule(f"!({_ABORTS})", _NEEDS_HOLD, _HOLD, REQUIRED),
        Rule(
            f"{_EACH_CHECK}(c, c.kind != 'Errors' || has(self.metrics.errors))",
            "is needed for a check of kind Errors",
            ".metrics.errors",
            REQUIRED,
        ),
        Rule(
            f"{_EACH_CHECK}(c, c.kind != 'SlowerThan' || has(self.metrics.latency))",
            "is needed for a check of kind SlowerThan",
            ".metrics.latency",
            REQUIRED,
        ),
    ),
    "Backends": (
        Rule(
            "!has(self.canary) || self.stable.name != self.canary.name",
            "is the name of the stable backend too",
            ".canary.name",
        ),
        Rule(
            f"!has(self.backups) || self.backups.all(a, !{_same_backend('a', 'self.stable')}"
            f" && (!has(self.canary) || !{_same_backend('a', 'self.canary')})"
            f" && self.backups.exists_one(b, {_same_backend('a', 'b')}))",
            "has a backend twice: each must be one of its own, and neither stable nor canary",
            ".backups",
        ),
    ),
    "Ramp": (
        Rule("self.from <= self.to", "is above to", ".from"),
        Rule(
            # As rollout.spec.plan counts them: nine digits after the point.
            f"self.by <= 0.0 || (self.to - self.from) / self.by <= {MOST_STEPS - 1}.0000000005",
            f"is an amount that gives more than {MOST_STEPS} steps",
            ".by",
        ),
    ),
    "Analysis": (
        Rule(
            "!has(self.judge) || self.judge != 'Threshold' || !has(self.checks)"
            " || self.checks.all(c, has(c.judge) || has(c.failAbove) || has(c.failBelow))",
            "each check needs failAbove, failBelow or both with judge: Threshold",
            ".checks",
        ),
    ),
    "Check": (
        Rule("self.kind != 'SlowerThan' || has(self.bounds)", "is needed for kind SlowerThan", ".bounds", REQUIRED),
        Rule("self.kind == 'SlowerThan' || !has(self.bounds)", "is for kind SlowerThan only", ".bounds", FORBIDDEN),
        Rule("self.kind != 'Query' || has(self.query)", "is needed for kind Query", ".query", REQUIRED),
        Rule("self.kind == 'Query' || !has(self.query)", "is for kind Query only", ".query", FORBIDDEN),
        Rule("self.kind != 'Query' || !has(self.tolerance)", "is not for kind Query", ".tolerance", FORBIDDEN),
        Rule(
            "self.kind != 'Query' || !has(self.judge) || self.judge != 'Evidence'",
            "cannot be Evidence: a query has no counts",
            ".judge",
        ),
        Rule(
            "has(self.failAbove) || has(self.failBelow)"
            " || (self.kind != 'Query' && !(has(self.judge) && self.judge == 'Threshold'))",
            "a check that is judged by threshold needs failAbove, failBelow or both",
            ".failAbove",
            REQUIRED,
        ),
        Rule(
            "!has(self.failAbove) || !has(self.failBelow) || self.failBelow <= self.failAbove",
            "is above failAbove, so that every value would fail",
            ".failBelow",
        ),
    ),
    "MetricsSignal": (
        Rule(
            "!has(self.failAbove) || !has(self.recoverBelow) || "
            + " <= ".join(f"double(self.{field}.replace('%', '').trim())" for field in ("recoverBelow", "failAbove")),
            "is above failAbove",
            ".recoverBelow",
        ),
    ),
    "ProbeSignal": (
        Rule(
            "[has(self.http), has(self.grpc), has(self.tcp)].filter(way, way).size() <= 1",
            "has more than one way to ask: one of http, grpc and tcp",
        ),
    ),
    "ProbeTls": (
        Rule("!has(self.certificate) || has(self.key)", "is needed where there is a certificate", ".key", REQUIRED),
        Rule("!has(self.key) || has(self.certificate)", "is needed where there is a key", ".certificate", REQUIRED),
    ),
}
"""The rules of each model, by its title in the JSON schema; ``Check`` stands for all kinds of checks."""
