"""Facts about the rules in CEL: they name fields that there are, and speak as the rest does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from rollout.spec.crd_rules import FORBIDDEN, INVALID, REQUIRED, RULES, Rule
from rollout.spec.crd_schema import structural_schema
from rollout.spec.resource import Rollout, RolloutPolicy

ALL = [(title, rule) for title, rules in RULES.items() for rule in rules]
NODES = [structural_schema(model, "spec") for model in (Rollout, RolloutPolicy)]


def nodes_with(node: dict[str, Any], rule: Rule) -> Iterator[dict[str, Any]]:
    """Give the schemas in `node` that have a rule."""
    if rule.as_schema() in node.get("x-kubernetes-validations", ()):
        yield node
    children = [*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")]
    for child in children:
        yield from nodes_with(child, rule) if child else ()


def has_field(node: dict[str, Any], path: str) -> bool:
    """Return whether a schema has the field at a path."""
    for part in path.split(".")[1:]:
        if part not in node["properties"]:
            return False
        node = node["properties"][part]
    return True


@pytest.mark.parametrize(("title", "rule"), ALL, ids=[f"{title}{rule.field}-{rule.message}" for title, rule in ALL])
def test_a_rule_stands_where_its_field_is(title: str, rule: Rule) -> None:
    """Some schema has it, and each that has it has the field that it names."""
    found = [node for whole in NODES for node in nodes_with(whole, rule)]

    assert found
    assert all(has_field(node, rule.field) for node in found)


@pytest.mark.parametrize(("title", "rule"), ALL, ids=[f"{title}{rule.field}-{rule.message}" for title, rule in ALL])
def test_a_rule_is_said_as_the_others_are(title: str, rule: Rule) -> None:
    """The message goes on after the path of the field, without a full stop; the reason is one that the server knows."""
    assert re.fullmatch(r"[a-z][^\n]{5,120}[^.\n]", rule.message)
    assert rule.reason in {INVALID, REQUIRED, FORBIDDEN}


def test_a_rule_without_a_field_is_about_the_whole() -> None:
    """The path of the value itself is then named."""
    found = Rule("self.size() > 0", "is empty").as_schema()

    assert found == {"rule": "self.size() > 0", "message": "is empty", "reason": INVALID}
