"""A Rollout over its policy over the built-in policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.errors import ConfigurationError
from rollout.spec.analysis import Judge
from rollout.spec.built_in import built_in_policy
from rollout.spec.merge import effective, label_of, over
from rollout.spec.plan import steps_of
from rollout.spec.resource import Rollout
from tests.spec.builders import STEPS, Document, policy_document, rollout_document

METRICS = {"backendLabels": {"service": "{{ backend.name }}"}, "errors": {"total": "all", "bad": ["bad"]}}
ERRORS_ONLY = {"checks": [{"name": "errors", "kind": "Errors"}]}
REF = {"kind": "RolloutPolicy", "name": "house"}


def merged(rollout: Document, policy: Document | None = None) -> Rollout:
    """Return the effective Rollout over the built-in policy."""
    return effective(rollout, policy, built_in_policy())


def said(rollout: Document, policy: Document | None = None) -> list[str]:
    """Return the sentences of what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        merged(rollout, policy)
    return [str(problem) for problem in caught.value.problems]


def test_without_policy_the_built_in_one_counts() -> None:
    """The built-in policy gives checks of errors and slowness, and the templates of plain Envoy."""
    spec = merged(rollout_document()).spec

    assert [check.name for check in spec.analysis.checks] == ["errors", "slow"]
    assert spec.metrics is not None
    assert spec.metrics.errors is not None
    assert spec.metrics.errors.total == "envoy_cluster_upstream_rq_completed"


def test_what_stands_in_the_rollout_wins_field_by_field() -> None:
    """Mappings are merged: the Rollout's minRequests, the policy's warmUp, the default objective."""
    policy = policy_document(analysis={"minRequests": 100, "warmUp": "1m"})
    analysis = merged(rollout_document(analysis={"minRequests": 7}), policy).spec.analysis

    assert (analysis.min_requests, analysis.warm_up, analysis.objective) == (7, 60.0, 0.99)


def test_lists_are_replaced_whole() -> None:
    """The Rollout's checks are its own; none of the policy's stay."""
    policy = policy_document(analysis={"checks": [{"name": "slow", "kind": "SlowerThan", "bounds": ["1s"]}]})

    assert [check.name for check in merged(rollout_document(analysis=ERRORS_ONLY), policy).spec.analysis.checks] == [
        "errors"
    ]


def test_steps_displace_the_ramp_of_the_policy() -> None:
    """A plan displaces a plan."""
    policy = policy_document(ramp={"from": 10, "to": 50, "by": 10, "every": "1m"})
    spec = merged(rollout_document(), policy).spec

    assert (spec.ramp, len(steps_of(spec))) == (None, len(STEPS))


def test_a_ramp_displaces_the_steps_of_the_policy() -> None:
    """And the other way round."""
    ramp = {"from": 10, "to": 50, "by": 10, "every": "1m"}
    spec = merged(rollout_document(steps=None, ramp=ramp), policy_document(steps=STEPS)).spec

    assert (spec.steps, len(steps_of(spec))) == ((), 5)


def test_the_plan_may_come_from_the_policy() -> None:
    """A Rollout without plan takes its policy's."""
    assert len(merged(rollout_document(steps=None), policy_document(steps=STEPS)).spec.steps) == 2


def test_metrics_of_a_policy_replace_the_built_in_ones_whole() -> None:
    """Labels of two policies are never mixed."""
    spec = merged(rollout_document(analysis=ERRORS_ONLY), policy_document(metrics=METRICS)).spec

    assert spec.metrics is not None
    assert spec.metrics.backend_labels == {"service": "{{ backend.name }}"}
    assert spec.metrics.latency is None


def test_empty_fields_and_the_status_count_as_absent() -> None:
    """What the API server would leave out, and what it adds, is not looked at."""
    document = {
        **rollout_document(analysis={"judge": None}, hooks={}, notify=[{"sink": "team", "on": []}]),
        "status": {"x": 1},
    }

    assert merged(document).spec.analysis.judge is Judge.EVIDENCE


def test_a_policy_that_is_named_and_not_there_is_a_problem() -> None:
    """A Rollout waits for the policy that it names."""
    assert said(rollout_document(policy=REF)) == [
        "spec.policy: does not exist (given: RolloutPolicy house); allowed: a policy that exists"
    ]


def test_a_bad_policy_does_not_hide_behind_the_rollout() -> None:
    """What a policy says wrongly is a problem with its name, also where the Rollout says it better."""
    policy = policy_document(steps=[{"weight": 500}])

    assert said(rollout_document(policy=REF), policy) == [
        "RolloutPolicy shop/house: spec.steps[0].weight: is too large (given: 500); allowed: a number from 0 to 100"
    ]


def test_both_documents_are_told_of_at_once() -> None:
    """Problems of the Rollout come first, those of the policy with its name."""
    problems = said(rollout_document(drift="Maybe"), policy_document(promotion={"mode": "Never"}))

    assert [problem.split(": ")[0] for problem in problems] == ["spec.drift", "RolloutPolicy shop/house"]


def test_a_policy_that_fits_only_by_itself_is_named() -> None:
    """A rule that breaks between the two is told where the part of the policy stands, if that is what breaks it."""
    policy = policy_document(analysis={"judge": "Threshold", "checks": [{"name": "e", "kind": "Errors"}]})

    assert said(rollout_document(), policy)[0].startswith("RolloutPolicy shop/house: spec.analysis.checks[0].failAbove")


def test_documents_that_are_hardly_any_are_refused() -> None:
    """Whatever stands in a document, the answer is a list of problems."""
    assert said({}) != []
    assert said({"kind": "Rollout", "metadata": [], "spec": []}, {"kind": "RolloutPolicy", "spec": 5}) != []


def test_a_cluster_policy_is_named_without_namespace() -> None:
    """Labels name kind, namespace and name as far as there are any."""
    assert label_of({"kind": "ClusterRolloutPolicy", "metadata": {"name": "envoy"}}) == "ClusterRolloutPolicy envoy"
    assert label_of({}) == "document default/without name"


keys = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2), lambda inner: st.dictionaries(keys, inner), max_leaves=8
)
documents = st.dictionaries(keys, values)


@given(documents, documents)
def test_the_upper_document_always_wins(lower: Document, upper: Document) -> None:
    """Every field of the upper document that is no mapping stands in the result as it is."""
    result = over(lower, upper)

    assert set(result) == set(lower) | set(upper)
    assert all(result[key] == value for key, value in upper.items() if not isinstance(value, dict))
    assert all(result[key] == value for key, value in lower.items() if key not in upper)


@given(documents)
def test_laying_a_document_over_itself_changes_nothing(document: Document) -> None:
    """Merging is idempotent, and an empty document is neutral on either side."""
    assert over(document, document) == over(document, {}) == over({}, document) == document


@given(documents, documents, documents)
def test_merging_is_associative(one: Document, two: Document, three: Document) -> None:
    """It does not matter which two of three layers are joined first, where mappings stay mappings."""
    flat = [{key: value for key, value in layer.items() if not isinstance(value, dict)} for layer in (one, two, three)]

    assert over(over(flat[0], flat[1]), flat[2]) == over(flat[0], over(flat[1], flat[2]))
