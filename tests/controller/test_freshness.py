"""Facts about freshness: who is looked at again, when, and what of it wakes a Rollout."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from rollout.controller.freshness import AGAIN_SECONDS, Freshness
from rollout.failover.health import Health, Reading, Signal
from rollout.ports import Key
from rollout.rehearsal.virtual_loop import VirtualClock
from tests.controller.builders import KEY, NOW, virtually


class Watched:
    """Rollouts with one reading each, heard until `heard_until`; `looks` counts how often they are read."""

    def __init__(self) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), began_at=NOW)
        self.heard_until = NOW + 1e9
        self.health = Health.HEALTHY
        self.gone: set[Key] = set()
        self.looks = 0
        self.woken: list[tuple[Key, float]] = []
        self.freshness = Freshness(self.read, self.clock, self._wake)

    def read(self, key: Key) -> list[Reading] | None:
        """Return the reading of now."""
        self.looks += 1
        seen_at = min(self.clock.now(), self.heard_until)
        return None if key in self.gone else [Reading(Signal.ENDPOINTS, self.health, NOW, seen_at, 30.0, "", 2, 2)]

    def note(self, key: Key = KEY) -> None:
        """Let a pass have seen what there is."""
        readings = self.read(key)
        assert readings is not None
        self.freshness.note(key, readings)

    def _wake(self, keys: Iterable[Key]) -> None:
        self.woken += [(key, self.clock.now() - NOW) for key in keys]


@virtually
async def test_what_is_heard_again_and_again_wakes_nobody() -> None:
    """It is read each time that it would be too old, and no more."""
    watched = Watched()
    watched.note()
    await asyncio.sleep(301)

    assert watched.woken == []
    assert watched.looks == 1 + 10
    watched.freshness.stop()


@virtually
async def test_what_is_not_heard_any_more_wakes_once() -> None:
    """In the moment in which it is too old."""
    watched = Watched()
    watched.note()
    watched.heard_until = NOW + 12
    await asyncio.sleep(300)

    assert watched.woken == [(KEY, 42.0)]
    watched.freshness.stop()


@virtually
async def test_silence_that_ends_wakes() -> None:
    """Nobody tells of it, so it is looked for."""
    watched = Watched()
    watched.heard_until = NOW - 31
    watched.note()
    await asyncio.sleep(60)
    before = list(watched.woken)
    watched.heard_until = NOW + 1e9
    await asyncio.sleep(AGAIN_SECONDS + 0.1)

    assert before == []
    assert [key for key, _ in watched.woken] == [KEY]
    watched.freshness.stop()


@virtually
async def test_another_pass_puts_the_look_off() -> None:
    """What it saw counts from then on."""
    watched = Watched()
    for _ in range(20):
        watched.note()
        await asyncio.sleep(20)

    assert watched.looks == 20
    watched.freshness.stop()


@virtually
async def test_a_pass_that_saw_less_brings_the_look_forward() -> None:
    """Who is noted later may be due sooner."""
    watched, other = Watched(), Key("shop", "other")
    watched.note()
    watched.health = Health.UNKNOWN
    watched.note(other)
    watched.health = Health.HEALTHY
    await asyncio.sleep(AGAIN_SECONDS + 0.1)

    assert [key for key, _ in watched.woken] == [other]
    watched.freshness.stop()


@virtually
async def test_many_are_looked_at_in_turns() -> None:
    """Two hundred are due in one moment; all are looked at."""
    watched = Watched()
    for number in range(200):
        watched.note(Key("shop", f"rollout-{number}"))
    watched.health = Health.UNHEALTHY
    await asyncio.sleep(30.1)

    assert len({key for key, _ in watched.woken}) == 200
    watched.freshness.stop()


@virtually
async def test_who_is_gone_is_looked_at_no_more() -> None:
    """Whether it was dropped, or is found to be gone; at the end nobody is."""
    watched, other, third = Watched(), Key("shop", "other"), Key("shop", "third")
    for key in (KEY, other, third):
        watched.note(key)
    watched.freshness.drop(KEY)
    watched.gone.add(other)
    await asyncio.sleep(31)
    looks = watched.looks
    watched.freshness.stop()
    watched.freshness.stop()
    await asyncio.sleep(300)

    assert looks == 3 + 2
    assert watched.looks == looks
    assert watched.woken == []
