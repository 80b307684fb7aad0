"""The post of one sink: works on one Rollout after the other, a few at once, as the state of its line allows.

It holds names of Rollouts and nothing to send: that is asked of the book each time. Whatever a sink does slows nobody
but those who wait for the same sink.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from functools import partial
from typing import Any

import structlog

from rollout.ending import end
from rollout.errors import LeaseLost
from rollout.notify.delivery.book import Book
from rollout.notify.delivery.gathering import gathering_of
from rollout.notify.delivery.line import Line, Outcome
from rollout.notify.delivery.options import Options
from rollout.notify.delivery.owed import Due, Owed
from rollout.notify.delivery.quiet import Quiet
from rollout.notify.delivery.waiting import Waiting
from rollout.notify.delivery.writing import Listing, Writer
from rollout.notify.message import Message
from rollout.notify.sinks import Sink
from rollout.ports import Key
from rollout.signals import SinkStanding

log = structlog.get_logger(__name__)

BREATH = 50
"""After so many Rollouts in a row, others on the loop have their turn."""

PAUSE_SECONDS = 1.0
"""So long nothing is begun after a mistake of ours."""


class Post:
    """Tells one sink."""

    def __init__(self, sink: Sink, book: Book, line: Line, *, writer: Writer, quiet: Quiet, options: Options) -> None:
        """Tell ``sink`` what ``book`` has for it over its ``line``; nothing is sent before ``run``."""
        self.name = sink.name
        self._kind = sink.kind.value
        self._line = line
        self._waiting = Waiting()
        self._book = book
        self._writer = writer
        self._quiet = quiet
        self._options = options
        self._gathering = gathering_of(sink)
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._ending = False

    def owe(self, key: Key, owed: Owed, *, alone: bool = False) -> None:
        """Let the Rollout be told of when its turn comes, ``alone`` rather than in a list."""
        at = owed.dues[0].at
        if self._quiet.seconds() is not None and not owed.loud:
            self._waiting.sleep(key, at)
        else:
            self._waiting.put(key, at, gather=self._gathering is not None and not alone)
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled; what is under way then goes on until ``stop``."""
        while True:
            self._woken.clear()
            pause = self._look()
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Let what is under way come to an end within a moment, and end it then."""
        self._ending = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._options.last_words)
            await end(*late)

    async def trial(self, message: Message) -> None:
        """Send the message at once.

        Raises:
            TemporaryError, PermanentError: it was not delivered.
        """
        await self._line.trial(message)
        self._woken.set()

    def _look(self) -> float | None:
        try:
            return self._step()
        except Exception as error:  # noqa: BLE001 - nothing ends the telling of a sink
            self._line.stumbled(error)
            return PAUSE_SECONDS

    def _step(self) -> float | None:
        """Begin what may begin now; return in how many seconds to look again (None: when something comes)."""
        closed = self._line.closed_seconds()
        if closed > 0:
            return closed
        quiet = self._quiet.seconds()
        if quiet is None and self._waiting.asleep:
            self._waiting.wake(gather=self._gathering is not None)
        if self._line.is_on_trial():
            self._try_one()
            return quiet
        ripe = self._gather() if self._has_place() else None
        while self._waiting.turns and self._has_place():
            self._begin(partial(self._go, self._waiting.take(), self._options.in_a_go))
        return min((pause for pause in (ripe, quiet) if pause is not None), default=None)

    def _try_one(self) -> None:
        """Let one message of one Rollout say how the sink is, when nothing is under way."""
        key = self._waiting.take_one(rather_not=self._line.doubted) if not self._tasks else None
        if key is not None:
            self._begin(partial(self._go, key, 1))

    def _has_place(self) -> bool:
        return len(self._tasks) < self._options.places

    def _gather(self) -> float | None:
        """Let those that have waited long enough be told, together if they are many; return when they will have."""
        if self._gathering is None or not self._waiting.gathering:
            return None
        now = self._line.now()
        self._gathering = gathering = self._gathering.came(now)
        ripe_in = gathering.ripe_at(now) - now
        if ripe_in > 0:
            return ripe_in
        self._gathering = gathering.left()
        if len(self._waiting.gathering) < gathering.least:
            self._waiting.ripen()
        else:
            self._begin(partial(self._go_together, self._waiting.take_all()))
        return None

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - others are told all the same
            self._line.stumbled(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._woken.set()

    async def _go(self, key: Key, most: int) -> None:
        """Tell the sink of one Rollout, in order, until it is owed nothing more, or others have their turn."""
        try:
            for _ in range(most):
                due = next(iter(self._next(key)), None)
                if due is None or not await self._tell(key, due):
                    break
        finally:
            self._give_back(key)

    async def _tell(self, key: Key, due: Due) -> bool:
        """Return whether the sink may be told of what comes next."""
        message = self._writer.one(key, due, self._book.thread(key, self.name, due))
        outcome = await self._line.deliver(message, lambda: self._is_ours(key, due))
        if outcome.refused:
            about = {"rollout": str(key), "number": due.number, "id": message.id}
            log.warning("a sink refused a message", sink=self.name, **about, why=outcome.problem)
            self._line.tally.passed_over += 1
            self._book.passed(key, self.name, due, outcome.problem)
        else:
            self._note(key, due, outcome)
        return outcome.went or outcome.refused

    async def _go_together(self, keys: tuple[Key, ...]) -> None:
        """Tell the sink of many Rollouts at once."""
        listing, outcome = Listing(), Outcome()
        try:
            await self._list(listing, keys)
            if listing.shares:
                outcome = await self._line.deliver(self._writer.many(listing), lambda: None)
        finally:
            await self._settle(keys, listing, outcome)

    async def _list(self, listing: Listing, keys: tuple[Key, ...]) -> None:
        """List what may be told of each, as far as they are ours in the end."""
        for place, key in enumerate(keys, 1):
            if dues := self._next(key):
                listing.add(key, dues)
            if place % BREATH == 0:
                await asyncio.sleep(0)
        for key in [key for key, share in listing.shares.items() if not self._book.is_ours(key, share.last)]:
            del listing.shares[key]

    async def _settle(self, keys: tuple[Key, ...], listing: Listing, outcome: Outcome) -> None:
        """Take note of what became of a list; when it was refused, those who are shown in it are told one by one."""
        alone: Collection[Key] = ()
        if outcome.went and self._gathering is not None:
            self._gathering = self._gathering.listed(self._line.now())
        elif outcome.refused or outcome.broken:
            alone = listing.shown() or listing.shares
            log.warning("a sink refused a list", sink=self.name, rollouts=len(listing.shares), why=outcome.problem)
        for place, key in enumerate(keys, 1):
            if key in listing.shares and not outcome.refused:
                self._note(key, listing.shares[key].last, outcome)
            self._give_back(key, alone=key in alone)
            if place % BREATH == 0:
                await asyncio.sleep(0)

    def _note(self, key: Key, due: Due, outcome: Outcome) -> None:
        if outcome.went:
            self._book.moved(key, self.name, due, at=outcome.at, thread=outcome.thread)
        elif outcome.problem:
            self._book.failed(key, self.name, due, outcome.problem)

    def _next(self, key: Key) -> tuple[Due, ...]:
        """Return what may be told of the Rollout now."""
        if self._ending or self._line.closed_seconds() > 0:
            return ()
        owed = self._book.owed(key, self.name)
        if owed is None:
            return ()
        return owed.dues if self._quiet.seconds() is None else owed.loud

    def _is_ours(self, key: Key, due: Due) -> None:
        """Return when the Rollout is ours to tell of.

        Raises:
            LeaseLost: it is another replica's, or was made anew.
        """
        if not self._book.is_ours(key, due):
            raise LeaseLost(f"{key} is for another replica to tell of")

    def _give_back(self, key: Key, *, alone: bool = False) -> None:
        """Let the Rollout wait again when something is still owed."""
        self._waiting.done(key)
        owed = self._book.owed(key, self.name)
        if owed is not None:
            self.owe(key, owed, alone=alone)

    def standing(self, now: float) -> SinkStanding:
        """Return how it goes as of ``now`` (Unix seconds); may be called beside the loop."""
        tally, waiting, closed = self._line.tally, self._waiting.all(), self._line.closed_seconds()
        return SinkStanding(
            name=self.name,
            kind=self._kind,
            delivered=tally.delivered,
            failed=tally.failed,
            folded=tally.folded,
            passed_over=tally.passed_over,
            pending=len(waiting),
            lag_seconds=max(0.0, now - min(waiting.values())) if waiting else 0.0,
            delivered_at=tally.delivered_at,
            problem=tally.problem,
            problem_at=tally.problem_at,
            closed_until=now + closed if closed > 0 else 0.0,
            quiet=self._quiet.seconds() is not None,
        )
