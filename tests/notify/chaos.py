"""Many Rollouts, a sink with every fault, and a controller that is killed again and again: what came of the telling.

Used by the test of this folder (a few) and by the bench (500 Rollouts, 20 kills). Both runtimes are real: a process of
`rollout serve`, with Envoy and SQLite or with an API server. What the sink took is judged by what is recorded.
"""

import asyncio
import base64
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from aiohttp import web

from rollout.engine.state import Transition
from rollout.engine.table import Phase
from rollout.notify.notices import notice_of
from rollout.ports import Key
from tests.notify.stands.faults import answers, closes, drips, hangs, no_http
from tests.notify.stands.server import Fault, Received, Stand
from tests.serve.server import Server

SIGNED = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"
SECRETS = ("T0secretbus", SIGNED.removeprefix("whsec_"))
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Plan:
    """How much happens: the steps of an attempt, each with its hold time, and how many kills meanwhile."""

    rollouts: int
    steps: int
    hold: str
    kills: int
    seed: int
    settle_seconds: float

    @property
    def names(self) -> Sequence[str]:
        """Return what the Rollouts are called."""
        return tuple(f"web-{number}" for number in range(self.rollouts))

    @property
    def weights(self) -> Sequence[float]:
        """Return the weights of the steps: few, so that transitions cost little but the telling."""
        return (5.0,) * (self.steps // 2) + (50.0,) * (self.steps - self.steps // 2)


@dataclass(frozen=True)
class Taken:
    """One transition that the sink took."""

    name: str
    number: int
    id: str


class Bus(Stand):
    """A receiver of events that fails 30 % of the time, in every way; some it has taken although it seems to fail."""

    path = "/events/T0secretbus"

    @property
    def said(self) -> dict[str, bytes]:
        """Return what it was told."""
        return {f"message {number}": one.body for number, one in enumerate(self.taken)}

    def __init__(self, seed: int, *, busy_seconds: int = 1) -> None:
        super().__init__(seed=seed)
        self.rate = 0.3
        failing = (answers(500), answers(503), closes, no_http, hangs, drips(503), self._loses, self._loses)
        self.now_and_then: Sequence[Fault] = (*(failing * 4), answers(429, retry_after=str(busy_seconds)))

    async def _loses(self, request: web.Request) -> web.StreamResponse:
        """Take the message, and end the connection instead of saying so."""
        self.taken.append(Received(request.path, {}, request.headers.copy(), await request.read()))
        return await closes(request)

    @property
    def told(self) -> list[Taken]:
        """Return the transitions in the order in which they came."""
        return [taken for event in self.taken if (taken := _taken(event.json)) is not None]


def _taken(event: Mapping[str, object]) -> Taken | None:
    if event.get("type") != "dev.rollout.transition":
        return None
    notice = cast("Mapping[str, object]", event["data"])
    return Taken(str(notice["name"]), int(str(notice["number"])), str(event["id"]))


def sinks_file(folder: Path, bus: Stand, **fields: object) -> Path:
    """Write the operator's file with one sink that is told of everything."""
    (folder / "bus.url").write_text(bus.url)
    (folder / "bus.secret").write_text(SIGNED)
    files = {"urlFile": "bus.url", "secretFile": "bus.secret"}
    one = {"name": "bus", "kind": "CloudEvents", "every": True, "timeout": "1s", **files, **fields}
    path = folder / "sinks.yaml"
    path.write_text(json.dumps({"sinks": [one]}))
    return path


async def kill_again_and_again(server: Server, plan: Plan, bus: Bus) -> None:
    """Kill the service again and again while the sink is told, and let it begin anew each time."""
    chance = random.Random(plan.seed)
    for kill in range(plan.kills):
        wanted = plan.rollouts * plan.steps * kill / plan.kills
        await server.until(partial(lambda wanted: len(bus.taken) >= wanted, wanted), seconds=plan.settle_seconds)
        await asyncio.sleep(chance.uniform(0.0, 2.0))
        await server.kill()
        await server.serving(seconds=60)


@dataclass
class Verdict:
    """What is wrong (nothing should be), and how often something came more than once."""

    lost: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    other_ids: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    told: int = 0
    made: int = 0

    @property
    def is_good(self) -> bool:
        """Return whether none was lost, each came in order, twice only as the same, and no secret came to light."""
        return not (self.lost or self.out_of_order or self.other_ids or self.leaks)

    def __str__(self) -> str:
        """Return the figures."""
        wrong = f"lost {len(self.lost)}, out of order {len(self.out_of_order)}, other ids {len(self.other_ids)}"
        wrong += f", secrets in {self.leaks}" if self.leaks else ""
        return f"{self.made} transitions, taken {self.told} times: {wrong}"


def judged(told: Iterable[Taken], made: Mapping[str, Mapping[int, str]]) -> Verdict:
    """Return what became of the transitions; ``made`` has their ids by Rollout and number (empty: not known)."""
    came: dict[str, list[Taken]] = defaultdict(list)
    for one in told:
        came[one.name].append(one)
    verdict = Verdict(told=sum(map(len, came.values())), made=sum(map(len, made.values())))
    for name, ids in made.items():
        first = list(dict.fromkeys(one.number for one in came[name]))
        verdict.lost += [f"{name} {number}" for number in ids if number not in first]
        verdict.out_of_order += [name] if first != sorted(first) else []
        seen: dict[int, str] = {}
        for one in came[name]:
            wanted = ids.get(one.number) or seen.setdefault(one.number, one.id)
            verdict.other_ids += [f"{name} {one.number}"] if one.id != wanted else []
    return verdict


def id_of(key: Key, uid: str, recorded: Mapping[str, object]) -> str:
    """Return the id of a transition as it is recorded."""
    number, at = int(str(recorded["number"])), float(str(recorded["at"]))
    return notice_of(key, uid, Transition(number, at, Phase.IDLE, 0, (), "Any", "")).id


async def all_told(bus: Bus, last: Mapping[str, int], *, seconds: float) -> float:
    """Wait until each Rollout's last transition was taken; return how long that took."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        newest: Counter[str] = Counter()
        for one in bus.told:
            newest[one.name] = max(newest[one.name], one.number)
        if all(newest[name] >= number for name, number in last.items()):
            break
        await asyncio.sleep(POLL_SECONDS * 5)
    return time.monotonic() - began


@asynccontextmanager
async def meanwhile(server: Server, plan: Plan, bus: Bus) -> AsyncIterator[None]:
    """Kill as the plan says while something else goes on; both must come to their end."""
    killing = asyncio.create_task(kill_again_and_again(server, plan, bus))
    try:
        yield
        await killing
    finally:
        killing.cancel()
        await asyncio.gather(killing, return_exceptions=True)
