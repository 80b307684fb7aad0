"""Facts about the structural schema: what becomes of each kind of field of the models."""

from typing import Any

import pytest

from rollout.spec.crd_schema import structural_schema
from rollout.spec.resource import Rollout, RolloutPolicy

SPEC: dict[str, Any] = structural_schema(Rollout, "spec")
POLICY: dict[str, Any] = structural_schema(RolloutPolicy, "spec")


def at(path: str, schema: dict[str, Any] = SPEC) -> dict[str, Any]:
    """Return the schema of the field at a path; `[]` steps into a list."""
    node = schema
    for part in path.split("."):
        name, _, in_list = part.partition("[")
        node = node["properties"][name]
        node = node["items"] if in_list else node
    return node


def test_a_duration_says_in_words_what_is_allowed() -> None:
    """Its pattern stands in a rule, whose message people can read."""
    found = at("progressDeadline")

    assert "pattern" not in found
    assert found["x-kubernetes-validations"][0]["rule"].startswith("self.matches('^(?:[0-9]+(?:\\\\.[0-9]+)?")
    assert found["x-kubernetes-validations"][0]["message"].startswith("must be more than 0s: numbers with the units")


def test_a_pattern_without_words_stays_a_pattern() -> None:
    """There is nothing better to say."""
    assert at("revision") == {
        "description": "What the canary runs; the first one seen is a baseline and starts nothing.",
        "type": "string",
        "minLength": 1,
        "maxLength": 253,
        "pattern": r"^[^\x00-\x1f\x7f]+$",
    }


def test_a_description_has_meaning_bounds_and_default() -> None:
    """`kubectl explain` shows nothing else."""
    assert at("analysis.confidence")["description"] == (
        "At most 1 - confidence of all attempts of good canaries are aborted."
        " Allowed: a percentage from 50% to 99.9999%. Default: `99%`."
    )


def test_bounds_are_kept() -> None:
    """A bound that is not reached itself is said as the API server reads it."""
    assert (at("precision")["minimum"], at("precision")["maximum"]) == (2, 1_000_000)
    assert (at("ramp.by")["minimum"], at("ramp.by")["exclusiveMinimum"]) == (0, True)


def test_a_field_that_may_be_absent_has_the_type_of_its_value() -> None:
    """`null` is left out: the API server takes empty fields away by itself."""
    assert at("steps[].gates[].name")["type"] == "string"
    assert at("analysis.onNoData.hold")["type"] == "string"
    assert at("failover", POLICY)["type"] == "object"


def test_a_rule_of_a_route_is_text_or_a_number() -> None:
    """With the bounds of both."""
    found = at("routes[].rule")

    assert found["x-kubernetes-int-or-string"]
    assert (found["minimum"], found["maximum"], found["minLength"], found["maxLength"]) == (0, 63, 1, 253)


def test_routes_of_plain_envoy_are_not_offered() -> None:
    """A cluster has none."""
    assert at("routes[].kind")["enum"] == ["HTTPRoute", "GRPCRoute"]


def test_a_constant_is_a_choice_of_one() -> None:
    """And a choice stays what it is."""
    assert at("policy.kind")["enum"] == ["RolloutPolicy", "ClusterRolloutPolicy"]
    assert at("failover.damping.onExceed")["enum"] == ["Latch"]


@pytest.mark.parametrize("backend", ["stable", "canary", "backups[]"])
def test_a_backend_needs_a_port(backend: str) -> None:
    """A Service is not told by its name alone."""
    found = at(f"backends.{backend}")

    assert found["required"] == ["name", "port"]
    assert found["properties"]["port"]["description"] == "The port of the Service."


def test_metrics_are_for_policies() -> None:
    """A Rollout has no such field."""
    assert "metrics" not in SPEC["properties"]
    assert "metrics" in POLICY["properties"]


def test_labels_are_checked_by_name_and_value() -> None:
    """A map has a schema for its values and a rule for its names."""
    found = at("metrics.backendLabels", POLICY)

    assert (found["minProperties"], found["maxProperties"]) == (1, 6)
    assert found["x-kubernetes-validations"][0]["rule"] == "self.all(key, key.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))"
    assert found["additionalProperties"]["maxLength"] == 512


def test_the_kinds_of_checks_are_one_object() -> None:
    """It has the fields of all, and needs what all need; rules say which field belongs to which kind."""
    found = at("analysis.checks[]")

    assert found["required"] == ["name", "kind"]
    assert found["properties"]["kind"]["enum"] == ["Errors", "SlowerThan", "Query"]
    assert {"tolerance", "bounds", "query", "failAbove"} <= set(found["properties"])
    assert len(found["x-kubernetes-validations"]) == 8


def test_a_field_with_two_meanings_has_both() -> None:
    """The default of a tolerance depends on the kind."""
    assert at("analysis.checks[].tolerance")["description"] == (
        "Errors: How much worse than stable is tolerated; default 1.2 times and 0.02 points."
        " SlowerThan: How much worse than stable is tolerated; default 1.2 times and 0.1 points."
    )


def test_lists_say_how_they_are_merged() -> None:
    """Gates and checks by their name, bounds as a set, everything else as a whole."""
    by_name = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    steps = at("steps[]")["properties"]["gates"]
    checks = at("analysis")["properties"]["checks"]
    bounds = at("analysis.checks[]")["properties"]["bounds"]

    assert steps.items() >= by_name.items()
    assert checks.items() >= by_name.items()
    assert bounds["x-kubernetes-list-type"] == "set"
    assert SPEC["properties"]["routes"]["x-kubernetes-list-type"] == "atomic"


def defaults(schema: dict[str, Any], path: str = "") -> dict[str, object]:
    """Return every default in a schema by its path, those of items left out."""
    found = {path: schema["default"]} if "default" in schema else {}
    for name, child in schema.get("properties", {}).items():
        found |= defaults(child, f"{path}.{name}")
    return found


def test_only_what_no_policy_gives_has_a_default() -> None:
    """What stands in a Rollout wins over its policy, and a default would stand there."""
    assert defaults(SPEC) == {
        ".start": "OnRevision",
        ".precision": 100,
        ".drift": "Correct",
        ".onDelete": "Restore",
        ".progressDeadline": "10m",
        ".suspend": False,
    }
    assert defaults(POLICY) == {}


def test_items_of_lists_have_defaults() -> None:
    """A list is replaced whole, so nothing of a policy is hidden."""
    assert defaults(at("steps[]")) == {".hold": "0s", ".minRequests": 0, ".approval": False}
    assert defaults(at("steps[].gates[]")) == {".timeout": "5s", ".retries": 2, ".onFailure": "Wait"}
    assert defaults(at("analysis.checks[]")) == {".failures": 1, ".dryRun": False}
