"""Sound manifests, and the policies that come with the project."""

from pathlib import Path

import pytest

from rollout.spec.built_in import built_in_policy
from rollout.spec.checking import check
from rollout.spec.merge import effective
from rollout.spec.metrics import MetricTemplates
from rollout.spec.plan import steps_of
from rollout.spec.resource import Rollout
from rollout.spec.text import manifests_in
from tests.spec.builders import rollout_document

GOOD = sorted((Path(__file__).parent / "good").iterdir())
POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))


@pytest.mark.parametrize("manifest", GOOD, ids=lambda path: path.name)
def test_a_sound_manifest_gives_no_problem(manifest: Path) -> None:
    """Nothing is said of a sound manifest, not even a warning."""
    checked = check([(manifest.name, manifest.read_text(encoding="utf-8"))])

    assert [str(problem) for problem in checked.problems] == []
    assert checked.rollouts == 1


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.stem)
def test_a_ready_policy_is_sound(policy: Path) -> None:
    """Nothing is said of a policy that comes with the project, and a Rollout under it is whole."""
    text = policy.read_text(encoding="utf-8")
    (manifest,) = manifests_in(text)
    assert isinstance(manifest.value, dict)
    steps = None if "steps" in manifest.value["spec"] else [{"weight": 50, "hold": "5m"}]
    rollout = effective(rollout_document(steps=steps), manifest.value, built_in_policy())

    assert check([(policy.name, text)]).problems == ()
    assert steps_of(rollout.spec)
    assert rollout.spec.metrics is not None


def test_there_are_ready_policies() -> None:
    """Plain Envoy and three strategies come with the project."""
    assert {"envoy", "strategy-cautious", "strategy-blue-green", "strategy-failover"} <= {
        path.stem for path in POLICIES
    }


def test_the_policy_for_envoy_says_what_is_built_in() -> None:
    """The file that people may copy and the built-in policy have the same templates and checks."""
    (path,) = (path for path in POLICIES if path.stem == "envoy")
    (manifest,) = manifests_in(path.read_text(encoding="utf-8"))
    assert isinstance(manifest.value, dict)
    built_in = built_in_policy()["spec"]
    assert isinstance(built_in, dict)

    assert MetricTemplates.model_validate(manifest.value["spec"]["metrics"]) == MetricTemplates.model_validate(
        built_in["metrics"]
    )
    assert manifest.value["spec"]["analysis"] == built_in["analysis"]


def test_a_rollout_survives_writing_and_reading() -> None:
    """What a Rollout is written as gives the same Rollout again."""
    (path,) = (path for path in GOOD if path.name == "whole.yaml")
    first, policy = manifests_in(path.read_text(encoding="utf-8"))
    assert isinstance(first.value, dict)
    assert isinstance(policy.value, dict)
    rollout = effective(first.value, policy.value, built_in_policy())
    written = rollout.model_dump(mode="json", by_alias=True)

    assert Rollout.model_validate(written) == rollout
