"""The routes of event streams, as a client of the whole application meets them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rollout.api.stream_response import Pace
from rollout.api.streams import StreamOptions
from rollout.engine.table import Phase
from rollout.ports import Key
from rollout.sqlite.store import SqliteStore
from tests.api.stream_world import Client
from tests.api.world import OPERATOR, VIEWER, WEB, World, options, world
from tests.bench.stream_figures import Size, measure
from tests.waiting import until

ALL = "/api/v1/events"
OF_WEB = "/api/v1/rollouts/shop/web/events"
MAIL = Key("post", "mail")


def reading(api: World, target: str = ALL, token: str = VIEWER, **headers: str) -> Client:
    """Return a reader with a token; headers are written with _."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(api.port, target, {**({"Authorization": f"Bearer {token}"} if token else {}), **given})


def streams(**given: Any) -> StreamOptions:  # noqa: ANN401 - what the options take
    """Return options of streams."""
    return StreamOptions(asyncio.Event(), **given)


async def three(api: World) -> None:
    """Let the controller record three transitions of the Rollout."""
    await api.under_way()
    for action in ("pause", "resume"):
        await api.command(action)
    assert api.store.last == 3


async def test_what_the_controller_records_is_streamed() -> None:
    """The same transitions as in the history, in the order in which they were recorded."""
    async with world() as api, reading(api) as client:
        await api.under_way()
        await api.command("pause")
        await api.until_phase(Phase.PAUSED)
        history = await api.ask("GET", "/api/v1/rollouts/shop/web/history")
        await until(lambda: len(client.got.events) == len(history.json["items"]))

    assert [event.data["transition"] for event in client.got.events] == history.json["items"][::-1]
    assert {(event.data["namespace"], event.data["name"]) for event in client.got.events} == {("shop", "web")}


async def test_readers_of_a_namespace_and_of_a_rollout_get_theirs() -> None:
    """And nothing of the others."""
    async with world() as api:
        await api.standing(WEB)
        async with (
            reading(api) as everything,
            reading(api, f"{ALL}?namespace=post") as of_post,
            reading(api, OF_WEB) as of_web,
        ):
            await api.under_way(MAIL)
            await api.under_way(WEB)
            last = api.store.last
            await until(lambda: everything.got.last_id == of_web.got.last_id == str(last))
    named = [{event.data["name"] for event in client.got.events} for client in (everything, of_post, of_web)]

    assert named == [{"web", "mail"}, {"mail"}, {"web"}]


async def test_a_reader_goes_on_after_its_last_event() -> None:
    """By the header, by the query, and by the header where both are given."""
    async with world() as api:
        await three(api)
        async with (
            reading(api, Last_Event_ID="1") as by_header,
            reading(api, f"{ALL}?lastEventId=2") as by_query,
            reading(api, f"{OF_WEB}?lastEventId=0", Last_Event_ID="2") as by_both,
        ):
            await until(lambda: all(client.got.last_id == "3" for client in (by_header, by_query, by_both)))

    assert by_header.got.ids == [2, 3]
    assert by_query.got.ids == by_both.got.ids == [3]


async def test_ids_outlive_a_restart(tmp_path: Path) -> None:
    """A reader that comes back to a new process gets what it missed, once."""
    store = await SqliteStore.open(tmp_path / "rollout.db")
    async with world(store) as api, reading(api) as before:
        await api.under_way()
        await until(lambda: before.got.ids == [1])
        await before.__aexit__()
        await api.command("pause")
        await api.command("resume")
    await store.close()
    again = await SqliteStore.open(tmp_path / "rollout.db")
    async with (
        world(again, controlling=False) as api,
        reading(api, Last_Event_ID=before.got.last_id) as after,
        reading(api) as fresh,
    ):
        await until(lambda: after.got.last_id == "3")
    await again.close()

    assert after.got.ids == [2, 3]
    assert {event.name for event in after.got.events} == {"transition"}
    assert fresh.got.last_id == "3"


@pytest.mark.parametrize("target", [ALL, OF_WEB])
async def test_without_a_token_there_is_no_stream(target: str) -> None:
    """401, with what is needed."""
    async with world() as api, reading(api, target, token="") as client:
        pass

    assert client.status == 401
    assert client.headers["www-authenticate"].startswith("bearer")


async def test_who_may_read_one_namespace_streams_only_that() -> None:
    """403 for all and for others; the own one is streamed."""
    async with world() as api:
        await api.standing()
        api.access.only = {"shop"}
        async with (
            reading(api) as of_all,
            reading(api, f"{ALL}?namespace=post") as of_post,
            reading(api, f"{ALL}?namespace=shop") as of_shop,
            reading(api, OF_WEB) as of_web,
        ):
            pass

    assert [client.status for client in (of_all, of_post, of_shop, of_web)] == [403, 403, 200, 200]
    assert of_all.refusal["detail"] == "victor may not list Rollouts in all namespaces"


@pytest.mark.parametrize("given", ["-1", "1.5", "abc", "1 2", "9" * 19, "0x10", "١"])
async def test_what_is_no_id_is_refused(given: str) -> None:
    """422 that names the field, what was given and what is allowed."""
    async with world() as api:
        reply = await api.ask("GET", ALL, headers={"Last-Event-ID": given})
    (problem,) = reply.json["problems"]

    assert reply.status == 422
    assert problem["field"] == "Last-Event-ID"
    assert problem["allowed"] == "the id of an event: 1 to 18 digits"


async def test_a_wrong_id_in_the_query_is_refused() -> None:
    """As in the header; an unknown parameter is not overlooked."""
    async with world() as api:
        wrong = await api.ask("GET", f"{ALL}?lastEventId=x")
        unknown = await api.ask("GET", f"{ALL}?lasteventid=1")

    assert (wrong.status, wrong.json["problems"][0]["field"]) == (422, "lastEventId")
    assert (unknown.status, unknown.json["problems"][0]["field"]) == (422, "lasteventid")


async def test_a_rollout_that_is_not_there_has_no_stream() -> None:
    """404; but who knew it goes on, since it may be made again."""
    async with world() as api, reading(api, OF_WEB) as stranger, reading(api, OF_WEB, Last_Event_ID="0") as known:
        await api.under_way()
        await until(lambda: known.got.ids == [1])

    assert (stranger.status, stranger.refusal["detail"]) == (404, "there is no Rollout shop/web")


async def test_more_streams_than_allowed_are_refused() -> None:
    """429 with when to come back; others of the API go on being answered."""
    async with world(given=options(streams=streams(most_streams=1))) as api, reading(api) as first:
        async with reading(api) as second:
            pass
        reply = await api.ask("GET", "/api/v1/version")

    assert (first.status, second.status, reply.status) == (200, 429, 200)
    assert int(second.headers["retry-after"]) >= 1


async def test_a_revoked_token_ends_its_streams_and_no_others() -> None:
    """At the next check."""
    given = options(streams=streams(pace=Pace(check_seconds=0.05)))
    async with world(given=given) as api, reading(api) as revoked, reading(api, token=OPERATOR) as kept:
        api.access.revoke("victor")
        await asyncio.wait_for(revoked.ended.wait(), 5)
        await api.under_way()
        await until(lambda: kept.got.ids == [1])

    assert revoked.got.ids == []


async def test_all_streams_end_when_the_server_is_to_end() -> None:
    """Also through every layer of the application, and no new one begins."""
    given = options(streams=streams())
    async with world(given=given) as api, reading(api) as first, reading(api, OF_WEB, Last_Event_ID="0") as second:
        given.streams.closing.set()
        async with asyncio.timeout(1):
            await first.ended.wait()
            await second.ended.wait()
        late = await api.ask("GET", ALL)

    assert late.status == 503
    assert "Retry-After" in late.headers


@pytest.mark.real
async def test_readers_get_everything_and_others_take_nothing(tmp_path: Path) -> None:
    """Twenty in another process, beside two that take nothing and a controller at work: each once, in order, soon."""
    figures = await measure(tmp_path / "rollout.db", Size(rollouts=25, commands=100, readers=20, stalled=2))

    assert figures["transitions recorded"] == 100
    assert figures["readers that got each once and in order"] == 20
    assert figures["record to receipt p99, ms"] <= 500
