"""People are told: a real `rollout serve` with stand-ins for its sinks, over stops, kills and sinks that are away."""

import asyncio
import base64
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from standardwebhooks import Webhook

from tests.notify.leaks import leaks
from tests.notify.stands.faults import answers, hangs
from tests.notify.stands.server import Stand, standing
from tests.notify.stands.slack_hook import SlackHook
from tests.serve.alone import ask, post
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SIGNED = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
STEPS = ((10, "500ms"), (50, "500ms"))
UNJUDGED: Mapping[str, object] = {"analysis": {"checks": []}}
LIVE = "/api/v1/rollouts/shop/checkout/live"
SHOWN = (LIVE, "/api/v1/rollouts/shop/checkout", "/api/v1/rollouts", "/api/v1/sinks")
SECRETS = ("T0secretbus", SIGNED.removeprefix("whsec_"))


class Bus(Stand):
    """A receiver of events at an address that is a secret."""

    path = "/events/T0secretbus"

    @property
    def told(self) -> list[tuple[int, str]]:
        """Return number and reason of each transition that was taken, in the order in which they came."""
        events = [one.json for one in self.taken]
        notices = [cast("dict[str, object]", one["data"]) for one in events if one["type"] == "dev.rollout.transition"]
        return [(int(str(notice["number"])), str(notice["reason"])) for notice in notices]


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    """Receive events."""
    async with standing(Bus()) as stand:
        yield stand


@pytest.fixture
async def chat() -> AsyncIterator[SlackHook]:
    """Stand in for Slack, which checks every block."""
    async with standing(SlackHook()) as stand:
        yield stand


@pytest.fixture
async def world(tmp_path: Path, bus: Bus, chat: SlackHook) -> AsyncIterator[ServeWorld]:
    """Envoy, and `rollout serve` with a sink that is told of all and one that Rollouts name, not started."""
    (tmp_path / "bus.url").write_text(f"{bus.url}\n")
    (tmp_path / "bus.secret").write_text(f"{SIGNED}\n")
    sinks = [
        {"name": "bus", "kind": "CloudEvents", "urlFile": "bus.url", "secretFile": "bus.secret", "every": True},
        {"name": "chat", "kind": "Slack", "url": chat.url, "on": ["Promoted", "Aborted", "AbortedByCommand"]},
    ]
    (tmp_path / "sinks.yaml").write_text(
        json.dumps({"link": "https://wiki.example/{{ rollout.name }}", "sinks": sinks})
    )
    said: dict[str, bytes] = {}
    async with serve_world(tmp_path, "checkout", sinks=str(tmp_path / "sinks.yaml")) as world:
        yield world
        if world.server.is_alive and world.server.served_at():
            said = {
                path: json.dumps(await ask(world.server, path, token=world.server.token)).encode() for path in SHOWN
            }
    messages = {f"message {number}": one.body for number, one in enumerate([*bus.taken, *chat.taken])}
    assert leaks(tmp_path, [*SECRETS, chat.path], {**said, **messages}) == []


def rollout(revision: str, *, hold: str = "500ms", **spec: object) -> str:
    """Return a Rollout that names the chat; nothing is judged."""
    steps = [(weight, hold) for weight, _ in STEPS]
    return manifest("checkout", revision=revision, steps=steps, notify=[{"sink": "chat"}], **UNJUDGED, **spec)


async def at_rest(world: ServeWorld) -> None:
    """Serve, with the first revision as the baseline, of which nobody is told: no transition leads to it."""
    world.put(rollout("1"))
    await world.server.serving()
    await world.adopted()


def recorded(world: ServeWorld) -> list[tuple[int, str]]:
    """Return number and reason of all transitions in the history."""
    return [(int(str(one["number"])), str(one["reason"])) for one in world.database.history("checkout")]


async def promoted(world: ServeWorld, revision: str) -> None:
    """Let an attempt come to its good end."""
    before = len(recorded(world))
    world.put(rollout(revision))
    await world.server.until(lambda: "Promoted" in [reason for _, reason in recorded(world)[before:]], seconds=30)


async def everything_told(world: ServeWorld, bus: Bus) -> None:
    """Wait until the bus has the last transition."""
    await world.server.until(lambda: bus.told and bus.told[-1] == recorded(world)[-1], seconds=30)


def once_each(told: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return what was told, without what was told again right after itself."""
    return [each for each, _ in groupby(told)]


def spilled(world: ServeWorld, *stands: Stand) -> list[str]:
    """Return the secrets that stand in the log or in a status."""
    seen = world.server.log.read_text() + json.dumps(world.status())
    return [secret for secret in (*(stand.path for stand in stands), SIGNED) if secret in seen]


async def test_a_promotion_is_told_in_order(world: ServeWorld, bus: Bus, chat: SlackHook) -> None:
    """Each transition once to the bus, signed; to the chat only the end, in blocks that Slack takes."""
    await at_rest(world)
    world.put(rollout("2"))
    await world.server.until(lambda: chat.taken, seconds=30)
    await everything_told(world, bus)

    assert bus.told == recorded(world)
    assert len(set(bus.ids)) == len(bus.ids)
    for one in bus.received:
        Webhook(SIGNED).verify(one.body, {name.lower(): value for name, value in one.headers.items()})
    assert ("Promoted" in chat.taken[0].body.decode(), len(chat.taken), chat.problems) == (True, 1, [])
    assert "https://wiki.example/checkout" in chat.taken[0].body.decode()
    assert spilled(world, bus, chat) == []


async def test_an_abort_is_told(world: ServeWorld, bus: Bus, chat: SlackHook) -> None:
    """With who asked for it and why."""
    await at_rest(world)
    world.put(rollout("2", hold="1h"))
    await world.server.until(lambda: world.status().get("step") == 1)
    command = {"action": "abort", "reason": "wrong build"}
    status, _ = await post(world.server, "/api/v1/rollouts/shop/checkout/commands?wait=5", command)
    await world.in_phase("Aborted")
    await everything_told(world, bus)
    await world.server.until(lambda: chat.taken)

    assert status == 200
    assert bus.told == recorded(world)
    assert "wrong build" in chat.taken[0].body.decode()


async def test_cursors_are_recorded_and_shown(world: ServeWorld, bus: Bus, chat: SlackHook) -> None:
    """In the status within some seconds, over the API and on the command line at once."""
    await at_rest(world)
    await promoted(world, "2")
    await everything_told(world, bus)
    await world.server.until(lambda: chat.taken)
    _, live = await ask(world.server, LIVE, token=world.server.token)
    last, _ = recorded(world)[-1]
    described = await command_line(world, "describe", "shop/checkout")
    listed = await command_line(world, "notify", "list")
    await world.server.until(lambda: cursors(world).get("bus") == last, seconds=20)

    told = {one["sink"]: (one["number"], one["behind"], one["problem"]) for one in live["notified"]}
    assert told == {"bus": (last, 0, ""), "chat": (last, 0, "")}
    assert re.search(rf"bus +#{last} +\d+s +0 +-", described)
    assert re.search(rf"bus +CloudEvents +ok +{len(bus.taken)} +0 +0 +-", listed)


def cursors(world: ServeWorld) -> dict[str, object]:
    """Return the number that each sink was told last, by the status."""
    notified = world.status().get("notified")
    assert isinstance(notified, dict)
    return {sink: cursor["number"] for sink, cursor in notified.items()}


async def command_line(world: ServeWorld, *arguments: str) -> str:
    """Run a command against the server; return what it prints."""
    own = {"ROLLOUT_SERVER": world.server.url, "ROLLOUT_TOKEN": world.server.token, "ROLLOUT_CONFIG": "/nothing"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollout", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **own},
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def test_a_trial_is_sent_by_the_service(world: ServeWorld, chat: SlackHook, bus: Bus) -> None:
    """By command; where the sink refuses, the answer says why and not where."""
    await at_rest(world)
    printed = await command_line(world, "notify", "test", "chat")
    bus.faults += [answers(404)] * 3
    status, problem = await post(world.server, "/api/v1/sinks/bus/test", {})

    assert printed == "Sink chat has taken a message for trial.\n"
    assert "first" in chat.taken[0].body.decode()
    assert (status, "404" in problem["detail"], bus.path in json.dumps(problem)) == (502, True, False)


async def test_a_sink_that_is_away_delays_nothing_and_is_told_later(world: ServeWorld, bus: Bus) -> None:
    """The attempt goes on; once the sink is back it is told all of it, in order."""
    bus.now_and_then, bus.rate = (answers(503),), 1.0
    await at_rest(world)
    await promoted(world, "2")
    lines = await metrics(world)
    bus.rate = 0.0
    await everything_told(world, bus)

    assert lines['rollout_notifications_pending{sink="bus"}'] == 1
    assert lines['rollout_notifications_failed_total{sink="bus"}'] > 0
    assert lines['rollout_notification_lag_seconds{sink="bus"}'] > 0
    assert bus.told == recorded(world)


async def metrics(world: ServeWorld) -> dict[str, float]:
    """Scrape."""
    headers = {"Authorization": f"Bearer {world.server.token}"}
    async with aiohttp.ClientSession() as session, session.get(f"{world.server.url}/metrics", headers=headers) as reply:
        lines = (await reply.text()).splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


async def test_a_stop_takes_no_longer_with_a_sink_that_hangs(world: ServeWorld, bus: Bus) -> None:
    """What was not told then is told by the next start."""
    await at_rest(world)
    bus.now_and_then, bus.rate = (hangs,), 1.0
    await promoted(world, "2")
    code, seconds = await world.server.end()
    bus.rate = 0.0
    await world.server.serving()
    await everything_told(world, bus)

    assert (code, seconds < 5) == (0, True)
    assert once_each(bus.told) == recorded(world)


async def test_a_stop_records_what_was_told(world: ServeWorld, bus: Bus) -> None:
    """So that the next start tells nothing again."""
    await at_rest(world)
    await promoted(world, "2")
    await everything_told(world, bus)
    code, _ = await world.server.end()
    await world.server.serving()
    await promoted(world, "3")
    await everything_told(world, bus)

    assert code == 0
    assert bus.told == recorded(world)


async def test_kills_lose_nothing_and_keep_the_order(world: ServeWorld, bus: Bus) -> None:
    """What is told again has the id that it had."""
    await at_rest(world)
    for revision in ("2", "3", "4"):
        world.put(rollout(revision))
        enough = len(bus.taken) + 2
        await world.server.until(partial(lambda wanted: len(bus.taken) >= wanted, enough))
        await world.server.kill()
        await world.server.serving()
        await world.server.until(lambda: world.status().get("phase") == "Idle", seconds=30)
    await everything_told(world, bus)

    ids = dict(zip(bus.ids, bus.told, strict=True))
    assert sorted(ids.values()) == recorded(world)
    first = list(dict.fromkeys(bus.told))
    assert first == recorded(world)
    assert spilled(world, bus) == []


async def test_a_wrong_file_of_sinks_ends_the_start(world: ServeWorld, tmp_path: Path) -> None:
    """As a database that cannot be used does; with the line, and without the address in it."""
    (tmp_path / "sinks.yaml").write_text("sinks:\n- name: a\n  kind: Slak\n  url: https://x.example/T0secret\n")
    await world.server.start()
    code = await world.server.ended()

    assert (code, "sinks.yaml:3: sinks[0].kind" in world.server.text()) == (1, True)
    assert "T0secret" not in world.server.text() + world.server.printed.read_text()
