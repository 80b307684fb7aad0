"""The effective Rollout: what stands in it, over its policy, over the built-in policy.

Called by the controller and the rehearsal (``effective``) and by ``rollout lint`` (``examine``), with
documents as they were written. Mappings are merged field by field, lists are replaced whole, and a
plan displaces a plan: steps over a ramp and a ramp over steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.errors import ConfigurationError, Problem
from rollout.spec.admission import problems_of
from rollout.spec.fields import Location, printable
from rollout.spec.reading import location_of, read
from rollout.spec.resource import Rollout, RolloutPolicy

Document = Mapping[str, object]

POLICIES = ("RolloutPolicy", "ClusterRolloutPolicy")
"""The kinds of policies."""

_SHARED = ("steps", "ramp", "analysis", "failover", "promotion", "gateway", "notify", "metrics")
"""The fields that a policy gives."""

_WHOLE = ("metrics", "ramp")
"""Mappings that are replaced whole, because parts of two would make a third thing that nobody wrote."""

_ALTERNATIVES = (frozenset({"steps", "ramp"}), frozenset({"http", "grpc", "tcp"}))
"""Fields of which only one can stand: another one above displaces the one below."""

_LEFT_OPEN = frozenset({"spec.steps", "spec.failover.signals", "spec.failover.signals.probe"})
"""What a policy may leave to its Rollouts, and they to it."""

_SAMPLE_SPEC: Document = {
    "routes": [{"kind": "HTTPRoute", "name": "sample"}],
    "backends": {
        "stable": {"name": "sample-stable"},
        "canary": {"name": "sample-canary"},
        "backups": [{"name": "sample-backup"}],
    },
}


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of the documents: the Rollout (None when there are problems), and every problem."""

    rollout: Rollout | None
    problems: tuple[Problem, ...]


def effective(rollout_document: Document, policy_document: Document | None, built_in: Document) -> Rollout:
    """Return the Rollout with its policy and the built-in one merged in.

    Raises:
        ConfigurationError: something is wrong; it has every problem. The ``source`` of a problem is
            empty for the Rollout, and names the policy for what the policy says.
    """
    examined = examine(rollout_document, policy_document, built_in)
    if examined.rollout is None:
        raise ConfigurationError(examined.problems)
    return examined.rollout


def examine(rollout_document: Document, policy_document: Document | None, built_in: Document) -> Examined:
    """Return what ``effective`` would, with the problems as values."""
    rollout = cleaned(rollout_document)
    policy = None if policy_document is None else cleaned(policy_document)
    policy_problems = () if policy is None else examine_policy(policy, built_in)
    reading = read(_merged(rollout, policy, built_in), Rollout, problems_of)
    found = [*_own_problems(rollout), *(problem for _, problem in reading.problems)]
    problems = [problem if policy is None else attributed(problem, rollout, policy) for problem in found]
    problems += _missing_policy(rollout, policy)
    # The Rollout speaks first: its writer reads this, and may not be the writer of the policy.
    ordered = sorted(dict.fromkeys((*problems, *policy_problems)), key=lambda problem: bool(problem.source))
    everything = tuple(ordered)
    return Examined(None if everything else reading.value, everything)


def examine_policy(policy_document: Document, built_in: Document) -> tuple[Problem, ...]:
    """Return every problem that a policy has by itself, its name as their source."""
    policy = cleaned(policy_document)
    shape = read(policy, RolloutPolicy, lambda _: ())
    sample = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "sample"},
        "spec": _SAMPLE_SPEC,
    }
    merged = _merged(sample, policy, built_in)
    in_use = read(merged, Rollout, lambda rollout: (p for p in problems_of(rollout) if not is_left_open(p)))
    of_shape = [problem for _, problem in shape.problems]
    of_rules = [problem for place, problem in in_use.problems if depth_of(policy, place) >= min(2, len(place))]
    found = dict.fromkeys((*_two_plans(policy), *of_shape, *of_rules))
    return tuple(replace(problem, source=label_of(policy)) for problem in found)


def is_left_open(problem: Problem) -> bool:
    """Return whether ``problem`` is mended by what the other of a Rollout and its policy may say."""
    of_both = problem.field == "spec.failover.signals.combine"
    return of_both or (problem.given == "nothing" and problem.field in _LEFT_OPEN)


def label_of(document: Document) -> str:
    """Return how messages name a document: ``RolloutPolicy shop/envoy``, ``ClusterRolloutPolicy envoy``."""
    metadata = _mapping(document, "metadata")
    kind, name = str(document.get("kind", "document")), str(metadata.get("name", "without name"))
    return (
        f"{kind} {name}" if kind == "ClusterRolloutPolicy" else f"{kind} {metadata.get('namespace', 'default')}/{name}"
    )


def cleaned(document: Document) -> Document:
    """Return ``document`` without its status and without empty fields, which the API server leaves out too."""
    return {key: _without_nulls(value) for key, value in document.items() if value is not None and key != "status"}


def _without_nulls(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _merged(rollout: Document, policy: Document | None, built_in: Document) -> Document:
    """Return ``rollout`` with the shared fields of the policies under its own.

    Failover of a policy is for Rollouts with backups, so that one policy may serve those without, too.
    """
    if not isinstance(rollout.get("spec"), Mapping):
        return rollout
    spec = _shared(built_in)
    if policy is not None:
        spec = over(spec, _shared(policy))
    own = {key: value for key, value in _mapping(rollout, "spec").items() if key != "metrics"}
    if "failover" not in own and not _mapping(own, "backends").get("backups"):
        spec = {key: value for key, value in spec.items() if key != "failover"}
    return {**rollout, "spec": over(spec, own)}


def _shared(policy: Document) -> Document:
    return {key: value for key, value in _mapping(policy, "spec").items() if key in _SHARED}


def over(lower: Document, upper: Document) -> Document:
    """Return ``upper`` laid over ``lower``: mappings field by field, everything else replaced whole."""
    kept = {key: value for key, value in lower.items() if not _displaced(key, upper)}
    return {**kept, **{key: _laid(key, kept.get(key), value) for key, value in upper.items()}}


def _displaced(key: str, upper: Document) -> bool:
    return any(key in group and not group.isdisjoint(upper.keys() - {key}) for group in _ALTERNATIVES)


def _laid(key: str, lower: object, upper: object) -> object:
    if key not in _WHOLE and isinstance(lower, Mapping) and isinstance(upper, Mapping):
        return over(lower, upper)
    return upper


def _own_problems(rollout: Document) -> Iterator[Problem]:
    """Yield what is wrong with the Rollout and is gone once it is merged."""
    if "metrics" in _mapping(rollout, "spec"):
        allowed = "metrics in a RolloutPolicy or ClusterRolloutPolicy"
        yield Problem("spec.metrics", "can stand only in a policy", given="a mapping", allowed=allowed)


def _two_plans(policy: Document) -> Iterator[Problem]:
    spec = _mapping(policy, "spec")
    if "steps" in spec and "ramp" in spec:
        message, allowed = "cannot stand beside steps", "steps or a ramp, not both"
        yield Problem("spec.ramp", message, given="steps and a ramp", allowed=allowed)


def _missing_policy(rollout: Document, policy: Document | None) -> Iterable[Problem]:
    ref = _mapping(_mapping(rollout, "spec"), "policy")
    if policy is None and ref.get("kind") in POLICIES and isinstance(ref.get("name"), str):
        given = printable(f"{ref['kind']} {ref['name']}")
        return (Problem("spec.policy", "does not exist", given=given, allowed="a policy that exists"),)
    return ()


def attributed(problem: Problem, rollout: Document, policy: Document) -> Problem:
    """Return ``problem`` with the policy as its source, where it is the policy that says it."""
    place = location_of(problem.field)
    from_policy = depth_of(policy, place) > depth_of(rollout, place)
    return replace(problem, source=label_of(policy)) if from_policy else problem


def depth_of(document: Document, place: Location) -> int:
    """Return how many parts of ``place`` exist in ``document``."""
    node: object = document
    for depth, part in enumerate(place):
        known = (
            part in node
            if isinstance(node, Mapping)
            else isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if not known:
            return depth
        node = node[part]  # type: ignore[index]
    return len(place)


def _mapping(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}
