"""Who takes which shard: the arithmetic of the elector, as functions of what is seen.

Rollouts are spread over shards by their names; a shard is a Lease. Replicas even out how many each holds. Shard 0 also
says over how many shards the work is spread: a replica that was told another number holds nothing, since two numbers
at once would give one Rollout to two of them. Called by ``rollout.kube.elector``; knows no clock and no API server.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from zlib import crc32

from rollout.ports import Key

FIRST = 0
"""The shard whose holder says over how many the work is spread."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A shard as it is seen: who holds it, and over how many shards the holder spreads the work."""

    holder: str
    shards: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Which shards to take and which to give back, in this order; ``why`` is one sentence when none may be held."""

    take: tuple[int, ...] = ()
    give: tuple[int, ...] = ()
    why: str = ""


def shard_of(key: Key, shards: int) -> int:
    """Return the shard (from 0) of a Rollout, the same for ever for the same number of ``shards``."""
    return crc32(str(key).encode()) % shards


def plan(me: str, shards: int, seats: Mapping[int, Seat], members: Collection[str]) -> Plan:
    """Return what to do next.

    ``seats`` are the shards that are held, by us too; one that is not there is free. ``members`` are the replicas that
    live and spread over the same number as we, without us or with us.
    """
    mine = sorted(number for number, seat in seats.items() if seat.holder == me)
    others = {seat.shards for seat in seats.values() if seat.holder != me} - {shards}
    first = seats.get(FIRST)
    if others and (first is None or first.shards != shards):
        told = f"others spread Rollouts over {max(others)} shards and this replica over {shards}"
        return Plan(give=tuple(reversed(mine)), why=f"{told}; it acts for none as long as they are there")
    everybody = {me, *members}
    held = {member: sum(seat.holder == member for seat in seats.values()) for member in everybody}
    fewest = min(held.values())
    surplus = (len(mine) - fewest) // 2
    # What is free comes first: those with fewer take that, and nothing has to change hands that need not.
    if surplus > 0 and all(number in seats for number in range(shards)):
        return Plan(give=tuple(reversed(mine))[:surplus])
    lacking = -(-shards // len(everybody)) - len(mine)
    if lacking <= 0 or len(mine) > fewest:
        return Plan()
    if first is None:
        return Plan(take=(FIRST,))
    begin = crc32(me.encode()) % shards
    around = ((begin + turn) % shards for turn in range(shards))
    return Plan(take=tuple(number for number in around if number not in seats)[:lacking])
