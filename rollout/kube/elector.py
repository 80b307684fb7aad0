"""The port ``Elector`` on Leases: one for each shard, and one for each replica that says that it lives.

Every replica looks at the Leases once in a while and takes, or gives back, as ``rollout.kube.shards`` says; what it
holds is kept by ``rollout.kube.holding``. Who may act is never asked of the cluster: ``holds`` is a comparison with our
own monotonic clock. A single shard needs no Leases of members, and who holds it only renews it. A service that watches
the same Rollouts by another setting has Leases of other names, so what was taken is acted for once a second look, after
the taking, has found none of those: of two that begin at once, one at least sees the other.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from rollout.ending import end
from rollout.errors import ConflictError, NotOursError, RolloutError
from rollout.kube.api import KubeApi
from rollout.kube.holding import Desk, Holding
from rollout.kube.leases import (
    Claim,
    Names,
    Sighting,
    Sightings,
    holder_of,
    shards_of,
)
from rollout.kube.resources import LEASES, Document
from rollout.kube.shards import Plan, Seat, plan, shard_of
from rollout.ports import Clock, Key

log = structlog.get_logger(__name__)

LONGEST_LOOK_SECONDS = 1.5
"""Who waits for a Lease looks at least this often (less often than a third of a lease never)."""

JITTER_PART = 0.2
"""Of the time between two looks; all of it for who gave way to another that may have given way, too."""

RELEASE_SECONDS = 2.0
FORGOTTEN_LEASES = 4
"""A replica that was silent for so many leases is taken off the list of members."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class ElectorOptions:
    """In which namespace the Leases are, what this replica is called there, and over how many shards work is spread.

    ``lease_seconds`` is how long a replica that falls silent is waited for; it and ``shards`` are alike for all.
    ``watched`` is the namespace whose Rollouts are acted for (empty: all): one service for each has Leases of its own.
    """

    namespace: str
    identity: str
    lease_seconds: float = 15.0
    shards: int = 1
    watched: str = ""


class LeaseElector:
    """``Elector`` of one replica; begun with ``start``, ended with ``aclose``."""

    def __init__(self, api: KubeApi, clock: Clock, options: ElectorOptions, *, chance: Callable[[], float]) -> None:
        """Keep Leases in the cluster behind ``api``; ``chance`` gives jitter from 0 to 1."""
        self._desk = Desk(api, clock, options.namespace, options.lease_seconds)
        self._options = options
        self._clock = clock
        self._chance = chance
        self._names = Names(options.watched)
        self._sightings = Sightings(options.lease_seconds, self._names)
        self._held: dict[int, Holding] = {}
        self._sure = set[int]()
        self._acting = set[int]()
        self._made_anew = set[str]()
        self._member: Holding | None = None
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._looked = asyncio.Event()
        self._told = ""
        self._failing_since = math.inf
        self._jitter_part = JITTER_PART
        self.identity = f"{options.identity}-{secrets.token_hex(4)}"

    @property
    def shards(self) -> tuple[int, ...]:
        """Return the shards that are held at this moment."""
        held = tuple(self._held.items())
        return tuple(sorted(number for number, holding in held if number in self._sure and holding.good))

    @property
    def trouble(self) -> str:
        """Return why Leases cannot be read or written, if that has gone on for a lease; empty when they can."""
        lasted = self._clock.monotonic() - self._failing_since
        return f"Leases cannot be read or taken: {self._told}" if lasted >= self._options.lease_seconds else ""

    def holds(self, key: Key) -> bool:
        """Return whether this replica may act for the Rollout at this very moment."""
        number = shard_of(key, self._options.shards)
        return number in self._sure and self._held[number].good

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` (on the loop) after each loss and each gain."""
        self._listeners.append(listener)

    async def start(self) -> None:
        """Begin, and return when something that was free is held, or when the Leases could not be read or taken."""
        self._task = asyncio.create_task(self._run(), name="elector")
        await self._looked.wait()

    async def aclose(self) -> None:
        """Hold nothing any more, at once, and let others have it (within two seconds, or when it has run out)."""
        await end(self._task)
        holdings = [*self._held.values(), *([self._member] if self._member is not None else [])]
        for holding in holdings:
            holding.stop()
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await asyncio.gather(*map(self._let_go, holdings))
        except TimeoutError:
            log.warning("Leases not released in time", leases=len(holdings))

    async def _let_go(self, holding: Holding) -> None:
        """Release a Lease, or take a member's away; whatever fails, it runs out by itself."""
        try:
            if holding.is_member:
                await self._desk.api.delete(LEASES, self._options.namespace, holding.name)
            else:
                await holding.release()
        except (TimeoutError, RolloutError) as error:
            log.warning("Lease not released", lease=holding.name, why=str(error) or "no answer in time")

    async def _run(self) -> None:
        while True:
            again = False
            try:
                await self._give_up()
                again = await self._look()
                self._failing_since = math.inf
            except (TimeoutError, RolloutError) as error:
                self._fail(str(error) or "the API server did not answer in time")
            except Exception:
                log.exception("looking at Leases failed")
                self._fail("an unexpected error; see the log")
            self._tell_gains()
            if self._sure or not again:
                self._looked.set()
            if not again:
                await asyncio.sleep(self._rest_seconds())

    async def _look(self) -> bool:
        """Look at the Leases and do what follows; return whether to look again at once, since something was taken."""
        if self._options.shards == 1 and self._sure:
            return False
        found = await self._read()
        self._sightings.see(found, self._clock.monotonic())
        if self._options.shards > 1:
            await self._attend()
        following = self._plan()
        self._tell_problem(following.why)
        self._jitter_part = 1.0 if following.why and following.give else JITTER_PART
        for number in following.give:
            await self._give(number)
        self._sure.update(self._held)
        self._tell_gains()
        if await self._take_all(following.take):
            return True
        await self._clear_away()
        return False

    def _plan(self) -> Plan:
        """Return what to do, by what was seen; shards in our name that we do not hold are free for us."""
        now, seats, members = self._clock.monotonic(), dict[int, Seat](), set[str]()
        rival = next((name for name, seen in self._sightings if self._is_rival(name, seen, now)), "")
        if rival:
            return Plan(give=tuple(self._held), why=f"{rival} is held by a service that watches the same namespace")
        for name, seen in self._sightings:
            number, holder = self._names.number(name), holder_of(seen.lease)
            if holder == self.identity or not seen.is_held(now, self._options.lease_seconds):
                continue
            if number is not None:
                seats[number] = Seat(holder, shards_of(seen.lease))
            elif self._names.is_member(name) and shards_of(seen.lease) == self._options.shards:
                members.add(holder)
        seats.update({number: Seat(self.identity, self._options.shards) for number in self._held})
        return plan(self.identity, self._options.shards, seats, members)

    def _is_rival(self, name: str, seen: Sighting, now: float) -> bool:
        return self._names.overlaps(name) and seen.is_held(now, self._options.lease_seconds)

    async def _read(self) -> list[Document]:
        """Return the Leases of the namespace."""
        async with asyncio.timeout(self._desk.answer_seconds):
            found, after = list[Document](), ""
            while True:
                page = await self._desk.api.list_page(
                    LEASES, namespace=self._options.namespace, limit=PAGE, after=after
                )
                found += page.get("items") or ()
                after = str((page.get("metadata") or {}).get("continue") or "")
                if not after:
                    return found

    async def _attend(self) -> None:
        """Say that we live, if nobody was told or it was forgotten."""
        if self._member is None:
            member = Holding(
                self._desk, self._claim(self._names.member(self.identity), is_member=True), self._member_ended
            )
            self._member = member if await self._took(member) else None

    async def _took(self, holding: Holding) -> bool:
        """Take a Lease as it was seen last; return False when it is another by now."""
        found = self._sightings.get(holding.name)
        if found is None and self._sightings.was_there(holding.name):
            self._made_anew.add(holding.name)  # until it is taken: the answer of the one that makes it may get lost
        try:
            await holding.take(found, was_deleted=holding.name in self._made_anew)
        except (ConflictError, NotOursError):
            self._sightings.forget(holding.name)
            return False
        self._made_anew.discard(holding.name)
        self._sightings.meet(holding.name)
        return True

    async def _take_all(self, numbers: Iterable[int]) -> bool:
        """Take those that can be had; return whether any could.

        Raises:
            TimeoutError, RolloutError: none could, and one of them failed.
        """
        taken, failure = False, None
        for number in numbers:
            try:
                taken = await self._take(number) or taken
            except (TimeoutError, RolloutError) as error:
                failure = error
        if failure is not None and not taken:
            raise failure
        return taken

    async def _take(self, number: int) -> bool:
        holding = Holding(self._desk, self._claim(self._names.shard(number)), self._shard_ended)
        if not await self._took(holding):
            return False
        self._held[number] = holding
        return True

    async def _give(self, number: int) -> None:
        holding = self._held.get(number)
        if holding is not None:  # it may have ended while another was given back
            log.info("shard given back", shard=number, shards=self._options.shards, identity=self.identity)
            holding.stop()
            await self._let_go(holding)

    async def _clear_away(self) -> None:
        """Delete the Leases of members that have been silent for long; one that comes back makes its own again."""
        now, long = self._clock.monotonic(), FORGOTTEN_LEASES * self._options.lease_seconds
        for name, seen in self._sightings:
            if self._names.is_member(name) and now - seen.since > long and name != self._names.member(self.identity):
                self._sightings.forget(name)
                try:
                    await self._desk.api.delete(LEASES, self._options.namespace, name)
                except NotOursError:
                    continue  # somebody else did it

    async def _give_up(self) -> None:
        """Give back what could not be made sure of for a lease: another may see more."""
        if self._clock.monotonic() - self._failing_since >= self._options.lease_seconds:
            for number in self._held.keys() - self._sure:
                await self._give(number)

    def _claim(self, name: str, *, is_member: bool = False) -> Claim:
        return Claim(name, self.identity, self._options.lease_seconds, self._options.shards, is_member)

    def _member_ended(self, _: Holding) -> None:
        self._member = None

    def _shard_ended(self, holding: Holding) -> None:
        self._held = {number: held for number, held in self._held.items() if held is not holding}
        self._sure &= self._held.keys()
        self._acting &= self._held.keys()
        self._tell()

    def _tell_gains(self) -> None:
        """Tell of the shards that are held since the last look; one that was deleted is held later than taken."""
        gained = [number for number in self.shards if number not in self._acting]
        for number in gained:
            log.info("acts for shard", shard=number, shards=self._options.shards, identity=self.identity)
        self._acting.update(gained)
        if gained:
            self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    def _fail(self, why: str) -> None:
        self._failing_since = min(self._failing_since, self._clock.monotonic())
        self._tell_problem(why)

    def _tell_problem(self, why: str) -> None:
        """Log why nothing can be held, once for each reason."""
        if why and why != self._told:
            log.warning("Leases cannot be read or taken", why=why)
        self._told = why

    def _rest_seconds(self) -> float:
        """Return how long to wait: until the next look, or until a Lease runs out or is held, what comes first."""
        now, least = self._clock.monotonic(), self._options.lease_seconds
        look = min(LONGEST_LOOK_SECONDS, least / 3) * (1 + self._jitter_part * (2 * self._chance() - 1))
        ends = [seen.runs_out_at(least) - now for name, seen in self._sightings if self._names.number(name) is not None]
        waits = [holding.wait_seconds for holding in self._held.values()]
        return min([look, *(left for left in (*ends, *waits) if left > 0)])
