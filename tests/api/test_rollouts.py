"""Rollouts over the API: listed, read and deleted."""

import json

from rollout.engine.table import Phase
from rollout.ports import Key
from tests.api.world import NOBODY, VIEWER, WEB, World, manifest, world
from tests.waiting import until

MAIL, SEARCH = Key("post", "mail"), Key("shop", "search")


async def _three(api: World) -> None:
    for key in (WEB, MAIL, SEARCH):
        await api.standing(key)


def _names(reply_json: dict[str, list[dict[str, object]]]) -> list[object]:
    return [item["name"] for item in reply_json["items"]]


async def test_an_applied_rollout_can_be_read() -> None:
    """What was applied is answered with its status, and its version as ETag."""
    async with world() as api:
        await api.standing()
        read = await api.ask("GET", "/api/v1/rollouts/shop/web")

    assert read.status == 200
    assert read.json["spec"] == manifest()["spec"]
    assert read.json["status"]["phase"] == "Idle"
    assert read.json["metadata"]["generation"] == 1
    assert read.json["metadata"]["creationTimestamp"].endswith("Z")
    assert read.headers["ETag"] == f'"{read.json["metadata"]["resourceVersion"]}"'


async def test_the_status_is_live_and_has_nothing_of_the_engine() -> None:
    """The status says where the Rollout stands right now, without what only the engine and the judge need."""
    async with world() as api:
        await api.under_way()
        status = (await api.ask("GET", "/api/v1/rollouts/shop/web")).json["status"]

    assert (status["phase"], status["step"], status["revision"]) == ("Progressing", 1, "2")
    assert not {"engine", "judge"} & set(status)


async def test_before_the_first_look_the_recorded_status_is_told() -> None:
    """Without a controller that has looked, the resource has the status of the store, less what is the engine's."""
    recorded = {"phase": "Paused", "reason": "PausedByCommand", "engine": {"share": 25.0}, "step": 2}
    async with world(controlling=False) as api:
        await api.apply()
        stored = api.store.read(WEB)
        assert stored is not None
        await api.store.record(WEB, status=recorded, expected=stored.version)
        read = (await api.ask("GET", "/api/v1/rollouts/shop/web")).json
        listed = (await api.ask("GET", "/api/v1/rollouts?phase=Paused")).json["items"][0]

    assert read["status"] == {"phase": "Paused", "reason": "PausedByCommand", "step": 2}
    assert (listed["phase"], listed["step"], listed["weight"]) == ("Paused", 2, 25.0)


async def test_before_the_first_look_the_recorded_failover_is_told() -> None:
    """A list has phase, reason and active backend, and is filtered by the phase, as the store has it."""
    failover = {"phase": "FailedOver", "active": "web-dr", "epoch": 2, "reason": "OnBackup"}
    async with world(controlling=False) as api:
        await api.apply()
        await api.apply(SEARCH)
        stored = api.store.read(WEB)
        assert stored is not None
        await api.store.record(WEB, status={"phase": "Idle", "failover": failover}, expected=stored.version)
        away = (await api.ask("GET", "/api/v1/rollouts?failover=FailedOver&failover=Latched")).json["items"]
        at_home = (await api.ask("GET", "/api/v1/rollouts?failover=Normal")).json

    assert [(item["name"], item["failover"], item["failoverReason"], item["active"]) for item in away] == [
        ("web", "FailedOver", "OnBackup", "web-dr")
    ]
    assert _names(at_home) == ["search"]


async def test_failover_is_in_the_list_while_a_controller_runs() -> None:
    """Without failover its phase is Normal, and there is no reason for it."""
    async with world() as api:
        await api.standing()
        (item,) = (await api.ask("GET", "/api/v1/rollouts?failover=Normal")).json["items"]
        none = (await api.ask("GET", "/api/v1/rollouts?failover=Drill")).json
        wrong = await api.ask("GET", "/api/v1/rollouts?failover=Lost")

    assert (item["failover"], item["failoverReason"], item["active"]) == ("Normal", "", "")
    assert _names(none) == []
    assert (wrong.status, wrong.json["problems"][0]["field"]) == (422, "failover")


async def test_what_is_not_there_is_not_found() -> None:
    """A Rollout that does not exist is a problem 404 that names it."""
    async with world() as api:
        reply = await api.ask("GET", "/api/v1/rollouts/shop/nothing")

    assert reply.status == 404
    assert reply.json["detail"] == "there is no Rollout shop/nothing"
    assert reply.headers["Content-Type"] == "application/problem+json"


async def test_a_list_is_in_order_and_has_summaries() -> None:
    """Rollouts come in order of namespace and name, each with where it stands."""
    async with world() as api:
        await _three(api)
        page = (await api.ask("GET", "/api/v1/rollouts", token=VIEWER)).json

    assert [(item["namespace"], item["name"]) for item in page["items"]] == [
        ("post", "mail"),
        ("shop", "search"),
        ("shop", "web"),
    ]
    assert page["items"][0]["steps"] == 2
    assert page["items"][0]["stable"] == "mail-v1"
    assert (page["total"], page["next"]) == (3, None)


async def test_pages_follow_each_other() -> None:
    """What a page gives as next leads to the page behind it, also when Rollouts come and go meanwhile."""
    async with world() as api:
        await _three(api)
        first = (await api.ask("GET", "/api/v1/rollouts?limit=2")).json
        await api.standing(Key("a", "new"))
        await api.ask("DELETE", "/api/v1/rollouts/shop/search")
        await until(lambda: api.store.read(SEARCH) is None)
        second = (await api.ask("GET", f"/api/v1/rollouts?limit=2&continue={first['next']}")).json

    assert (_names(first), _names(second)) == (["mail", "search"], ["web"])
    assert second["next"] is None


async def test_filters_let_through_what_they_say() -> None:
    """Namespace, phases and labels all must hold; of several phases one."""
    async with world() as api:
        await _three(api)
        document = manifest(SEARCH)
        document["metadata"] = {"name": "search", "namespace": "shop", "labels": {"tier": "gold", "team": "a=b"}}
        await api.ask("PUT", "/api/v1/rollouts/shop/search", json=document)
        await api.command("start", revision="2")
        asked = {
            query: _names((await api.ask("GET", f"/api/v1/rollouts?{query}")).json)
            for query in (
                "namespace=shop",
                "phase=Progressing",
                "phase=Progressing&phase=Idle&namespace=shop",
                "label=tier%3Dgold&label=team%3Da%3Db",
                "label=tier%3Dsilver",
                "namespace=none",
            )
        }

    assert asked == {
        "namespace=shop": ["search", "web"],
        "phase=Progressing": ["web"],
        "phase=Progressing&phase=Idle&namespace=shop": ["search", "web"],
        "label=tier%3Dgold&label=team%3Da%3Db": ["search"],
        "label=tier%3Dsilver": [],
        "namespace=none": [],
    }


async def test_a_full_list_has_whole_resources() -> None:
    """With full, the items are what each Rollout's own address answers."""
    async with world() as api:
        await _three(api)
        page = (await api.ask("GET", "/api/v1/rollouts?full=true&namespace=post")).json
        alone = (await api.ask("GET", "/api/v1/rollouts/post/mail")).json

    assert page == {"items": [alone], "total": 1, "next": None}


async def test_a_long_full_list_is_whole() -> None:
    """Many whole resources come in one page, in order, while others have their turns between."""
    keys = [Key("shop", f"web-{number:02}") for number in range(45)]
    async with world(controlling=False) as api:
        for key in keys:
            await api.store.apply(manifest(key))
        page = (await api.ask("GET", "/api/v1/rollouts?full=true")).json

    assert [item["metadata"]["name"] for item in page["items"]] == [key.name for key in keys]


async def test_who_may_not_list_a_namespace_is_told_so() -> None:
    """A list without namespace asks for all of them; who may only see one must name it."""
    async with world() as api:
        await _three(api)
        api.access.only = {"post"}
        everywhere = await api.ask("GET", "/api/v1/rollouts", token=VIEWER)
        there = await api.ask("GET", "/api/v1/rollouts?namespace=post", token=VIEWER)
        elsewhere = await api.ask("GET", "/api/v1/rollouts/shop/web", token=VIEWER)

    assert (everywhere.status, there.status, elsewhere.status) == (403, 200, 403)
    assert everywhere.json["detail"] == "victor may not list Rollouts in all namespaces"


async def test_reading_needs_a_role() -> None:
    """A known caller without a role may read nothing, and is not told what there is."""
    async with world() as api:
        await api.standing()
        there = await api.ask("GET", "/api/v1/rollouts/shop/web", token=NOBODY)
        nothing = await api.ask("GET", "/api/v1/rollouts/shop/nothing", token=NOBODY)

    assert (there.status, nothing.status) == (403, 403)


async def test_a_deleted_rollout_is_finished_and_goes() -> None:
    """A delete answers at once; the controller gives stable all weight, and then the Rollout is gone."""
    async with world() as api:
        await api.under_way()
        reply = await api.ask("DELETE", "/api/v1/rollouts/shop/web")
        await until(lambda: api.store.read(WEB) is None)
        again = await api.ask("DELETE", "/api/v1/rollouts/shop/web")

    assert (reply.status, again.status) == (202, 404)
    assert "stable" in reply.json["message"]


async def test_a_delete_of_another_version_does_nothing() -> None:
    """A delete that means another version is refused, and the Rollout stays."""
    async with world() as api:
        await api.standing()
        reply = await api.ask("DELETE", "/api/v1/rollouts/shop/web", headers={"If-Match": '"none"'})
        stored = api.store.read(WEB)

    assert reply.status == 412
    assert stored is not None
    assert not stored.deleting


async def test_a_file_speaks_louder_than_a_delete() -> None:
    """A Rollout of a manifest file is deleted in that file, which the refusal names."""
    async with world() as api:
        await api.store.apply(manifest(), "/etc/rollouts/web.yaml")
        reply = await api.ask("DELETE", "/api/v1/rollouts/shop/web")

    assert reply.status == 409
    assert "/etc/rollouts/web.yaml" in reply.json["detail"]


async def test_a_viewer_deletes_nothing() -> None:
    """Who may only look is refused."""
    async with world() as api:
        await api.standing()
        reply = await api.ask("DELETE", "/api/v1/rollouts/shop/web", token=VIEWER)

    assert reply.status == 403


async def test_an_invalid_rollout_of_a_file_is_still_listed() -> None:
    """A manifest that cannot be used, with labels that are none, is listed and read like any other."""
    document = {**manifest(steps=[{"weight": 300}]), "metadata": {"name": "web", "namespace": "shop", "labels": [1]}}
    async with world() as api:
        await api.store.apply(document, "/etc/rollouts/web.yaml")
        await api.until_phase(Phase.INVALID)
        page = (await api.ask("GET", "/api/v1/rollouts?phase=Invalid")).json
        read = await api.ask("GET", "/api/v1/rollouts/shop/web")

    assert page["items"][0]["labels"] == {}
    assert page["items"][0]["steps"] == 0
    assert json.loads(read.content)["status"]["phase"] == "Invalid"
