"""Many manifests at once."""

from collections.abc import Mapping
from pathlib import Path

from rollout.errors import Problem
from rollout.spec.checking import check

ROLLOUT = (Path(__file__).parent / "good" / "smallest.yaml").read_text(encoding="utf-8")
WITH_POLICY = ROLLOUT + "  policy: {kind: RolloutPolicy, name: house}\n"
POLICY = "kind: RolloutPolicy\nmetadata: {name: house}\nspec:\n"


def said(*texts: str, rps: float | None = None) -> list[str]:
    """Return what is said of texts named 0.yaml, 1.yaml and so on."""
    named = [(f"{index}.yaml", text) for index, text in enumerate(texts)]
    return [str(problem) for problem in check(named, requests_per_second=rps).problems]


def test_what_was_read_is_counted() -> None:
    """Rollouts and policies are counted; other kinds are left alone."""
    checked = check([("a", WITH_POLICY), ("b", POLICY + "  {}\n---\nkind: Service\napiVersion: v1\n")])

    assert (checked.rollouts, checked.policies, checked.errors, checked.problems) == (1, 1, 0, ())


def test_a_policy_in_another_file_is_found() -> None:
    """A Rollout is checked with its policy wherever that is, and the problem stands at the policy's line."""
    (line,) = said(WITH_POLICY, POLICY + "  promotion: {mode: Swap}\n  steps: [{weight: 120}]\n")

    assert line.startswith("1.yaml:5: spec.steps[0].weight: is too large")


def test_a_warning_of_the_policy_stands_at_the_policy() -> None:
    """A warning of what the policy says names the policy's file and line."""
    (line,) = said(WITH_POLICY, POLICY + "  analysis: {checks: []}\n")

    assert line.startswith("1.yaml:4: spec.analysis.checks: judges nothing")


def test_a_policy_that_is_not_there_is_a_warning() -> None:
    """Without its policy a Rollout is checked as far as it goes, and that is said."""
    text = (
        WITH_POLICY.replace("  steps: [{weight: 50, hold: 5m}]\n", "") + "  drift: x\n  analysis: {judge: Threshold}\n"
    )
    lines = said(text)

    assert [line.split(" (given")[0] for line in lines] == [
        "0.yaml:6: spec.policy: is not among the files, so the Rollout is not checked against it",
        "0.yaml:7: spec.drift: is not one of the known values",
    ]


def test_a_policy_reference_without_sense_is_told_once() -> None:
    """A reference that is no mapping is a problem of its shape only."""
    (line,) = said(ROLLOUT + "  policy: house\n")

    assert line.startswith("0.yaml:7: spec.policy: must be a mapping")


def test_a_policy_is_looked_for_in_the_namespace_of_the_rollout() -> None:
    """A policy of the same name in another namespace is another policy."""
    lines = said(WITH_POLICY, POLICY.replace("name: house", "name: house, namespace: other") + "  {}\n")

    assert len(lines) == 1
    assert "is not among the files" in lines[0]


def test_metadata_that_is_none_does_not_stop_the_rest() -> None:
    """A Rollout with broken metadata and a policy reference is still told of."""
    lines = said(WITH_POLICY.replace("{name: checkout}", "checkout"))

    assert any("metadata: must be a mapping" in line for line in lines)


def test_traffic_brings_warnings_of_too_few_requests() -> None:
    """With the traffic given, requests are counted too."""
    assert said(ROLLOUT) == []
    assert "a weight of 67 would do" in said(ROLLOUT, rps=0.1)[0]


def test_problems_come_in_order_of_file_and_line() -> None:
    """The order is that of the files and their lines."""
    broken = ROLLOUT + "  drift: x\n  onDelete: y\n"
    lines = said(broken, broken.replace("name: checkout}\nspec", "name: other}\nspec"))

    assert [line.split(": ")[0] for line in lines] == ["0.yaml:7", "0.yaml:8", "1.yaml:7", "1.yaml:8"][: len(lines)]
    assert len(lines) == 4


def test_a_rehearsal_is_left_alone() -> None:
    """The file of a rehearsal may lie beside manifests."""
    assert said("rollout: {file: checkout.yaml}\nuntil: 30m\n") == []


def test_another_group_is_left_alone() -> None:
    """A document of somebody else's group is none of ours, and one without kind and version is asked for it."""
    assert said("kind: Deployment\napiVersion: apps/v1\n") == []
    assert said("kind: Deployment\n")[0].startswith("0.yaml:1: kind: is not a known kind (given")
    assert said("a: 1\n")[0].startswith("0.yaml:1: kind: is required")
    assert said("kind: [Rollout]\n")[0].startswith("0.yaml:1: kind: is not a known kind (given: a list of 1)")


def test_what_only_the_caller_knows_is_told_at_the_line_of_its_field() -> None:
    """A caller may have more to say of each manifest, of whatever kind it is."""

    def unlucky(document: Mapping[str, object]) -> list[Problem]:
        return [Problem("metadata.name", f"brings no luck to a {document['kind']}", given="13", allowed="14")]

    checked = check([("a", ROLLOUT), ("b", POLICY + "  {}\n")], also=unlucky)

    assert [(problem.source, problem.line, problem.message) for problem in checked.problems] == [
        ("a", 2, "brings no luck to a Rollout"),
        ("b", 2, "brings no luck to a RolloutPolicy"),
    ]
