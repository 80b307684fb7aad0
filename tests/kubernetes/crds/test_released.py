"""An upgrade: what a cluster stored under the definitions of a release is read and written under those of today.

`released/` has, for each release, its definitions and objects with their statuses, as they were. Before a release they
are added by `rollout crd` and `kubectl get --output yaml`.
"""

import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rollout.engine.status import from_status
from rollout.spec.crd import crds
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crds.manifests import GROUP, collection

RELEASES = sorted((Path(__file__).parent / "released").iterdir())
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MARK = "updated"

Stored = list[tuple[str, dict[str, Any]]]


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a file."""
    return list(YAML(typ="safe").load_all(path))


def renamed(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition of a kind with another name, so that other tests keep theirs; the schema is the same."""
    spec = definition["spec"]
    kind, plural = f"Released{spec['names']['kind']}", f"released{spec['names']['plural']}"
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {**definition, "metadata": {"name": f"{plural}.{GROUP}"}, "spec": {**spec, "names": names}}


def place_of(kind: str) -> str:
    """Return the path of the objects of a kind that is renamed."""
    folder, _, plural = collection(kind, "default").rpartition("/")
    return f"{folder}/released{plural}"


def wait(condition: Callable[[], object]) -> None:
    """Return when the condition holds; the API server takes a moment to go by a definition."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the API server does not go by the definitions"
        time.sleep(0.05)


def update(cluster: Cluster, definition: dict[str, Any]) -> None:
    """Put a definition in the place of the one that is there, and wait until the API server goes by it."""
    kind, new = definition["spec"]["names"]["kind"], renamed(deepcopy(definition))
    # A field that only the new one has tells when it holds.
    new["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][MARK] = {"type": "boolean"}
    path = f"{DEFINITIONS}/{new['metadata']['name']}"
    stored = cluster.ask("GET", path)[1]
    status, answer = cluster.ask("PUT", path, {**stored, "spec": new["spec"]})
    assert status == 200, answer["message"]
    probe = {"apiVersion": f"{GROUP}/v1alpha1", "kind": f"Released{kind}", "metadata": {"name": "x"}, MARK: True}
    tried = f"{place_of(kind)}?dryRun=All&fieldValidation=Strict"
    wait(lambda: "unknown field" not in cluster.ask("POST", tried, probe)[1].get("message", ""))


@pytest.fixture(scope="module", params=RELEASES, ids=[path.name for path in RELEASES])
def stored(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Stored]:
    """Store the objects of a release under its definitions, then update those; give each object and its path."""
    release: Path = request.param
    for definition in documents(release / "crds.yaml"):
        cluster.install(renamed(definition))
    kept = [store(cluster, document) for document in documents(release / "objects.yaml")]
    for definition in crds():
        update(cluster, definition)
    yield kept
    for definition in crds():
        remove(cluster, f"{DEFINITIONS}/{renamed(definition)['metadata']['name']}")


def remove(cluster: Cluster, path: str) -> None:
    """Take a definition away, with everything that is stored under it."""
    cluster.ask("DELETE", path)
    wait(lambda: cluster.ask("GET", path)[0] == 404)


def store(cluster: Cluster, document: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Make an object, then give it its status; return its path and how it was stored."""
    place = place_of(document["kind"])
    path = f"{place}/{document['metadata']['name']}"
    made = cluster.apply(place, {**document, "kind": f"Released{document['kind']}"})
    if "status" in document:
        status, made = cluster.ask("PUT", f"{path}/status", {**made, "status": document["status"]})
        assert status == 200, made["message"]
    return path, made


def without_news(found: Any, before: Any) -> Any:  # noqa: ANN401 - as JSON has it
    """Return what was found without the fields that entries of lists did not have before."""
    if isinstance(found, dict) and isinstance(before, dict):
        return {name: without_news(value, before[name]) for name, value in found.items() if name in before}
    if isinstance(found, list) and isinstance(before, list) and len(found) == len(before):
        return [without_news(one, other) for one, other in zip(found, before, strict=True)]
    return found


def test_what_was_stored_is_read_as_it_was(cluster: Cluster, stored: Stored) -> None:
    """Spec and status of every object are what they were before the update, but for defaults of fields that are new."""
    read = [cluster.ask("GET", path)[1] for path, _ in stored]

    assert [
        (without_news(found["spec"], before["spec"]), found.get("status"))
        for found, (_, before) in zip(read, stored, strict=True)
    ] == [(before["spec"], before.get("status")) for _, before in stored]


def test_what_was_stored_is_written_again(cluster: Cluster, stored: Stored) -> None:
    """A change of the labels and one of the status are taken."""
    for path, _ in stored:
        found = cluster.ask("GET", path)[1]
        found["metadata"]["labels"] = {"seen": "yes"}
        status, answer = cluster.ask("PUT", f"{path}?dryRun=All", found)
        assert status == 200, answer["message"]
        if "status" in found:
            found["status"]["message"] = "Seen after the update."
            status, answer = cluster.ask("PUT", f"{path}/status?dryRun=All", found)
            assert status == 200, answer["message"]


def test_what_was_stored_would_be_taken_anew(cluster: Cluster, stored: Stored) -> None:
    """The API server forgives unchanged fields of a stored object; under another name, none is in need of that."""
    for path, before in stored:
        document = {field: before[field] for field in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "anew"}}
        place = f"{path.rpartition('/')[0]}?dryRun=All&fieldValidation=Strict"
        status, answer = cluster.ask("POST", place, document)

        assert status == 201, answer["message"]


def test_the_states_of_a_release_are_known_to_the_engine(stored: Stored) -> None:
    """No status has become one that cannot be read: its Rollout would be adopted anew."""
    statuses = [before["status"] for _, before in stored if "status" in before]

    assert statuses
    assert all(from_status(status) is not None for status in statuses)
