"""Facts about the catalog: a Rollout and its policy, merged once for each change."""

from dataclasses import replace

import pytest

from rollout.controller.catalog import Abilities, Catalog
from rollout.errors import Problem
from rollout.ports import StoredRollout
from rollout.spec.built_in import built_in_policy
from rollout.spec.resource import RouteKind
from tests.controller.builders import KEY, manifest
from tests.fakes.store import FakeStore

POLICY = {"kind": "ClusterRolloutPolicy", "name": "ours"}
STEPS = {
    "kind": "ClusterRolloutPolicy",
    "metadata": {"name": "ours"},
    "spec": {"steps": [{"weight": 7}], "analysis": {"checks": []}},
}


def _catalog(store: FakeStore | None = None, **abilities: object) -> Catalog:
    return Catalog(store or FakeStore(), built_in_policy(), Abilities(**abilities))  # type: ignore[arg-type]


def _stored(**spec: object) -> StoredRollout:
    return StoredRollout(KEY, manifest(**spec), {}, "1", 1)


def test_a_rollout_without_a_policy_gets_the_built_in_one() -> None:
    """What the manifest leaves out comes from the runtime's policy."""
    resolved = _catalog().resolve(_stored(analysis=None), None)
    assert resolved.rollout is not None

    assert [check.name for check in resolved.rollout.spec.analysis.checks] == ["errors", "slow"]


def test_nothing_changed_gives_the_very_same_answer() -> None:
    """As long as neither manifest nor policy changes, nothing is merged again."""
    catalog, stored = _catalog(), _stored()
    first = catalog.resolve(stored, None)

    assert catalog.resolve(replace(stored, version="2"), first) is first


def test_a_new_generation_is_resolved_anew() -> None:
    """A changed manifest gives another answer."""
    catalog = _catalog()
    first = catalog.resolve(_stored(), None)
    second = catalog.resolve(replace(_stored(revision="9"), generation=2), first)
    assert second.rollout is not None

    assert second.rollout.spec.revision == "9"


async def test_a_policy_that_appears_makes_valid() -> None:
    """A missing policy is a problem; once it is there the same manifest is valid."""
    store = FakeStore()
    catalog, stored = _catalog(store), _stored(policy=POLICY, steps=None)
    missing = catalog.resolve(stored, None)
    await store.apply_policy(STEPS)
    found = catalog.resolve(stored, missing)
    assert found.rollout is not None

    assert missing.rollout is None
    assert any("spec.policy" in problem for problem in missing.problems)
    assert [step.weight for step in found.rollout.spec.steps] == [7]


async def test_a_changed_policy_is_merged_again() -> None:
    """A new text of the policy reaches its Rollouts without a change of theirs."""
    store = FakeStore()
    catalog, stored = _catalog(store), _stored(policy=POLICY, steps=None)
    await store.apply_policy(STEPS)
    first = catalog.resolve(stored, None)
    await store.apply_policy({**STEPS, "spec": {"steps": [{"weight": 8}]}})
    second = catalog.resolve(stored, first)
    assert second.rollout is not None

    assert [step.weight for step in second.rollout.spec.steps] == [8]


def test_problems_of_reading_are_passed_on() -> None:
    """A manifest that could not be read has no Rollout and the problems that the store found."""
    stored = replace(_stored(), problems=(Problem("spec", "is no mapping", source="a.yaml", line=3),))

    assert _catalog().resolve(stored, None).problems == ("a.yaml:3: spec: is no mapping",)


def test_problems_of_the_spec_have_their_path() -> None:
    """A spec that breaks a rule has no Rollout and one sentence with the path of the field."""
    resolved = _catalog().resolve(_stored(steps=[{"weight": 200}]), None)

    assert resolved.rollout is None
    assert resolved.problems[0].startswith("spec.steps[0].weight")


def test_a_broken_reference_to_a_policy_is_told_as_such() -> None:
    """A policy that is named wrongly is a problem of that field, and never an exception."""
    resolved = _catalog().resolve(_stored(policy={"kind": "Elsewhere"}), None)

    assert resolved.rollout is None
    assert any("spec.policy" in problem for problem in resolved.problems)


def test_a_spec_that_is_no_mapping_is_told() -> None:
    """A manifest whose spec is a list is invalid, and never an exception."""
    stored = replace(_stored(), document={"kind": "Rollout", "metadata": {"name": "checkout"}, "spec": []})

    assert _catalog().resolve(stored, None).rollout is None


def test_a_kind_of_route_that_the_runtime_lacks_is_told() -> None:
    """A runtime without HTTPRoutes says so at the route, and what it has."""
    resolved = _catalog(kinds=frozenset({RouteKind.ENVOY_ROUTE})).resolve(_stored(), None)

    assert resolved.rollout is None
    assert resolved.problems == ("spec.routes[0].kind: this runtime has no HTTPRoute; allowed: EnvoyRoute",)


def test_a_runtime_without_workloads_refuses_what_needs_them() -> None:
    """OnWorkload and CopyTemplate need workloads."""
    workloads = {"stable": {"kind": "Deployment", "name": "a"}, "canary": {"kind": "Deployment", "name": "b"}}
    spec: dict[str, object] = {"start": "OnWorkload", "promotion": {"mode": "CopyTemplate"}, "workloads": workloads}
    without, having = _catalog().resolve(_stored(**spec), None), _catalog(workloads=True).resolve(_stored(**spec), None)

    assert [problem.split(":")[0] for problem in without.problems] == ["spec.start", "spec.promotion.mode"]
    assert having.problems == ()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"start": "OnWorkload"}, "OnWorkload needs both workloads"),
        ({"promotion": {"mode": "CopyTemplate"}}, "CopyTemplate needs both workloads"),
    ],
)
@pytest.mark.parametrize("role", ["stable", "canary"])
def test_what_needs_workloads_needs_both(spec: dict[str, object], said: str, role: str) -> None:
    """After a swap the other one is the canary's, and a template goes from one to the other."""
    one = {role: {"kind": "Deployment", "name": role}}
    resolved = _catalog(workloads=True).resolve(_stored(**spec, workloads=one), None)

    assert resolved.problems == (f"spec.workloads: {said}; allowed: stable and canary",)


def test_two_backends_with_one_workload_are_refused() -> None:
    """To scale the canary's down would take stable's pods away."""
    one = {"kind": "Deployment", "name": "checkout"}
    resolved = _catalog(workloads=True).resolve(_stored(workloads={"stable": one, "canary": one}), None)

    assert resolved.rollout is None
    assert "both backends have the same workload (given: Deployment checkout)" in resolved.problems[0]


@pytest.mark.parametrize("flag", ["scaleUp", "scaleDown"])
def test_a_daemon_set_is_never_scaled(flag: str) -> None:
    """Its nodes say how many pods it has."""
    workloads = {"canary": {"kind": "DaemonSet", "name": "checkout", flag: True}}
    resolved = _catalog(workloads=True).resolve(_stored(workloads=workloads), None)

    assert resolved.problems[0].startswith("spec.workloads.canary.kind: a DaemonSet has as many pods")


def test_what_many_have_alike_is_kept_once() -> None:
    """Two Rollouts with the same steps have the very same value of them."""
    catalog = _catalog()
    one, other = catalog.resolve(_stored(), None).rollout, catalog.resolve(_stored(), None).rollout
    assert one is not None
    assert other is not None

    assert one.spec.steps is other.spec.steps


def test_a_time_zone_that_there_is_not_is_told() -> None:
    """The spec reads the form of a name only; here it is looked up."""
    failover = {"signals": {"endpoints": {}}, "timeZone": "Europe/Atlantis"}
    backends = {"stable": {"name": "a"}, "canary": {"name": "b"}, "backups": [{"name": "c"}]}
    resolved = _catalog().resolve(_stored(failover=failover, backends=backends), None)

    assert [problem.split(":")[0] for problem in resolved.problems] == ["spec.failover.timeZone"]
