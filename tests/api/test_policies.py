"""Policies over the API: those of a namespace, and those for all."""

import pytest

from rollout.engine.table import Phase
from tests.api.world import VIEWER, world
from tests.contracts.builders import policy_document

ONE, FOR_ALL = "/api/v1/policies/shop/house", "/api/v1/cluster-policies/house"
STEPS = [{"weight": 25, "hold": "1m"}]


def _policy(path: str = ONE, **spec: object) -> dict[str, object]:
    kind = "RolloutPolicy" if path == ONE else "ClusterRolloutPolicy"
    return policy_document("house", kind=kind, **(spec or {"steps": STEPS}))


@pytest.mark.parametrize("path", [ONE, FOR_ALL])
async def test_a_policy_is_made_changed_and_taken_away(path: str) -> None:
    """Each kind of policy is applied, read, applied again, and deleted at its own address."""
    async with world() as api:
        made = await api.ask("PUT", path, json=_policy(path))
        same = await api.ask("PUT", path, json=_policy(path))
        other = await api.ask("PUT", path, json=_policy(path, promotion={"mode": "Swap"}))
        read = await api.ask("GET", path, token=VIEWER)
        gone = await api.ask("DELETE", path)
        nothing = [await api.ask(method, path) for method in ("GET", "DELETE")]

    assert [(reply.status, reply.json["outcome"]) for reply in (made, same, other)] == [
        (201, "created"),
        (200, "unchanged"),
        (200, "changed"),
    ]
    assert (read.json["source"], read.json["resource"]["spec"]) == ("", {"promotion": {"mode": "Swap"}})
    assert gone.json == read.json
    assert [reply.status for reply in nothing] == [404, 404]


async def test_all_policies_are_listed() -> None:
    """The list has the policies of all namespaces and those for all, with the file that speaks for each."""
    async with world() as api:
        await api.ask("PUT", ONE, json=_policy(ONE))
        await api.store.apply_policy(_policy(FOR_ALL), "/etc/rollouts/policies.yaml")
        page = (await api.ask("GET", "/api/v1/policies", token=VIEWER)).json

    assert [(item["kind"], item["namespace"], item["name"], item["source"]) for item in page["items"]] == [
        ("ClusterRolloutPolicy", "", "house", "/etc/rollouts/policies.yaml"),
        ("RolloutPolicy", "shop", "house", ""),
    ]


async def test_rollouts_follow_their_policy() -> None:
    """A Rollout that waits for its policy goes on once it is applied."""
    async with world() as api:
        await api.apply(policy={"kind": "RolloutPolicy", "name": "house"}, steps=None)
        await api.until_phase(Phase.INVALID)
        await api.ask("PUT", ONE, json=_policy())
        await api.until_phase(Phase.IDLE)
        listed = (await api.ask("GET", "/api/v1/rollouts")).json["items"][0]

    assert listed["steps"] == 1


async def test_a_wrong_policy_is_refused() -> None:
    """Everything that is wrong with a policy is told, and nothing is stored."""
    async with world() as api:
        reply = await api.ask("PUT", ONE, json=_policy(steps=[{"weight": 300}], colour="blue"))
        kept = api.store.policies()

    assert reply.status == 422
    assert {item["field"] for item in reply.json["problems"]} == {"spec.steps[0].weight", "spec.colour"}
    assert not kept


async def test_a_dry_run_of_a_policy_writes_nothing() -> None:
    """It is checked and answered, and the store stays as it was."""
    async with world() as api:
        reply = await api.ask("PUT", f"{FOR_ALL}?dryRun=true", json=_policy(FOR_ALL))
        kept = api.store.policies()

    assert (reply.status, reply.json["outcome"], reply.json["dryRun"]) == (200, "created", True)
    assert not kept


async def test_the_body_is_of_the_kind_of_the_path() -> None:
    """A policy of one kind is not taken at the address of the other."""
    async with world() as api:
        reply = await api.ask("PUT", FOR_ALL, json=_policy(ONE))

    assert (reply.status, reply.json["problems"][0]["field"]) == (422, "kind")


async def test_a_file_speaks_louder_for_policies_too() -> None:
    """A policy of a manifest file is changed in that file, which the refusal names."""
    async with world() as api:
        await api.store.apply_policy(_policy(), "/etc/rollouts/policies.yaml")
        replies = [await api.ask("PUT", ONE, json=_policy()), await api.ask("DELETE", ONE)]
        kept = api.store.policies()

    assert [reply.status for reply in replies] == [409, 409]
    assert all("/etc/rollouts/policies.yaml" in reply.json["detail"] for reply in replies)
    assert len(kept) == 1


async def test_policies_for_all_need_rights_in_all_namespaces() -> None:
    """Who may change things in one namespace only may change its policies, and none for all."""
    async with world() as api:
        api.access.only = {"shop"}
        here = await api.ask("PUT", ONE, json=_policy(ONE))
        refused = [
            await api.ask("PUT", FOR_ALL, json=_policy(FOR_ALL)),
            await api.ask("GET", FOR_ALL),
            await api.ask("GET", "/api/v1/policies"),
            await api.ask("DELETE", "/api/v1/policies/post/house"),
        ]

    assert here.status == 201
    assert [reply.status for reply in refused] == [403] * 4


async def test_a_viewer_changes_no_policy() -> None:
    """Who may only look is refused."""
    async with world() as api:
        replies = [
            await api.ask("PUT", ONE, token=VIEWER, json=_policy()),
            await api.ask("DELETE", FOR_ALL, token=VIEWER),
        ]

    assert [reply.status for reply in replies] == [403, 403]


async def test_a_policy_with_a_time_zone_that_there_is_not_is_refused() -> None:
    """It would make every Rollout invalid that names it, so it is told at once."""
    async with world() as api:
        reply = await api.ask("PUT", ONE, json=_policy(failover={"timeZone": "Europe/Atlantis"}))

    assert reply.status == 422
    assert "spec.failover.timeZone" in str(reply.json)
