"""Facts about the schema of the status: it knows every field that the engine writes, and takes none away."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rollout.analysis.judge import Verdict
from rollout.engine.observation import Cursor
from rollout.engine.state import State
from rollout.engine.status import to_status
from rollout.engine.table import Phase
from rollout.spec.crd_status import PHASES, VERDICTS, status_schema
from tests.engine.builders import aborted, batch, under_way

KEEPS = "x-kubernetes-preserve-unknown-fields"


def judged() -> State:
    """Return a state with evidence, transitions, handled commands, conditions and sinks."""
    world = under_way(analysis={"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"})
    world.look(after=10, batch=batch((world.now + 1, 1000, 50), (world.now + 9, 2000, 100)))
    sinks = (Cursor("pager", 0), Cursor("slack", 3, at=1.5, thread="C1:2", attempt=1, problem="it answers 503"))
    return replace(world.state, notified=sinks)


TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def strangers(schema: dict[str, Any], value: object, path: str = "") -> Iterator[str]:
    """Give the path of every field that the schema does not know, or whose type is another."""
    if value is None and schema.get("nullable"):
        return
    if not isinstance(value, TYPES[schema["type"]]):
        yield path
        return
    for name, known, inner in parts(schema, value):
        yield from strangers(known, inner, f"{path}{name}") if known else [f"{path}{name}"]


def parts(schema: dict[str, Any], value: object) -> Iterator[tuple[str, dict[str, Any] | None, object]]:
    """Give each part of a value with how it is reached, and its schema; None where there is none."""
    if isinstance(value, dict) and {"properties", "additionalProperties"} & set(schema):
        for name, inner in value.items():
            yield f".{name}", schema.get("properties", {}).get(name, schema.get("additionalProperties")), inner
    if isinstance(value, list):
        for inner in value:
            yield "[]", schema["items"], inner


def test_the_schema_knows_every_field_that_is_written() -> None:
    """With its type; fields that one state leaves empty, another has."""
    found = {
        path
        for state in (State(), judged(), aborted().state)
        for path in strangers(status_schema(), json.loads(json.dumps(to_status(state))))
    }

    assert found == set()


def test_a_stranger_would_be_found() -> None:
    """The test above looks into lists and maps, and at types."""
    status: dict[str, Any] = json.loads(json.dumps(to_status(judged())))
    status["step"] = "one"
    status["weights"]["intended"]["checkout-v1"] = "all"
    status["evidence"][0]["later"] = 1

    assert set(strangers(status_schema(), status)) == {".step", ".weights.intended.checkout-v1", ".evidence[].later"}


def test_no_object_takes_unknown_fields_away() -> None:
    """What a newer controller writes is kept; maps by backend have no field that is unknown."""

    def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in (*node.get("properties", {}).values(), *([node["items"]] if "items" in node else ())):
            yield from walk(child)

    objects = [node for node in walk(status_schema()) if node["type"] == "object"]

    assert all(node.get(KEEPS) or "additionalProperties" in node for node in objects)


def test_phases_and_verdicts_are_those_of_the_engine() -> None:
    """They are said twice, since this room is below the engine's."""
    assert tuple(Phase) == PHASES
    assert tuple(Verdict) == VERDICTS


def test_conditions_are_those_of_kubernetes() -> None:
    """One of each type, with all that the conventions ask for."""
    found: dict[str, Any] = status_schema()["properties"]["conditions"]  # type: ignore[index]

    assert found["x-kubernetes-list-map-keys"] == ["type"]
    assert found["items"]["required"] == ["type", "status", "reason", "message", "lastTransitionTime"]
    assert found["items"]["properties"]["lastTransitionTime"]["format"] == "date-time"
