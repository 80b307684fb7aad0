"""Who a document is, before anything else in it is read."""

import pytest

from rollout.errors import ConfigurationError
from rollout.spec.identity import POLICY_KINDS, identity_of, kind_of, policy_key, policy_named


@pytest.mark.parametrize(
    ("metadata", "identity"),
    [
        ({"name": "checkout", "namespace": "shop"}, ("shop", "checkout")),
        ({"name": "checkout"}, ("default", "checkout")),
    ],
)
def test_a_document_is_its_namespace_and_name(metadata: object, identity: tuple[str, str]) -> None:
    """Without a namespace it is the default one, whatever else is wrong with the document."""
    assert identity_of({"metadata": metadata, "spec": 5}) == identity


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ({}, "metadata.name", "is required"),
        ({"metadata": "checkout"}, "metadata.name", "is required"),
        ({"metadata": {"name": "-"}}, "metadata.name", "is not a name"),
        ({"metadata": {"name": "a", "namespace": 7}}, "metadata.namespace", "is not a name"),
    ],
)
def test_a_document_without_a_usable_name_is_refused(document: dict[str, object], field: str, message: str) -> None:
    """It could belong nowhere."""
    with pytest.raises(ConfigurationError) as caught:
        identity_of(document)

    (problem,) = caught.value.problems
    assert (problem.field, problem.message) == (field, message)


def test_a_kind_is_one_of_those_that_are_allowed() -> None:
    """And is told as it is written."""
    assert kind_of({"kind": "RolloutPolicy"}, *POLICY_KINDS) == "RolloutPolicy"


@pytest.mark.parametrize(
    ("allowed", "message"), [(POLICY_KINDS, "is not a policy"), (("Rollout",), "is not a Rollout")]
)
@pytest.mark.parametrize("kind", ["Service", None, 5])
def test_another_kind_is_refused(kind: object, allowed: tuple[str, ...], message: str) -> None:
    """The sentence says what it should have been."""
    with pytest.raises(ConfigurationError) as caught:
        kind_of({"kind": kind}, *allowed)

    (problem,) = caught.value.problems
    assert (problem.field, problem.message, problem.given) == ("kind", message, str(kind))


def test_a_policy_for_all_has_no_namespace() -> None:
    """Whichever one it was given with."""
    assert policy_key("RolloutPolicy", "shop", "house") == ("RolloutPolicy", "shop", "house")
    assert policy_key("ClusterRolloutPolicy", "shop", "house") == ("ClusterRolloutPolicy", "", "house")


def test_a_rollout_names_its_policy() -> None:
    """By kind and name."""
    ref = policy_named({"spec": {"policy": {"kind": "RolloutPolicy", "name": "house"}}})

    assert ref is not None
    assert (ref.kind, ref.name) == ("RolloutPolicy", "house")


@pytest.mark.parametrize("document", [{}, {"spec": []}, {"spec": {}}, {"spec": {"policy": {"kind": "Elsewhere"}}}])
def test_a_rollout_may_name_none_that_could_exist(document: dict[str, object]) -> None:
    """What is wrong with it is said when the Rollout is read."""
    assert policy_named(document) is None
