"""Broken manifests: the API server itself refuses each, and says which field is wrong and why."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crds.manifests import manifest, tried

ROWS: list[dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("refused.yaml"))


def said(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each field that an answer names, with what is said of it."""
    causes = answer.get("details", {}).get("causes", ())
    unknown = answer["message"].split("unknown field ")[1:]
    return [
        *((cause["field"], cause["message"]) for cause in causes),
        *((text.split('"')[1], "unknown field") for text in unknown),
    ]


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}-{row['field']}" for number, row in enumerate(ROWS)])
def test_a_broken_manifest_is_refused(cluster: Cluster, namespace: str, row: dict[str, Any]) -> None:
    """The answer names the field and says what is wrong with it."""
    status, answer = tried(cluster, namespace, manifest(row.get("kind", "Rollout"), **row["with"]))
    found = [message for field, message in said(answer) if field == row["field"]]

    assert status in {400, 422}
    assert any(row["says"] in message for message in found), answer["message"]


def test_a_manifest_without_spec_is_refused(cluster: Cluster, namespace: str) -> None:
    """It would be a Rollout that wants nothing."""
    document = manifest()
    del document["spec"]
    status, answer = tried(cluster, namespace, document)

    assert status == 422
    assert ("spec", "Required value") in said(answer)


def test_there_are_many_rows() -> None:
    """At least sixty broken manifests are kept."""
    assert len(ROWS) >= 60
