"""The status in the API server: what the engine writes comes back as it was, and nothing else changes it."""

import json
from typing import Any

import pytest

from rollout.engine.state import State
from rollout.engine.status import from_status, to_status
from tests.engine.builders import World, aborted, at_rest, batch, under_way
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crds.manifests import collection, manifest

CHECKS = [
    {"name": "errors", "kind": "Errors"},
    {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms"], "dryRun": True},
    {"name": "depth", "kind": "Query", "query": "max(depth)", "failAbove": 1},
]


def judged() -> State:
    """Return a state in which the judge has something to remember."""
    world = under_way(analysis={"checks": CHECKS, "warmUp": "0s"})
    start = world.now
    world.look(after=10.123456, batch=batch((start + 1, 1000, 50), (start + 9.5, 2000, 100)))
    return world.state


def drifting() -> State:
    """Return a state in which somebody else changed the weights after an abort."""
    world: World = aborted()
    world.meddle(30, 70, by="helm")
    world.look(after=1.5)
    return world.state


STATES = {
    "new": State(),
    "at rest": at_rest().state,
    "judged": judged(),
    "aborted": aborted().state,
    "drift": drifting(),
}


def as_json(state: State) -> dict[str, Any]:
    """Return the status of a state as a client of HTTP sends it."""
    status: dict[str, Any] = json.loads(json.dumps(to_status(state)))
    return status


def put_status(cluster: Cluster, path: str, status: dict[str, Any], *, drift: str = "Correct") -> dict[str, Any]:
    """Write a status by the status subresource, and return the answer."""
    document = {**manifest(drift=drift), "status": status}
    document["metadata"]["resourceVersion"] = cluster.ask("GET", f"{path}/web")[1]["metadata"]["resourceVersion"]
    code, answer = cluster.ask("PUT", f"{path}/web/status", document)
    assert code == 200, answer["message"]
    return answer


@pytest.fixture
def path(cluster: Cluster, namespace: str) -> str:
    """Make a Rollout called `web`, and return the path of its collection."""
    cluster.apply(collection("Rollout", namespace), manifest())
    return collection("Rollout", namespace)


@pytest.mark.parametrize("name", STATES)
def test_a_status_comes_back_as_it_was(cluster: Cluster, path: str, name: str) -> None:
    """Nothing is taken away, added or rounded: the state that is read is the one that was written."""
    status = as_json(STATES[name])
    put_status(cluster, path, status)
    _, read = cluster.ask("GET", f"{path}/web")

    assert read["status"] == status
    assert from_status(read["status"]) == STATES[name]


def test_the_judge_had_something_to_remember() -> None:
    """Otherwise the test above would show little."""
    assert judged().evidence
    assert drifting().drift.by == "helm"


def test_fields_of_a_newer_controller_are_kept(cluster: Cluster, path: str) -> None:
    """A controller that is newer than the definition loses no state, wherever it writes more."""
    status = as_json(judged())
    for place in (status, status["weights"], status["evidence"][0], status["transitions"][0], status["conditions"][0]):
        place["later"] = {"deep": [1, "two", None]}
    put_status(cluster, path, status)

    assert cluster.ask("GET", f"{path}/web")[1]["status"] == status


def test_a_write_of_the_status_leaves_the_spec(cluster: Cluster, path: str) -> None:
    """And one of the spec leaves the status: each has its own door."""
    put_status(cluster, path, {"phase": "Idle"}, drift="Pause")
    _, read = cluster.ask("GET", f"{path}/web")
    read["spec"]["drift"], read["status"] = "Ignore", {"phase": "Paused"}
    cluster.ask("PUT", f"{path}/web", read)
    _, found = cluster.ask("GET", f"{path}/web")

    assert read["spec"]["precision"] == 100
    assert (found["spec"]["drift"], found["status"]) == ("Ignore", {"phase": "Idle"})
    assert found["metadata"]["generation"] == 2


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"phase": "Flying"}, "status.phase"),
    ({"step": "one"}, "status.step"),
    ({"conditions": [{"type": "Ready"}]}, "status.conditions[0].status"),
    ({"weights": {"intended": {"web-v1": "all"}}}, "status.weights.intended.web-v1"),
]


@pytest.mark.parametrize(("status", "field"), BROKEN, ids=[field for _, field in BROKEN])
def test_a_status_of_another_shape_is_refused(cluster: Cluster, path: str, status: dict[str, Any], field: str) -> None:
    """Whoever writes a status by hand is told which field is wrong."""
    _, document = cluster.ask("GET", f"{path}/web")
    code, answer = cluster.ask("PUT", f"{path}/web/status", {**document, "status": status})

    assert code == 422
    assert field in {cause["field"] for cause in answer["details"]["causes"]}


def test_conditions_have_dates(cluster: Cluster, path: str) -> None:
    """A condition whose time is a number, as no tool of Kubernetes reads it, is refused."""
    condition = {"type": "Ready", "status": "True", "reason": "Valid", "message": "", "lastTransitionTime": 1.5}
    _, document = cluster.ask("GET", f"{path}/web")
    code, answer = cluster.ask("PUT", f"{path}/web/status", {**document, "status": {"conditions": [condition]}})

    assert code == 422
    assert "lastTransitionTime" in answer["message"]


def test_the_api_server_keeps_no_account_of_each_field(cluster: Cluster, path: str) -> None:
    """One writer has the whole status: every record, that before a failover too, would carry half as much again."""
    answer = put_status(cluster, path, as_json(STATES["judged"]))
    told = [entry["fieldsV1"] for entry in answer["metadata"]["managedFields"] if entry.get("subresource") == "status"]

    assert told == [{"f:status": {}}]
