"""Attempts whose controller is killed again and again, and what became of them.

Used by the test of this folder (a few kills) and by the bench (200). A kill comes at a random moment
of a session, just after the route file was replaced, or just after something was written to the
database. Everything is judged by what others see: the history in the database, the route file as it
changed, Envoy, and the clocks of the sessions.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from statistics import median

from rollout.engine.judging import SHORTEST_GAP_SECONDS
from tests.serve.world import ServeWorld, Weights, manifest, weights_of

READY_SECONDS = 5.0
"""How long a kill waits for the write that it wants to hit."""

WATCH_SECONDS = 0.01

SAMPLED_SECONDS = 0.5
"""A session that served for so long has taken a sample."""

TICK_SECONDS = 1.0
"""So old is the last sample of a session at its end, and so late may be the first after its begin."""

WAITING = ("Progressing", 0)
"""Phase and step of an attempt that waits for a ready canary."""


@dataclass(frozen=True)
class Plan:
    """What is run: how many kills, the steps' weights, each step's hold time, and the seed of the moments."""

    kills: int
    weights: tuple[int, ...]
    hold_seconds: float
    seed: int

    def manifest(self, name: str, revision: int) -> str:
        """Return the manifest of one Rollout at a revision."""
        steps = [(weight, f"{self.hold_seconds:g}s") for weight in self.weights]
        return manifest(name, revision=str(revision), steps=steps)


@dataclass
class Account:
    """What happened: when each session served (from, to), how many kills, and the weights that the route file had."""

    plan: Plan
    sessions: list[tuple[float, float]] = field(default_factory=list)
    starts_seconds: list[float] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    seen: dict[str, list[Weights]] = field(default_factory=dict)
    changed_at: dict[str, list[float]] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)


async def run_with_kills(world: ServeWorld, names: Sequence[str], plan: Plan) -> Account:
    """Let attempts run one after the other for all `names`, kill until it is enough, then let the last ones end."""
    account = Account(plan, attempts=dict.fromkeys(names, 0))
    for name in names:
        world.put(plan.manifest(name, 1), name=f"{name}.yaml")
    await world.server.serving()
    for name in names:
        await world.adopted(name)
    watching = asyncio.create_task(_watch(world, account))
    try:
        await _kill_again_and_again(world, account)
        await _finish(world, account)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return account


async def _kill_again_and_again(world: ServeWorld, account: Account) -> None:
    chance = random.Random(account.plan.seed)
    for _ in range(account.plan.kills):
        _start_attempts(world, account)
        kind = chance.choices(("any moment", "route file", "database"), (2, 1, 1))[0]
        await _moment(world, kind, chance)
        await world.server.kill()
        _note_session(world, account)
        account.kills[kind] = account.kills.get(kind, 0) + 1
        await world.server.start()


def _start_attempts(world: ServeWorld, account: Account) -> None:
    """Ask for a next revision wherever the last attempt has ended."""
    for name, begun in account.attempts.items():
        status = world.status(name)
        if status.get("phase") == "Idle" and status.get("attempt") == begun:
            account.attempts[name] = begun + 1
            world.put(account.plan.manifest(name, begun + 2), name=f"{name}.yaml")


async def _moment(world: ServeWorld, kind: str, chance: random.Random) -> None:
    """Wait for the moment of a kill."""
    if kind == "any moment":
        await asyncio.sleep(chance.uniform(0.05, 3.5))
        return
    path = world.envoy.rds if kind == "route file" else world.folder / "rollout.db-wal"
    served, deadline = world.server.served_at, time.monotonic() + READY_SECONDS
    while served() is None and time.monotonic() < deadline:
        await asyncio.sleep(WATCH_SECONDS)
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before and time.monotonic() < deadline:
        await asyncio.sleep(0.001)
    await asyncio.sleep(chance.uniform(0, 0.03))


def _note_session(world: ServeWorld, account: Account) -> None:
    """Note when the session that has just ended began to serve, if it came so far."""
    stamp = world.server.served_at()
    if stamp is not None:
        served = datetime.fromisoformat(stamp).timestamp()
        account.sessions.append((served, time.time()))
        account.starts_seconds.append(served - world.server.started_at)


async def _finish(world: ServeWorld, account: Account) -> None:
    """Let the attempts that are under way end without further kills, and the controller with them."""
    seconds = (account.plan.hold_seconds + 3) * len(account.plan.weights) + 20
    for name, begun in account.attempts.items():
        wanted = ("Idle", begun)
        await world.server.until(
            lambda name=name, wanted=wanted: (world.phase(name), world.status(name).get("attempt")) == wanted,  # type: ignore[misc]
            seconds=seconds,
        )
    await world.server.end()
    _note_session(world, account)


async def _watch(world: ServeWorld, account: Account) -> None:
    """Note every content that the route file has, as weights by route."""
    before: tuple[int, int] | None = None
    while True:
        about = world.envoy.rds.stat()
        signature = (about.st_ino, about.st_mtime_ns)
        if signature != before:
            before = signature
            for name, weights in weights_of(world.envoy.rds.read_text()).items():
                seen = account.seen.setdefault(name, [])
                if not seen or seen[-1] != weights:
                    seen.append(weights)
                    account.changed_at.setdefault(name, []).append(about.st_mtime)
        await asyncio.sleep(WATCH_SECONDS)


# ---------------------------------------------------------------- what became of it


@dataclass(frozen=True)
class StepTime:
    """One step: how long it lasted over its hold time, and for how much of that a controller was there to leave it.

    ``over_seconds`` is the time from the step's weights in the route file to the next transition, less the hold time:
    negative would be hold time gained (by more than ``WATCH_SECONDS``, after which a change is seen). ``late_seconds``
    is the part of it in which a controller served: hold time that was lost, and all the time that a controller took
    to see, after each start, that the step is over. ``gaps`` is how many times no session took samples for longer than
    absence may last: such time does not count, so the hold time may begin anew: longer, never shorter.
    """

    over_seconds: float
    late_seconds: float
    gaps: int


def transitions_of(history: Sequence[Mapping[str, object]]) -> list[tuple[object, object]]:
    """Return (phase, step) of every transition but the wait before step 1, which is there or not.

    A controller that has just started does not know yet whether the canary is ready, and begins an attempt without it.
    """
    return [(entry["phase"], entry["step"]) for entry in history if (entry["phase"], entry["step"]) != WAITING]


def expected_transitions(plan: Plan, attempts: int) -> list[tuple[object, object]]:
    """Return (phase, step) of every transition of so many promoted attempts."""
    steps = [("Progressing", number) for number in range(1, len(plan.weights) + 1)]
    return [*steps, ("Promoting", len(plan.weights)), ("Idle", 0)] * attempts


def expected_weights(plan: Plan, name: str, attempts: int) -> list[Weights]:
    """Return every pair of weights that the route file should have had, in order: roles change with each attempt."""
    first, second = f"{name}-v1", f"{name}-v2"
    found: list[Weights] = [{first: 100, second: 0}]
    for attempt in range(attempts):
        stable, canary = (first, second) if attempt % 2 == 0 else (second, first)
        found += [{stable: 100 - share, canary: share} for share in (*plan.weights, 100)]
    return found


def step_times(account: Account, name: str, history: Sequence[Mapping[str, object]]) -> list[StepTime]:
    """Return the times of all steps in one Rollout's history, which is as expected."""
    moves = [entry for entry in history if (entry["phase"], entry["step"]) != WAITING and entry["phase"] != "Idle"]
    changes = zip(moves, account.changed_at[name][1:], strict=True)
    found = []
    for (entry, changed_at), (following, _) in pairwise(changes):
        if entry["phase"] == "Progressing":
            due, left = changed_at + account.plan.hold_seconds, float(str(following["at"]))
            late = _served_seconds(account, due, left)
            found.append(StepTime(left - due, late, _gaps(account, changed_at, left)))
    return found


def lost_seconds(times: Sequence[StepTime], plan: Plan) -> float:
    """Return how much hold time was lost at most, less one hold for each absence that was too long to count."""
    return max(time.late_seconds - plan.hold_seconds * time.gaps for time in times)


def _gaps(account: Account, since: float, until: float) -> int:
    """Return how many times in this while no controller took samples for so long that it may not count."""
    watched = [session for session in account.sessions if session[1] - session[0] >= SAMPLED_SECONDS]
    ends = [since, *(end for _, end in watched if end > since)]
    begins = [*(begin for begin, end in watched if end > since), until]
    longest = SHORTEST_GAP_SECONDS - 2 * TICK_SECONDS
    return sum(min(begin, until) - end > longest for end, begin in zip(ends, begins, strict=True))


def _served_seconds(account: Account, since: float, until: float) -> float:
    """Return for how long of this time a controller served."""
    return sum(max(0.0, min(until, end) - max(since, begin)) for begin, end in account.sessions)


def figures(account: Account, times: Sequence[StepTime]) -> str:
    """Return the figures of a run as one paragraph."""
    over = sorted(time.over_seconds for time in times)
    late = sorted(time.late_seconds for time in times)
    starts = sorted(account.starts_seconds)
    kills = ", ".join(f"{count} {kind}" for kind, count in sorted(account.kills.items()))
    return (
        f"{sum(account.kills.values())} kills ({kills}); {sum(account.attempts.values())} attempts, {len(times)} steps "
        f"of {account.plan.hold_seconds:g} s; start to serving {_ranks(starts)}; "
        f"hold time gained: {max(0.0, -over[0]):.3f} s at most; late while a controller served: {_ranks(late)}; "
        f"over the hold time with its absences: {_ranks(over)}"
    )


def _ranks(ordered: Sequence[float]) -> str:
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    return f"p50 {median(ordered):.2f} s, p99 {p99:.2f} s, max {ordered[-1]:.2f} s"
