"""Facts about deploy/rbac: the service can do its work with these rules, and there is none that it does not use."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from rollout.kube.resources import POLICIES
from rollout.spec.crd import crds
from tests.kubernetes.access.day import ACCOUNT, SYSTEM, USER, Day, token_of
from tests.kubernetes.access.rules import RBAC, Use, forbidden, granted, made
from tests.kubernetes.cluster import ADMIN, GATEWAY_API, Cluster, gateway_crds
from tests.kubernetes.stage import open_stage, rollout

pytestmark = pytest.mark.timeout(180)

RULES = Path(__file__).parents[3] / "deploy" / "rbac"
SHOP = "shop"
PEOPLE = {"viewer": "rollout-viewer", "operator": "rollout-operator", "editor": "rollout-editor", "stranger": ""}


@dataclass(slots=True)
class Seen:
    """What was granted, what the audit log has, and what the API answered whom."""

    rules: set[Use]
    events: list[dict[str, Any]]
    answers: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def made(self) -> set[Use]:
        """Return what was done."""
        return made(self.events, self.rules)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run an API server on which nothing else happens, with the CRDs and people of all kinds."""
    running = Cluster.begin(tmp_path_factory.mktemp("own"))
    try:
        for crd in (*gateway_crds(GATEWAY_API), *crds()):
            running.install(dict(crd))
        for namespace in (SYSTEM, SHOP):
            running.make_namespace(namespace)
        asyncio.run(install(running, RULES))
        for name, role in PEOPLE.items():
            running.apply(f"/api/v1/namespaces/{SHOP}/serviceaccounts", {"metadata": {"name": name}})
            if role:
                bind(running, name, role)
        yield running
    finally:
        running.end()


async def install(cluster: Cluster, folder: Path) -> None:
    """Install rules as people do."""
    await cluster.kubectl("apply", "-k", str(folder))


def bind(cluster: Cluster, name: str, role: str) -> None:
    """Give an account of the shop a ClusterRole there."""
    subject = {"kind": "ServiceAccount", "name": name, "namespace": SHOP}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    document = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
    cluster.apply(f"{RBAC}/namespaces/{SHOP}/rolebindings", document)


@pytest.fixture(scope="module")
def seen(own: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Let the service work for a day with the rules as they are."""
    found = Seen(granted(own, SYSTEM, ACCOUNT), [])

    async def play() -> None:
        """Let it work; what does not come about may have been forbidden."""
        tokens = {name: token_of(own, SHOP, name) for name in PEOPLE}
        async with open_stage(own, SHOP) as stage:
            day = Day(stage, tmp_path_factory.mktemp("day"), {**tokens, "admin": ADMIN})
            async with day.service():
                await asyncio.gather(day.promotion(), day.abort_and_deletion(), day.copies())
                await day.switch()
                await day.refusals()
                await day.conflicts()
                await day.late_reference()
                found.answers |= await answers(day)

    try:
        asyncio.run(play())
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"{str(error) or 'not in time'}; forbidden: {forbidden(own.audited(USER))}") from error
    found.events = own.audited(USER)
    return found


@pytest.fixture(scope="module")
def applied(own: Cluster, seen: Seen, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Let the service make Rollouts and policies for those who ask its API, with the rules for that added."""
    before, folder = len(own.audited(USER)), tmp_path_factory.mktemp("overlay")
    base = os.path.relpath(RULES, folder)
    (folder / "kustomization.yaml").write_text(f"resources: [{base}]\ncomponents: [{base}/applying]\n")
    asyncio.run(install(own, folder))
    found = Seen(granted(own, SYSTEM, ACCOUNT), [])

    async def play() -> None:
        """Do all that ``rollout apply`` and ``rollout delete`` can."""
        tokens = {"operator": token_of(own, SHOP, "operator"), "admin": ADMIN}
        async with open_stage(own, SHOP) as stage:
            day = Day(stage, tmp_path_factory.mktemp("applying"), tokens)
            async with day.service():
                found.answers |= {"operator": await objects(day, "operator"), "admin": await objects(day, "admin")}

    asyncio.run(play())
    found.events = own.audited(USER)[before:]
    return found


async def objects(day: Day, who: str) -> dict[str, int]:
    """Make, change and delete a Rollout and policies by the API; return the answers."""
    of_all = {"apiVersion": POLICIES.api_version, "kind": "ClusterRolloutPolicy", "metadata": {"name": "made"}}
    policies = ({**of_all, "kind": "RolloutPolicy"}, of_all)
    paths = (f"/rollouts/{SHOP}/made", f"/policies/{SHOP}/made", "/cluster-policies/made")
    found: dict[str, int] = {}
    for path, document in zip(paths, (rollout("made"), *policies), strict=True):
        for what, change in (("make", {"steps": [{"weight": 10}]}), ("change", {"steps": [{"weight": 20}]})):
            spec = {**document.get("spec", {}), **change}
            found[f"{what} {path}"] = await day.ask(who, "PUT", path, {**document, "spec": spec})
        found[f"delete {path}"] = await day.ask(who, "DELETE", path)
    return found


async def answers(day: Day) -> dict[str, dict[str, int]]:
    """Return what the API answers whom, by name and by question."""
    one = f"/rollouts/{SHOP}/checkout"
    asked: dict[str, tuple[str, str, object]] = {
        "get": ("GET", one, None),
        "list": ("GET", f"/rollouts?namespace={SHOP}", None),
        "list all": ("GET", "/rollouts", None),
        "command": ("POST", f"{one}/commands", {"action": "approve"}),
        "see switch": ("GET", "/failover", None),
        "turn switch": ("PUT", "/failover", {"stopped": False}),
    }
    return {who: {what: await day.ask(who, *question) for what, question in asked.items()} for who in PEOPLE}


def test_nothing_that_it_does_is_forbidden(seen: Seen) -> None:
    """Routes of both kinds, aborts, workloads, events, commands, reviews, Leases, deletion: all with these rules."""
    assert forbidden(seen.events) == []
    assert sorted(map(str, seen.made - seen.rules)) == []


def test_no_verb_is_granted_that_is_not_used(seen: Seen) -> None:
    """Who steals the service's token gets no more than its work needs."""
    assert sorted(map(str, seen.rules - seen.made)) == []


def test_making_objects_by_the_api_needs_the_rules_for_that(applied: Seen, seen: Seen) -> None:
    """They are exactly what it takes, and are asked for apart from the others."""
    assert forbidden(applied.events) == []
    assert sorted(map(str, applied.made - applied.rules)) == []
    assert sorted(map(str, applied.rules - seen.rules - applied.made)) == []


def test_objects_are_made_for_who_may_update_rollouts_there(applied: Seen) -> None:
    """An operator of a namespace has nothing to do with the policies of all."""
    mine, all_of_them = applied.answers["operator"], applied.answers["admin"]

    assert [status for path, status in mine.items() if SHOP in path] == [201, 200, 202, 201, 200, 200]
    assert [status for path, status in mine.items() if SHOP not in path] == [403] * 3
    assert [status for path, status in all_of_them.items() if SHOP not in path] == [201, 200, 200]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("view", {"rollout-viewer"}),
        ("edit", {"rollout-viewer", "rollout-operator", "rollout-editor"}),
        ("admin", {"rollout-viewer", "rollout-operator", "rollout-editor"}),
    ],
)
def test_the_roles_of_kubernetes_take_ours_in(own: Cluster, theirs: str, ours: set[str]) -> None:
    """Who may look at a namespace, or change what is in it, may do so with its Rollouts; the service is apart."""
    _, role = own.ask("GET", f"{RBAC}/clusterroles/{theirs}")
    wanted = [selector["matchLabels"].items() for selector in role["aggregationRule"]["clusterRoleSelectors"]]
    _, listed = own.ask("GET", f"{RBAC}/clusterroles?labelSelector=app.kubernetes.io/name=rollout")
    labels = {item["metadata"]["name"]: item["metadata"]["labels"].items() for item in listed["items"]}

    assert {name for name, found in labels.items() if any(each <= found for each in wanted)} == ours


def test_there_is_no_rule_for_everything() -> None:
    """No star stands for what nobody has looked at."""
    rules = [path for path in RULES.rglob("*.yaml") if "*" in path.read_text(encoding="utf-8").replace("**", "")]

    assert rules == []


@pytest.mark.parametrize(
    ("who", "looks", "commands"),
    [("viewer", True, False), ("operator", True, True), ("editor", True, True), ("stranger", False, False)],
)
def test_people_may_what_their_role_says(seen: Seen, who: str, *, looks: bool, commands: bool) -> None:
    """In their namespace, and nobody in all."""
    told = seen.answers[who]

    assert [told["get"], told["list"]] == [HTTPStatus.OK if looks else HTTPStatus.FORBIDDEN] * 2
    assert (told["command"] == HTTPStatus.FORBIDDEN) is not commands
    assert [told["list all"], told["turn switch"]] == [HTTPStatus.FORBIDDEN] * 2
    assert told["see switch"] == HTTPStatus.OK
