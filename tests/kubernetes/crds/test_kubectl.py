"""What people see by kubectl: columns, short names, categories, waits, explanations."""

import json
from dataclasses import replace

import pytest

from tests.engine.builders import V1, under_way
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.crds.manifests import collection, manifest
from tests.kubernetes.crds.test_status import as_json, put_status


@pytest.fixture
def stored(cluster: Cluster, namespace: str) -> str:
    """Store a Rollout with the status of its first generation, and a policy; return their namespace."""
    path = collection("Rollout", namespace)
    cluster.apply(path, manifest())
    put_status(cluster, path, as_json(replace(under_way().state, observed_generation=1)))
    cluster.apply(collection("RolloutPolicy", namespace), manifest("RolloutPolicy", "house"))
    return namespace


def cells(printed: str) -> list[list[str]]:
    """Return the cells of a printed table; between two are at least two spaces or a tab."""
    lines = [line for line in printed.splitlines() if line.strip()]
    heads = [column for column in lines[0].split("  ") if column.strip()]
    starts = [lines[0].index(head.strip()) for head in heads]
    ends = [*starts[1:], None]
    return [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]


async def test_a_list_says_where_a_rollout_stands(cluster: Cluster, stored: str) -> None:
    """Phase, step, the canary's weight, who is stable, and age."""
    head, row = cells(await cluster.kubectl("get", "rollouts", "-n", stored))

    assert head == ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "FAILOVER", "AGE"]
    assert row[:6] == ["web", "Progressing", "1", "5", V1, "Normal"]


async def test_a_wide_list_says_why(cluster: Cluster, stored: str) -> None:
    """Reason and message stand behind."""
    head, row = cells(await cluster.kubectl("get", "rollouts", "-n", stored, "-o", "wide"))
    state = under_way().state

    assert head[7:] == ["REASON", "MESSAGE"]
    assert row[7:] == [state.reason, state.message]


@pytest.mark.parametrize("name", ["ro", "rollout", "rollouts", "rollouts.rollout.dev"])
async def test_a_rollout_is_found_by_each_of_its_names(cluster: Cluster, stored: str, name: str) -> None:
    """The short one, the singular, the plural, the full one: each with the Rollout's own name behind it."""
    found = await cluster.kubectl("get", name, "web", "-n", stored, "-o", "name")

    assert found == "rollout.rollout.dev/web\n"


CATEGORIES = {
    "all": ["rollout.rollout.dev/web"],
    "rollout-dev": ["rollout.rollout.dev/web", "rolloutpolicy.rollout.dev/house"],
}


@pytest.mark.parametrize("category", CATEGORIES)
async def test_a_category_lists_several_kinds(cluster: Cluster, stored: str, category: str) -> None:
    """What runs in a namespace has the Rollouts; our own category has the policies, too."""
    found = await cluster.kubectl("get", category, "-n", stored, "-o", "name")

    assert sorted(found.split()) == CATEGORIES[category]


async def test_no_short_name_is_taken_twice(cluster: Cluster) -> None:
    """None of ours is that of another kind which the API server or the Gateway API has."""
    found = (await cluster.kubectl("api-resources", "--no-headers")).splitlines()
    short = [name for line in found for name in line.split()[1].split(",") if len(line.split()) == 5]

    assert {"ro", "rop", "crop"} <= set(short)
    assert all(short.count(name) == 1 for name in ("ro", "rop", "crop"))


async def test_a_condition_can_be_waited_for(cluster: Cluster, stored: str) -> None:
    """`kubectl wait` reads the conditions."""
    said = await cluster.kubectl("wait", "rollout/web", "-n", stored, "--for=condition=Ready", "--timeout=5s")

    assert "condition met" in said


async def test_a_field_is_explained(cluster: Cluster) -> None:
    """With what it means, what is allowed and the default."""
    said = " ".join((await cluster.kubectl("explain", "rollouts.rollout.dev.spec.analysis.confidence")).split())

    assert "At most 1 - confidence of all attempts of good canaries are aborted" in said
    assert "Allowed: a percentage from 50% to 99.9999%. Default: `99%`." in said


async def test_a_manifest_is_applied_and_changed(cluster: Cluster, namespace: str) -> None:
    """As people do it: apply by the server, edit a field, apply again; the gates are merged by their names."""
    path = cluster.folder / f"{namespace}.json"
    path.write_text(json.dumps(manifest(revision="1")), encoding="utf-8")
    await cluster.kubectl("apply", "--server-side", "-n", namespace, "-f", str(path))
    path.write_text(json.dumps(manifest(revision="2")), encoding="utf-8")
    await cluster.kubectl("apply", "--server-side", "-n", namespace, "-f", str(path))

    found = await cluster.kubectl("get", "ro", "web", "-n", namespace, "-o", "jsonpath={.spec.revision}")
    assert found == "2"
