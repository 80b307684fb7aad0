"""Facts about a Rollout without a canary: it is there for failover only."""

from __future__ import annotations

from rollout.spec.built_in import built_in_policy, cluster_policy
from rollout.spec.merge import effective, examine
from rollout.spec.plan import steps_of

BACKENDS = {"stable": {"name": "checkout-v1"}, "backups": [{"name": "checkout-dr"}]}
FAILOVER: dict[str, object] = {"signals": {"endpoints": {}}}


def _document(**spec: object) -> dict[str, object]:
    routes = [{"kind": "GRPCRoute", "name": "checkout"}]
    return {
        "kind": "Rollout",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"routes": routes, "backends": BACKENDS, **spec},
    }


def test_failover_needs_no_canary_and_no_steps() -> None:
    """A primary and a backup are a whole Rollout."""
    spec = effective(_document(failover=FAILOVER), None, built_in_policy()).spec

    assert spec.backends.names == ("checkout-v1", "")
    assert [ref.name for ref in spec.backends.pair] == ["checkout-v1"]


def test_checks_without_a_canary_need_no_counters() -> None:
    """In a cluster, where the built-in policy names none: there is nobody to check."""
    examined = examine(_document(failover=FAILOVER), None, cluster_policy())

    assert not examined.problems


def test_steps_of_a_policy_need_a_canary() -> None:
    """Without one there is nothing to step to."""
    policy = {
        "kind": "RolloutPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"steps": [{"weight": 5}]},
    }
    spec = effective(_document(failover=FAILOVER), policy, built_in_policy()).spec

    assert spec.steps
    assert steps_of(spec) == ()


def test_without_failover_the_canary_is_missing() -> None:
    """One of the two is what a Rollout is for."""
    problems = examine(_document(), None, built_in_policy()).problems

    assert [problem.field for problem in problems] == ["spec.backends.canary"]
