"""A Rollout's history over the API: its transitions, newest first, a page at a time."""

from pathlib import Path

from rollout.sqlite.store import SqliteStore
from tests.api.world import NOBODY, WEB, World, world
from tests.waiting import until

PATH = "/api/v1/rollouts/shop/web/history"


async def _with_transitions(api: World) -> None:
    await api.under_way()
    await api.command("pause")
    await api.command("resume")


async def test_transitions_come_newest_first(tmp_path: Path) -> None:
    """Each transition has number, time, phase, step, weights, reason and message."""
    store = await SqliteStore.open(tmp_path / "rollouts.db")
    async with world(store) as api:
        await _with_transitions(api)
        page = (await api.ask("GET", PATH)).json
    await store.close()

    assert [item["reason"] for item in page["items"]][:2] == ["Resumed", "PausedByCommand"]
    assert [item["number"] for item in page["items"]] == list(range(len(page["items"]), 0, -1))
    assert set(page["items"][0]) == {"number", "at", "phase", "step", "weights", "reason", "message", "failover"}
    assert page["next"] is None


async def test_pages_lead_to_older_ones() -> None:
    """What a page gives as next leads behind it, and the last page gives none, however it falls."""
    async with world() as api:
        await _with_transitions(api)
        whole = [item["number"] for item in (await api.ask("GET", PATH)).json["items"]]
        numbers, before = [], ""
        while True:
            page = (await api.ask("GET", f"{PATH}?limit=1{before}")).json
            numbers += [item["number"] for item in page["items"]]
            if page["next"] is None:
                break
            before = f"&before={page['next']}"

    assert numbers == whole
    assert whole == [3, 2, 1]


async def test_a_new_rollout_has_an_empty_history() -> None:
    """A Rollout without transitions answers an empty page."""
    async with world(controlling=False) as api:
        await api.apply()
        page = await api.ask("GET", PATH)

    assert (page.status, page.json) == (200, {"items": [], "next": None})


async def test_the_history_outlives_its_rollout() -> None:
    """The transitions of a Rollout that is gone can still be read, also behind the last of them."""
    async with world() as api:
        await api.under_way()
        await api.ask("DELETE", "/api/v1/rollouts/shop/web")
        await until(lambda: api.store.read(WEB) is None)
        page = await api.ask("GET", PATH)
        behind = await api.ask("GET", f"{PATH}?before=1")

    assert page.json["items"][0]["reason"] == "Deleting"
    assert (behind.status, behind.json["items"]) == (200, [])


async def test_what_never_was_has_none() -> None:
    """A Rollout that nobody remembers is not found."""
    async with world() as api:
        reply = await api.ask("GET", "/api/v1/rollouts/shop/nothing/history")

    assert reply.status == 404


async def test_the_history_needs_a_role() -> None:
    """Who may not read the Rollout may not read its history."""
    async with world() as api:
        await api.standing()
        reply = await api.ask("GET", PATH, token=NOBODY)

    assert reply.status == 403
