"""Facts about the definitions as a whole: names, columns, and that each is a value of its own."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from rollout.spec.crd import CATEGORY, KINDS, crds

BY_NAME = {crd["metadata"]["name"]: crd for crd in crds()}
COLUMNS = BY_NAME["rollouts.rollout.dev"]["spec"]["versions"][0]["additionalPrinterColumns"]
LARGEST = 262_144
"""An annotation with a larger copy of the definition is refused, and `kubectl apply` makes one."""

FORBIDDEN = {"$ref", "$defs", "title", "const", "discriminator", "allowed", "unit", "patternProperties"}


def schema_of(name: str) -> dict[str, Any]:
    """Return the schema of a definition."""
    schema: dict[str, Any] = BY_NAME[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes_in(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give a schema and all schemas in it."""
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes_in(child)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes_in(schema[key])


def test_there_is_a_definition_for_each_kind() -> None:
    """Two live in a namespace, one is for the whole cluster."""
    found = {name: (crd["spec"]["names"]["kind"], crd["spec"]["scope"]) for name, crd in BY_NAME.items()}

    assert found == {
        "rollouts.rollout.dev": ("Rollout", "Namespaced"),
        "rolloutpolicies.rollout.dev": ("RolloutPolicy", "Namespaced"),
        "clusterrolloutpolicies.rollout.dev": ("ClusterRolloutPolicy", "Cluster"),
    }


def test_each_kind_has_short_names_and_categories() -> None:
    """Only what runs is listed with all that runs."""
    found = {crd["spec"]["names"]["shortNames"][0]: crd["spec"]["names"]["categories"] for crd in crds()}

    assert found == {"ro": ["all", CATEGORY], "rop": [CATEGORY], "crop": [CATEGORY]}


def test_no_category_is_the_name_of_a_kind() -> None:
    """`kubectl get NAME` would list the category, and take no name of an object behind it."""
    names = {name for crd in crds() for name in (crd["spec"]["names"]["singular"], crd["spec"]["names"]["plural"])}

    assert CATEGORY not in names
    assert [kind.name for kind in KINDS] == list(BY_NAME)


def test_the_columns_tell_where_a_rollout_stands() -> None:
    """In the order in which people read; the sentence is wide."""
    found = [(column["name"], column.get("priority", 0)) for column in COLUMNS]

    assert found == [
        *(("Phase", 0), ("Step", 0), ("Weight", 0), ("Stable", 0), ("Failover", 0), ("Age", 0)),
        *(("Reason", 1), ("Message", 1)),
    ]


@pytest.mark.parametrize("column", COLUMNS, ids=[column["name"] for column in COLUMNS])
def test_a_column_shows_a_field_that_there_is(column: Mapping[str, Any]) -> None:
    """Its path leads to a field of the schema, and its type is the field's."""
    node = schema_of("rollouts.rollout.dev")
    if column["name"] != "Age":
        for part in column["jsonPath"].lstrip(".").split("."):
            node = node["properties"][part]

        assert column["type"] == node["type"]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_schema_is_structural(name: str) -> None:
    """Every value has a type or may be of two, and nothing stands in it that the API server does not know."""
    nodes = list(nodes_in(schema_of(name)))

    assert all(("type" in node) != ("x-kubernetes-int-or-string" in node) for node in nodes)
    assert all(not FORBIDDEN & set(node) for node in nodes)
    assert all(isinstance(node.get("type", ""), str) for node in nodes)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_spec_is_needed(name: str) -> None:
    """Without one there would be nothing to want."""
    assert schema_of(name)["required"] == ["spec"]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_definition_is_small_enough_to_apply(name: str) -> None:
    """Client-side `kubectl apply` keeps a copy in an annotation."""
    assert len(json.dumps(BY_NAME[name])) < LARGEST


def test_only_a_rollout_has_a_status() -> None:
    """Nothing writes one into a policy."""
    found = {name for name, crd in BY_NAME.items() if "subresources" in crd["spec"]["versions"][0]}

    assert found == {"rollouts.rollout.dev"}
    assert {name for name in BY_NAME if "status" in schema_of(name)["properties"]} == found


def test_each_call_gives_values_of_its_own() -> None:
    """Whoever changes one spoils no other."""
    first = crds()
    first[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"].clear()

    assert crds() == tuple(BY_NAME.values())


@pytest.mark.parametrize("name", BY_NAME)
def test_nothing_in_a_definition_is_shared(name: str) -> None:
    """Shared parts would be written to YAML as anchors."""
    seen: list[int] = []

    def walk(value: object) -> None:
        if isinstance(value, dict | list):
            seen.append(id(value))
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner)

    walk(BY_NAME[name])
    assert len(seen) == len(set(seen))
