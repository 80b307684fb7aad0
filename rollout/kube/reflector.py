"""A reflector: one kind of objects of the cluster in memory, kept as the API server has it.

List in pages, then watch from there, and again: a watch is renewed after ``renew_seconds``, so that a connection that
died without a word is found soon after. What is too old is listed again; what fails is tried again with growing,
jittered gaps. The adapters of this room (``store``, ``routes``, ``endpoints``, ``workloads``) stand on it; what is in
memory, and who hears of it, is ``rollout.kube.cache``'s. It knows nothing of what the objects mean.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from rollout.ending import end
from rollout.errors import NotAllowedError, NotOursError, PermanentError, RolloutError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.cache import Cache, Keep, Listener, Name
from rollout.kube.faults import Busy, Expired, TooLong
from rollout.kube.resources import Document, Resource, age_of, name_of, version_of
from rollout.ports import Clock

log = structlog.get_logger(__name__)


Follower = Callable[[str, Document], None]
"""Takes a kind and a document: ``LISTING``, ``LISTED`` (each object), ``SYNCED`` of a list, then what a watch tells."""


@dataclass(frozen=True, slots=True)
class ReflectorOptions:
    """How a reflector watches: for so many seconds at a time, in pages of so many, with these gaps after a failure.

    A watch that ended within ``shortest_watch_seconds`` counts as a failure. ``look_seconds``: how long the look after
    a broken watch may hold up the next one. ``fresh_seconds``: how long after the API server was heard of what is here
    still counts as what there is. ``most_listed``: a list of more objects (a page counts as one at least) never ends.
    ``optional``: where we may not see it, all goes on as if the cluster had no such resource. ``name``: of the one
    object that is watched (empty: all).
    """

    renew_seconds: float = 240.0
    page: int = 500
    first_gap_seconds: float = 0.2
    longest_gap_seconds: float = 10.0
    shortest_watch_seconds: float = 1.0
    look_seconds: float = 2.0
    fresh_seconds: float = 30.0
    most_listed: int = 1_000_000
    optional: bool = False
    name: str = ""


class Reflector:
    """The objects of one kind; begun with ``start``, ended with ``aclose``."""

    def __init__(  # noqa: PLR0913 - what is watched, and with what
        self,
        api: KubeApi,
        resource: Resource,
        keep: Keep,
        clock: Clock,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        options: ReflectorOptions = ReflectorOptions(),
    ) -> None:
        """Watch ``resource`` in ``namespace`` (empty: in all); ``chance`` gives jitter from 0 to 1.

        ``problem`` is what failed last, empty when nothing did since; ``refused``: that was for want of a right, or for
        good otherwise. ``absent``: the cluster has no such resource, or we may not see what is ``optional``.
        """
        self._api = api
        self._resource = resource
        self._clock = clock
        self._chance = chance
        self._namespace = namespace
        self._options = options
        self._cache = Cache(keep, resource.plural)
        self._followers: list[Follower] = []
        self._synced = asyncio.Event()
        self._answered = asyncio.Event()
        self._heard_at = -math.inf
        self._opened_at = math.inf
        self._version = ""
        self._page = options.page
        self._doubt = False
        self._failures = 0
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        self.absent = False
        self.refused = False

    @property
    def resource(self) -> Resource:
        """Return what is watched."""
        return self._resource

    @property
    def synced(self) -> bool:
        """Return whether the first list is in."""
        return self._synced.is_set()

    @property
    def fresh(self) -> bool:
        """Return whether the API server was heard of so lately that what is here is what there is."""
        return self._heard_within(self._options.fresh_seconds + self._options.renew_seconds)

    @property
    def live(self) -> bool:
        """Return whether the watch was opened or heard from within ``fresh_seconds``."""
        return self._heard_within(self._options.fresh_seconds)

    @property
    def heard_at(self) -> float:
        """Return when the API server was last heard of, by the monotonic clock (minus infinity: never)."""
        return self._heard_at

    def _heard_within(self, seconds: float) -> bool:
        return self.synced and self._clock.monotonic() - self._heard_at < seconds

    def get(self, namespace: str, name: str) -> Document | None:
        """Return what is kept of the object, or None."""
        return self._cache.get((namespace, name))

    def names(self) -> list[Name]:
        """Return the names of all objects that are kept."""
        return self._cache.names()

    def __iter__(self) -> Iterator[Document]:
        """Give what is kept of every object."""
        return iter(self._cache)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` (on the loop) with every change of what is kept, those of the first list included."""
        self._cache.subscribe(listener)

    def follow(self, follower: Follower) -> None:
        """Call ``follower`` with everything that the stream tells, in its order, also what ``put`` has brought before.

        It hears of an object before that is kept.
        """
        self._followers.append(follower)

    def put(self, document: Document) -> None:
        """Take in what a write or a single read answered, unless something newer is known."""
        self._cache.put(document)

    def admit(self, document: Document) -> None:
        """Take in what a single read answered of an object that ``keep`` let go by when the stream told of it."""
        self._cache.admit(document)

    def drop(self, namespace: str, name: str) -> None:
        """Let go of an object that is there, but is not wanted any more; ``admit`` brings it back."""
        self._cache.drop((namespace, name))

    def forget(self, namespace: str, name: str, *, age: int) -> None:
        """Take out an object that is gone; what is no newer than ``age`` does not bring it back."""
        self._cache.forget((namespace, name), age=age)

    async def start(self, *, patience_seconds: float = 60.0) -> None:
        """Begin, and return when the first list is in, when the cluster has no such resource, or when patience is over.

        It goes on trying by itself; ``answered`` returns when the first list is in after all.
        """
        self._task = asyncio.create_task(self._run(), name=f"watch of {self._resource.plural}")
        try:
            await asyncio.wait_for(self._answered.wait(), patience_seconds)
        except TimeoutError:
            log.warning("not seen yet", what=self._resource.plural, why=self.problem)

    async def answered(self) -> None:
        """Return when the first list is in, or the cluster has no such resource."""
        await self._answered.wait()

    async def aclose(self) -> None:
        """End the watch; what is in memory stays."""
        await end(self._task)

    async def _run(self) -> None:
        while True:
            self._opened_at = math.inf
            error = await self._round()
            lasted = self._clock.monotonic() - self._opened_at
            self._doubt = self._doubt or error is not None or lasted < self._options.renew_seconds - 1.0
            await self._rest(self._gap(error, lasted))

    async def _round(self) -> Exception | None:
        """List if need be and watch until the watch ends; return what it failed with, None when it just ended."""
        try:
            if self._version and self._doubt:
                await self._look()
            if not self._version:
                await self._list()
            await self._watch()
        except (Expired, TooLong) as error:
            # A list has the last state of what is too old, or too long, to be told of.
            self._version = ""
            return self._told(str(error), error)
        except NotOursError as error:
            return self._has_none(error)
        except NotAllowedError as error:
            return self._has_none(error) if self._options.optional else self._told(str(error), error)
        except RolloutError as error:
            return self._told(str(error), error)
        except Exception as error:
            log.exception("watch failed", what=self._resource.plural)
            self._version = ""
            return self._told(f"{self._resource.plural}: {type(error).__name__}", error)
        return None

    def _has_none(self, error: RolloutError) -> Exception:
        self._version, self.absent = "", True
        self._answered.set()
        return self._told(str(error), error)

    def _told(self, why: str, error: Exception) -> Exception:
        if self.problem != why:
            log.warning("watch failed", what=self._resource.plural, why=why)
        self.problem, self.refused = why, isinstance(error, PermanentError)
        return error

    def _gap(self, error: Exception | None, lasted: float) -> float:
        """Return the seconds until the next watch: none after one that lasted and ended, more with every failure."""
        if lasted >= self._options.shortest_watch_seconds:
            self._failures = 0
            if error is None:
                return 0.0
        self._failures += 1
        if isinstance(error, Expired) and self._failures == 1:
            return 0.0
        grown = self._options.first_gap_seconds * 2.0 ** min(self._failures, 10)
        told = error.after_seconds if isinstance(error, Busy) else 0.0
        return told + min(self._options.longest_gap_seconds, grown) * (0.5 + self._chance() / 2)

    async def _rest(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)

    async def _look(self) -> None:
        """Find out whether the cluster has gone back in time: a watch from its future would be silent for ever.

        When that cannot be found out soon, the watch goes on first: most of what broke did not touch the cluster.
        """
        try:
            async with asyncio.timeout(self._options.look_seconds):
                page = await self._page_of(1)
        except TimeoutError:
            return
        self._doubt = False
        if age_of(version_of(page)) < age_of(self._version):
            log.warning("the cluster was restored: all is read anew", what=self._resource.plural)
            self._version = ""

    async def _list(self) -> None:
        """Read everything, and tell what changed since; an object that is not listed any more is gone."""
        listed: set[Name] = set()
        page = await self._list_page("")
        version = version_of(page)
        self._cache.begin(version)
        self._tell("LISTING", page)
        left = self._options.most_listed
        while True:
            for item in page["items"]:
                listed.add(name_of(item))
                self._tell("LISTED", item)
                self._cache.take(item)
            after = str(page["metadata"].get("continue") or "")
            if not after:
                break
            left -= max(1, len(page["items"]))
            if left <= 0:
                raise Unavailable(f"{self._resource.plural}: the list does not end")
            page = await self._list_page(after)
        self._cache.settle(listed, version)
        self._tell("SYNCED", page)
        self._version, self._doubt = version, False
        self._heard()
        self._synced.set()
        self._answered.set()

    async def _list_page(self, after: str) -> Document:
        try:
            return await self._page_of(self._page, after)
        except TooLong:
            self._page = max(1, self._page // 4)
            raise

    async def _page_of(self, limit: int, after: str = "") -> Document:
        name = self._options.name
        return await self._api.list_page(self._resource, namespace=self._namespace, name=name, limit=limit, after=after)

    def _tell(self, kind: str, document: Document) -> None:
        for follower in self._followers:
            try:
                follower(kind, document)
            except Exception:
                log.exception("follower failed", what=self._resource.plural)

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self.problem = ""
        self.absent = self.refused = False

    async def _watch(self) -> None:
        seconds, name = self._options.renew_seconds, self._options.name
        events = self._api.watch(
            self._resource, namespace=self._namespace, name=name, since=self._version, seconds=seconds
        )
        async with aclosing(events):
            async for kind, document in events:
                self._take(kind, document)
                self._heard()

    def _take(self, kind: str, document: Document) -> None:
        if kind == "OPENED":
            self._opened_at = self._clock.monotonic()
            return
        self._tell(kind, document)
        if kind in {"ADDED", "MODIFIED"}:
            self._cache.take(document)
        elif kind == "DELETED":
            self._cache.forget(name_of(document), age=age_of(version_of(document)))
        self._version = version_of(document)
        self._cache.reached(self._version)
