"""Commands over the API: left once by id, awaited, and told what became of them."""

import asyncio
from pathlib import Path

import pytest

from rollout.engine.observation import Command
from rollout.ports import Key
from rollout.sqlite.store import SqliteStore
from tests.api.world import VIEWER, WEB, world
from tests.waiting import until

PATH = "/api/v1/rollouts/shop/web/commands"


async def test_a_command_is_carried_out() -> None:
    """A legal command answers that it is done, and where that can be asked again."""
    async with world() as api:
        await api.standing()
        reply = await api.command("start", revision="2", id="first", reason="the fix is out")
        again = await api.ask("GET", reply.headers["Location"], token=VIEWER)
        told = api.state().transitions[-1].message

    assert reply.status == 200
    assert reply.json == {
        "id": "first",
        "action": "start",
        "state": "done",
        "reason": "Started",
        "message": "start was carried out",
    }
    assert again.json == reply.json
    assert "by olga (the fix is out)" in told


async def test_an_id_is_made_up_where_there_is_none() -> None:
    """A command without an id gets one that the answer tells."""
    async with world() as api:
        await api.standing()
        reply = await api.command("start", revision="2")
        again = await api.ask("GET", f"{PATH}/{reply.json['id']}")

    assert len(reply.json["id"]) == 32
    assert again.json["state"] == "done"


async def test_a_refused_command_says_why() -> None:
    """What is not legal as the Rollout stands is a problem 409 with the engine's reason and sentence."""
    async with world() as api:
        await api.standing()
        reply = await api.command("pause", id="first")
        found = await api.ask("GET", f"{PATH}/first")

    assert (reply.status, reply.json["reason"]) == (409, "IllegalInPhase")
    assert reply.json["detail"] == "pause is legal in phase Progressing; the phase is Idle"
    assert reply.json["command"] == found.json
    assert (found.status, found.json["state"]) == (200, "refused")


async def test_the_same_id_again_changes_nothing() -> None:
    """A repeated call answers what became of the first, done or refused, and has no second effect."""
    async with world() as api:
        await api.standing()
        first = await api.command("start", revision="2", id="one")
        number = api.state().number
        again = await api.command("start", revision="3", id="one")
        no = [await api.command("retry", id="two") for _ in range(2)]

    assert again.json == first.json
    assert api.state().number == number
    assert [reply.status for reply in no] == [409, 409]
    assert no[0].json["command"] == no[1].json["command"]


async def test_an_id_belongs_to_one_action() -> None:
    """An abort under the id of another command must not look as if it had been carried out."""
    async with world() as api:
        await api.under_way()
        await api.command("pause", id="one")
        reply = await api.command("abort", id="one")

    assert (reply.status, reply.json["reason"]) == (409, "CommandIdTaken")
    assert "the id one is that of a command pause" in reply.json["detail"]


async def test_a_command_that_is_not_awaited_waits() -> None:
    """With wait=0 the answer comes at once: it is on disk, and waits for the controller."""
    async with world(controlling=False) as api:
        await api.apply()
        reply = await api.command("start", wait="0", id="one", revision="2")
        found = await api.ask("GET", f"{PATH}/one")

    assert (reply.status, reply.json["state"], reply.json["reason"]) == (202, "waiting", "")
    assert reply.headers["Location"] == f"{PATH}/one"
    assert (found.status, found.json) == (200, reply.json)


async def test_the_time_to_wait_is_kept() -> None:
    """When nobody carries it out, the answer comes after the time that was asked for."""
    async with world(controlling=False) as api:
        await api.apply()
        loop = asyncio.get_running_loop()
        began = loop.time()
        reply = await api.command("start", wait="0.3", revision="2")

    assert reply.status == 202
    assert loop.time() - began >= 0.3


async def test_many_who_wait_for_one_command_all_hear_of_it() -> None:
    """The same call from many at once leaves one command, and all are told what became of it."""
    async with world() as api:
        await api.standing()
        replies = await asyncio.gather(*(api.command("start", revision="2", id="one") for _ in range(10)))

    assert [reply.status for reply in replies] == [200] * 10
    assert api.state().attempt == 1


async def test_another_command_waits() -> None:
    """While a command waits, another one is refused, and the sentence names the one that waits."""
    async with world(controlling=False) as api:
        await api.apply()
        await api.command("start", wait="0", id="first", revision="2")
        reply = await api.command("pause", wait="0", id="second")
        found = await api.ask("GET", f"{PATH}/second")

    assert (reply.status, reply.json["reason"]) == (409, "AnotherCommandWaits")
    assert reply.json["detail"].startswith("start (first) waits to be carried out")
    assert (reply.json["command"]["id"], found.status) == ("second", 404)


async def test_abort_takes_the_place_of_what_waits() -> None:
    """Whoever waits for the command that an abort displaces is told so at once."""
    async with world(controlling=False) as api:
        await api.apply()
        waiting = asyncio.create_task(api.command("start", wait="20", id="first", revision="2"))
        await until(lambda: (stored := api.store.read(WEB)) is not None and stored.command is not None)
        abort = await api.command("abort", wait="0", id="second")
        displaced = await asyncio.wait_for(waiting, 5)

    assert abort.status == 202
    assert (displaced.status, displaced.json["reason"]) == (409, "ReplacedByAbort")


async def test_what_another_way_displaced_is_told_when_the_time_is_over() -> None:
    """A command that is gone from the store and was never handled was displaced."""
    async with world(controlling=False) as api:
        await api.apply()
        waiting = asyncio.create_task(api.command("start", wait="0.5", id="first", revision="2"))
        await until(lambda: (stored := api.store.read(WEB)) is not None and stored.command is not None)
        await api.store.command(WEB, Command(id="annotated", action="abort", at=api.service.clock.now()))
        displaced = await asyncio.wait_for(waiting, 5)

    assert (displaced.status, displaced.json["reason"]) == (409, "ReplacedByAbort")


async def test_what_became_of_it_before_a_restart_is_known(tmp_path: Path) -> None:
    """A command handled by the process before is answered from the store, before any look, and not done twice."""
    store = await SqliteStore.open(tmp_path / "rollouts.db")
    async with world(store) as api:
        await api.standing()
        first = await api.command("start", revision="2", id="one")
    await store.close()
    store = await SqliteStore.open(tmp_path / "rollouts.db")
    async with world(store, controlling=False) as api:
        again = await api.command("start", revision="2", id="one")
        found = await api.ask("GET", f"{PATH}/one")
    await store.close()

    assert (again.status, again.json, found.json) == (200, first.json, first.json)


async def test_a_command_waits_for_the_next_start_of_the_controller(tmp_path: Path) -> None:
    """What was left while no controller ran is carried out by the one that comes, and a repeated call hears of it."""
    store = await SqliteStore.open(tmp_path / "rollouts.db")
    async with world(store, controlling=False) as api:
        await api.apply()
        await api.command("start", wait="0", id="one", revision="2")
    async with world(store) as api:
        reply = await api.command("start", id="one", revision="2")
    await store.close()

    assert (reply.status, reply.json["state"]) == (200, "done")


async def test_only_the_last_commands_are_known() -> None:
    """An id that is not known, or not any more, is not found."""
    async with world() as api:
        await api.standing()
        reply = await api.ask("GET", f"{PATH}/nothing")

    assert reply.status == 404


async def test_a_command_to_nothing_is_not_found() -> None:
    """A Rollout that does not exist takes no command and knows none."""
    async with world() as api:
        left = await api.command("abort", key=Key("shop", "nothing"))
        found = await api.ask("GET", "/api/v1/rollouts/shop/nothing/commands/one")

    assert (left.status, found.status) == (404, 404)


async def test_a_rollout_that_goes_meanwhile_is_not_found() -> None:
    """Whoever waits for a command of a Rollout that is taken away is told that it is gone."""
    async with world(controlling=False) as api:
        await api.apply()
        waiting = asyncio.create_task(api.command("pause", wait="0.5"))
        await until(lambda: (stored := api.store.read(WEB)) is not None and stored.command is not None)
        api.faults.vanish(WEB)
        reply = await asyncio.wait_for(waiting, 5)

    assert reply.status == 404


async def test_a_viewer_gives_no_command() -> None:
    """Who may only look is refused, and nothing is left."""
    async with world(controlling=False) as api:
        await api.apply()
        reply = await api.ask("POST", PATH, token=VIEWER, json={"action": "abort"})
        stored = api.store.read(WEB)

    assert reply.status == 403
    assert stored is not None
    assert stored.command is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "stop"}, "action"),
        ({}, "action"),
        ({"action": "start", "revison": "2"}, "revison"),
        ({"action": "start", "revision": 2}, "revision"),
        ({"action": "start", "revision": ""}, "revision"),
        ({"action": "approve", "step": "1"}, "step"),
        ({"action": "approve", "step": 0}, "step"),
        ({"action": "promote", "full": "yes"}, "full"),
        ({"action": "pause", "id": "-"}, "id"),
        ({"action": "pause", "reason": "a\nb"}, "reason"),
    ],
)
async def test_a_wrong_command_is_refused_by_field(body: dict[str, object], field: str) -> None:
    """What is no command is refused with field, given and allowed, and nothing is left."""
    async with world(controlling=False) as api:
        await api.apply()
        reply = await api.ask("POST", PATH, json=body)
        stored = api.store.read(WEB)

    assert (reply.status, [item["field"] for item in reply.json["problems"]]) == (422, [field])
    assert all(item["allowed"] for item in reply.json["problems"])
    assert stored is not None
    assert stored.command is None


async def test_an_argument_of_another_action_is_the_engines_to_refuse() -> None:
    """The API hands on what was given, and only that; the engine says what does not belong."""
    async with world() as api:
        await api.under_way()
        reply = await api.command("pause", full=False)

    assert (reply.status, reply.json["reason"]) == (409, "BadArgument")
    assert reply.json["detail"] == "pause takes no argument, not 'full'"
