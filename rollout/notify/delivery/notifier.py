"""The notifier: joins the book and the posts of all sinks, and has cursors recorded now and then.

It is what the controller asks who is told, and what people ask how it goes with the sinks. A pass waits for nothing
here: it leaves the name of its Rollout, and all else happens later.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

import structlog

from rollout.ending import end
from rollout.engine.observation import Cursor, Telling
from rollout.engine.state import State
from rollout.errors import NotOursError
from rollout.notify.delivery.book import Book
from rollout.notify.delivery.line import Line
from rollout.notify.delivery.mistakes import log_mistake
from rollout.notify.delivery.options import Options, Reach
from rollout.notify.delivery.post import BREATH, Post
from rollout.notify.delivery.quiet import Quiet, QuietTimes
from rollout.notify.delivery.tries import Tries
from rollout.notify.delivery.writing import Writer
from rollout.notify.notices import trial
from rollout.notify.sending import Sender
from rollout.notify.sinks import Sink, Sinks
from rollout.ports import Clock, Key, StoredRollout
from rollout.signals import SinkStanding
from rollout.spec.resource import Rollout

log = structlog.get_logger(__name__)

SWEEP_TICKS = 12
"""With every so many ticks Rollouts are forgotten for which others act."""

AT_ONCE, APART_SECONDS = 200, 0.1
"""So many passes are woken at once for their cursors, and so long apart: passes have better things to do."""

LOOK_SECONDS = 0.02
CLOSE_SECONDS = 1.0

NEVER_QUIET: Mapping[str, QuietTimes] = MappingProxyType({})


class Notifier:
    """Tells sinks of transitions; ``Notices`` for the controller, ``NoticeDesk`` for people."""

    def __init__(
        self,
        sinks: Sinks,
        senders: Mapping[str, Sender],
        *,
        clock: Clock,
        quiet: Mapping[str, QuietTimes] = NEVER_QUIET,
        chance: Callable[[], float] = random.random,
        options: Options | None = None,
    ) -> None:
        """Take the sinks, and by their names how to send to each and when it is quiet (missing: never).

        ``chance`` gives numbers from 0 to 1, for the spread of waits.
        """
        self._options = options = options or Options()
        self._clock = clock
        self._senders = senders
        self._book = Book(sinks.sinks, self._look_at)
        self._fresh: dict[Key, None] = {}
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._posts = {
            sink.name: self._post(sink, sinks.link, Quiet(quiet.get(sink.name), clock), chance) for sink in sinks.sinks
        }

    def _post(self, sink: Sink, link: str | None, quiet: Quiet, chance: Callable[[], float]) -> Post:
        sender, options = self._senders[sink.name], self._options
        tries = Tries(sender, sink, options=options, chance=chance)
        line = Line(sink.name, tries, clock=self._clock, chance=chance)
        writer = Writer(self._book, sink.templates, link)
        return Post(sink, self._book, line, writer=writer, quiet=quiet, options=options)

    def begin(self, reach: Reach) -> None:
        """Tell from now on, of the Rollouts that passes ask about; to be called on the loop."""
        self._book.begin(reach)
        for work in (self._sort(), self._tick(), *(post.run() for post in self._posts.values())):
            self._tasks.add(asyncio.create_task(work))

    def telling(self, stored: StoredRollout, rollout: Rollout | None, state: State) -> Telling | None:
        """Return who is to be told of the Rollout and how far each was; asked once in each pass, from memory."""
        return self._book.telling(stored, rollout, state)

    def heard(self, key: Key) -> None:
        """Take note that the Rollout has something to tell: called after each of its transitions."""
        self._book.made(key)
        self._look_at(key)

    def _look_at(self, key: Key) -> None:
        self._fresh[key] = None
        self._news.set()

    def told(self, key: Key) -> tuple[Cursor, ...]:
        """Return how far each sink was told of the Rollout (empty: not known here)."""
        return self._book.told(key)

    def standings(self) -> tuple[SinkStanding, ...]:
        """Return how it goes with each sink, in the order of the file; may be called beside the loop."""
        return tuple(post.standing(self._clock.now()) for post in self._posts.values())

    async def trial(self, sink: str, *, by: str) -> None:
        """Send the sink a message that says it is a trial, and by whom it was asked for; try once.

        Raises:
            NotOursError: there is no such sink.
            TemporaryError, PermanentError: it was not delivered.
        """
        post = self._posts.get(sink)
        if post is None:
            raise NotOursError(f"there is no sink {sink}")
        await post.trial(trial(sink, by=by, at=self._clock.now()))

    async def aclose(self) -> None:
        """Send nothing more, have cursors recorded within a moment, and end all connections.

        To be called while passes still run.
        """
        await end(*self._tasks)
        await asyncio.gather(*(post.stop() for post in self._posts.values()))
        self._book.close()
        await self._record_last()
        closings = [asyncio.wait_for(sender.aclose(), CLOSE_SECONDS) for sender in self._senders.values()]
        for failure in await asyncio.gather(*closings, return_exceptions=True):
            if isinstance(failure, Exception):
                log.warning("a sink's connections did not end", error=type(failure).__name__)

    async def _record_last(self) -> None:
        """Have all cursors recorded, as far as a moment suffices: what is not is told again, with the same id."""
        for key in self._book.unrecorded():
            self._book.remember(key)
        for _ in range(round(self._options.recording / LOOK_SECONDS)):
            if not self._book.unrecorded():
                return
            await asyncio.sleep(LOOK_SECONDS)
        log.info("some cursors are not recorded", rollouts=len(self._book.unrecorded()))

    async def _sort(self) -> None:
        """Hand Rollouts to the posts of the sinks to which they owe something."""
        while True:
            await self._news.wait()
            self._news.clear()
            for place in range(len(self._fresh)):
                if place % BREATH == BREATH - 1:
                    await asyncio.sleep(0)
                key = next(iter(self._fresh))
                del self._fresh[key]
                self._hand_out(key)

    def _hand_out(self, key: Key) -> None:
        try:
            self._share(key)
        except Exception as error:  # noqa: BLE001 - others are told all the same
            log_mistake("nobody is told of a Rollout", error, rollout=str(key))

    def _share(self, key: Key) -> None:
        for sink in self._book.sinks(key):
            post, owed = self._posts.get(sink), self._book.owed(key, sink)
            if post is not None and owed is not None:
                post.owe(key, owed)

    async def _tick(self) -> None:
        """Have cursors recorded that have moved, all Rollouts together, and forget who is not ours."""
        for count in itertools.count(1):
            await asyncio.sleep(self._options.tick)
            try:
                await self._remember(sweep=count % SWEEP_TICKS == 0)
            except Exception as error:  # noqa: BLE001 - the next tick may do better
                log_mistake("cursors were not recorded", error)

    async def _remember(self, *, sweep: bool) -> None:
        if sweep:
            for place, _ in enumerate(self._book.sweep(), 1):
                if place % BREATH == 0:
                    await asyncio.sleep(0)
        for place, key in enumerate(self._book.unrecorded(), 1):
            self._book.remember(key)
            if place % AT_ONCE == 0:
                await asyncio.sleep(APART_SECONDS)
