"""Commands whose controller is killed between their acceptance and their effect, and what became of them.

Used by the test of this folder (a few kills) and by the bench (100). A command is sent by the API; as soon as it is
accepted (or a moment after it was sent) the controller is killed. Then it is started again, and whoever did not hear
an answer sends the same command with the same id again. What happened is judged by the history in the database.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.serve.world import ServeWorld, manifest

TURN: tuple[tuple[str, tuple[str, ...], tuple[str, int]], ...] = (
    ("start", ("Started",), ("Progressing", 1)),
    ("pause", ("PausedByCommand",), ("Paused", 1)),
    ("resume", ("Resumed",), ("Progressing", 1)),
    ("promote", ("PromotedByCommand",), ("Progressing", 2)),
    ("abort", ("AbortedByCommand", "AbortedByCommand"), ("Aborted", 0)),
)
"""One turn of commands: action, the reasons of the transitions that it makes, and phase and step after it."""

STEPS = ((10, "1h"), (50, "1h"))


@dataclass
class Toll:
    """What was done, and where each kill hit: a command that waited, one that had its effect, one not accepted yet."""

    commands: int = 0
    kills: int = 0
    hit: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    ids: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


def standing_still(name: str) -> str:
    """Return the manifest of a Rollout that only commands move."""
    return manifest(name, revision="0", steps=list(STEPS), start="Manual", analysis={"checks": []})


@dataclass
class Commander:
    """Sends the commands of a Rollout to `rollout serve` at `port`, and kills it meanwhile."""

    world: ServeWorld
    port: int
    name: str
    chance: random.Random
    token: str = ""
    toll: Toll = field(default_factory=Toll)

    async def begin(self) -> None:
        """Start the controller for the first time, learn the token that it prints, wait for the baseline."""
        self.world.put(standing_still(self.name), name=f"{self.name}.yaml")
        await self.world.server.serving()
        self.token = self.world.server.token
        await self.world.server.until(lambda: self.world.status(self.name).get("stable"))

    async def turn(self, number: int) -> None:
        """Give every command of a turn, and kill the controller once in each."""
        for action, _, after in TURN:
            body: dict[str, object] = {"action": action, "id": f"{number}-{action}"}
            if action == "start":
                body["revision"] = f"r{number}"
            await self._give(body)
            await self.world.server.until(lambda after=after: self._where() == after)  # type: ignore[misc]

    def _where(self) -> tuple[object, object]:
        status = self.world.status(self.name)
        return status.get("phase"), status.get("step")

    async def _give(self, body: dict[str, object]) -> None:
        """Send a command, kill the controller, start it again, and hear what became of the command."""
        identity = str(body["id"])
        self.toll.commands += 1
        self.toll.ids.append(identity)
        is_accepted = await self._send_and_kill(body)
        self._note(identity, is_accepted=is_accepted)
        await self.world.server.serving()
        if is_accepted and self.chance.random() < 0.5:  # nobody asks again: it must happen all the same
            await self.world.server.until(lambda: identity in self._handled())
            self.toll.outcomes[self._handled()[identity]] += 1
            return
        self.toll.sent_again += 1
        status, answer = await self._post(body, wait=10)
        assert status == 200, answer
        self.toll.outcomes[str(answer["state"])] += 1

    async def _send_and_kill(self, body: dict[str, object]) -> bool:
        """Kill as soon as the command is accepted, or at a moment after it was sent; return whether it was accepted."""
        sending = asyncio.create_task(self._post(body, wait=0))
        if self.chance.random() < 0.3:
            await asyncio.wait({sending}, timeout=self.chance.uniform(0, 0.012))
        else:
            await asyncio.wait({sending})
        await self.world.server.kill()
        self.toll.kills += 1
        try:
            status, answer = await sending
        except (aiohttp.ClientError, OSError):
            return False
        assert status in {200, 202}, answer
        return True

    def _note(self, identity: str, *, is_accepted: bool) -> None:
        """Note where the kill hit, from what the dead controller left in its database."""
        waiting = self.world.database.waiting(self.name)
        if identity in self._handled():
            self.toll.hit["after the effect"] += 1
        elif waiting == identity:
            self.toll.hit["between acceptance and effect"] += 1
        else:
            assert not is_accepted, f"{identity} was accepted and is lost"
            self.toll.hit["before the acceptance"] += 1

    def _handled(self) -> dict[str, str]:
        found = self.world.status(self.name).get("handledCommands", [])
        assert isinstance(found, list)
        return {one["id"]: "done" if one["done"] else "refused" for one in found}

    async def _post(self, body: dict[str, object], *, wait: int) -> tuple[int, dict[str, object]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/rollouts/shop/{self.name}/commands?wait={wait}"
        headers = {"Authorization": f"Bearer {self.token}"}
        limit = aiohttp.ClientTimeout(total=15)
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.post(url, json=body) as response,
        ):
            return response.status, await response.json(content_type=None)


def reasons_of(history: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the reasons of what commands did; whether a start takes its first step at once depends on the canary."""
    return [str(entry["reason"]) for entry in history if entry["reason"] not in {"Baseline", "StepStarted"}]


def expected_reasons(turns: int) -> list[str]:
    """Return the reasons that the history must have after so many turns, each once and in this order."""
    return [reason for _ in range(turns) for _, reasons, _ in TURN for reason in reasons]
