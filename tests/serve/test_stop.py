"""A stop in the middle of much: fifty attempts and twenty event streams; the next start ends every attempt rightly."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.serve.alone import hang, post, put
from tests.serve.server import Server
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

ROLLOUTS, STREAMS, TOGETHER = 50, 20, 10
NAMES = tuple(f"app{number}" for number in range(ROLLOUTS))
STEPS = ((10, "3s"), (50, "3s"))
PATH = "/api/v1/rollouts/shop"
MOVES = [("Progressing", 1), ("Progressing", 2), ("Promoting", 2), ("Idle", 0)]
WAITING = ("Progressing", 0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """Envoy with a route for each Rollout, and `rollout serve`, serving."""
    async with serve_world(tmp_path, *NAMES, check_seconds=2) as world:
        await world.server.serving()
        yield world


@dataclass
class Listener:
    """One who follows all transitions, and goes on where the last stream ended."""

    server: Server
    heard: list[Mapping[str, object]] = field(default_factory=list)
    last: int | None = None
    gaps: int = 0

    async def follow(self, opened: asyncio.Event) -> None:
        """Read a stream until the server ends it."""
        headers = {"Authorization": f"Bearer {self.server.token}"}
        headers |= {"Last-Event-ID": str(self.last)} if self.last is not None else {}
        limit = aiohttp.ClientTimeout(total=120)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(f"{self.server.url}/api/v1/events", headers=headers) as response,
        ):
            assert response.status == 200
            opened.set()
            event = ""
            async for line in response.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                match name:
                    case "id":
                        self.last = int(value)
                    case "event":
                        event = value
                        self.gaps += value == "gap"
                    case "data" if event == "transition":
                        self.heard.append(json.loads(value))
                    case _:
                        continue


async def begin(world: ServeWorld) -> None:
    """Make all Rollouts by the API, and start an attempt of each."""
    turns = asyncio.Semaphore(TOGETHER)

    async def made(name: str) -> None:
        document = manifest(name, revision="1", steps=STEPS, analysis={"checks": []})
        async with turns:
            assert (await put(world.server, f"{PATH}/{name}", document))[0] == 201

    async def started(name: str) -> None:
        async with turns:
            status, answer = await post(
                world.server, f"{PATH}/{name}/commands?wait=20", {"action": "start", "revision": "2", "id": "s-1"}
            )
            assert (status, answer["state"]) == (200, "done"), answer

    await asyncio.gather(*map(made, NAMES))
    await world.server.until(lambda: baselines(world) == ROLLOUTS, seconds=60)
    await asyncio.gather(*map(started, NAMES))


def baselines(world: ServeWorld) -> int:
    """Return how many Rollouts know what they serve."""
    return sum(world.status(name).get("reason") == "Baseline" for name in NAMES)


def running(world: ServeWorld) -> int:
    """Return how many attempts are under way."""
    return sum(world.phase(name) == "Progressing" for name in NAMES)


def promoted(world: ServeWorld) -> int:
    """Return how many attempts have ended well."""
    return sum(
        (status.get("phase"), status.get("reason")) == ("Idle", "Promoted") for status in map(world.status, NAMES)
    )


async def test_attempts_go_on_after_a_stop_with_open_streams(world: ServeWorld) -> None:
    """It ends within 5 s with code 0; after the next start each attempt is promoted, and nobody missed a transition."""
    server, listeners = world.server, [Listener(world.server) for _ in range(STREAMS)]
    opened = [asyncio.Event() for _ in listeners]
    following = [asyncio.create_task(one.follow(event)) for one, event in zip(listeners, opened, strict=True)]
    await asyncio.gather(*(event.wait() for event in opened))
    await begin(world)
    await server.until(lambda: running(world) >= ROLLOUTS // 2)
    under_way = running(world)
    code, seconds = await server.end()
    await asyncio.gather(*following)
    ended = server.lines()[-1]["event"]
    await server.serving()
    again = [asyncio.create_task(one.follow(asyncio.Event())) for one in listeners]
    await server.until(lambda: promoted(world) == ROLLOUTS, seconds=90)
    recorded = sum(len(world.database.history(name)) for name in NAMES)
    await server.until(lambda: all(len(one.heard) >= recorded for one in listeners))
    await server.end()
    await asyncio.gather(*again)

    assert (code, ended) == (0, "stopped")
    assert seconds <= 5
    assert under_way >= ROLLOUTS // 2
    assert [(len(one.heard), one.gaps) for one in listeners] == [(recorded, 0)] * STREAMS
    for name in NAMES:
        history = world.database.history(name)
        numbers = [entry["number"] for entry in history]
        moves = [(entry["phase"], entry["step"]) for entry in history if (entry["phase"], entry["step"]) != WAITING]

        assert numbers == list(range(1, len(numbers) + 1))
        assert moves[-len(MOVES) :] == MOVES
        assert world.weights(name) == {f"{name}-v1": 0, f"{name}-v2": 100}


async def test_a_stop_is_in_time_whatever_hangs(tmp_path: Path) -> None:
    """An Envoy that takes no weights, clients that do not come to an end, and a reader: code 0 within 5 s."""
    async with serve_world(tmp_path, "checkout") as world, AsyncExitStack() as stack:
        await world.server.serving()
        document = manifest("checkout", revision="1", steps=((20, "60s"),), analysis={"checks": []})
        await put(world.server, f"{PATH}/checkout", document)
        await world.adopted()
        await post(world.server, f"{PATH}/checkout/commands", {"action": "start", "revision": "2"})
        await world.weights_are({"checkout-v1": 80, "checkout-v2": 20})
        opened = asyncio.Event()
        following = asyncio.create_task(Listener(world.server).follow(opened))
        await opened.wait()
        hang(world.server, stack)
        world.envoy.pause()
        stack.callback(world.envoy.go_on)
        await post(world.server, f"{PATH}/checkout/commands?wait=0", {"action": "abort"})
        await world.weights_are({"checkout-v1": 100, "checkout-v2": 0})
        code, seconds = await world.server.end()
        await following

    assert code == 0
    assert seconds <= 5
