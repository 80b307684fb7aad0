"""The RouteTable of plain Envoy: weights inside the user's own RDS files.

A write reads the file afresh, edits the numbers, renames the new file into place and reads back
from Envoy which version it serves (``routewriter``). What Envoy refuses is taken back at once.
What Envoy cannot be seen to take (it is away, or slow) stays: the file holds what is wanted and is
what Envoy reads when it returns; the view says ``Pending`` until then. Foreign changes of the
files are found by polling and told to subscribers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from rollout.ending import end
from rollout.engine.observation import RouteKey, RouteView, RuleWeights
from rollout.envoy import readback
from rollout.envoy.admin import AdminClient
from rollout.envoy.routefile import FileRoute
from rollout.envoy.routeview import KIND, view_of
from rollout.envoy.routewriter import RouteWriter
from rollout.envoy.staging import RdsPath
from rollout.envoy.watched import Watched
from rollout.errors import ConfigurationError, NotOursError, PermanentError, TemporaryError
from rollout.ports import Clock

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RouteTableOptions:
    """Which files are ours, and how often and how long to look.

    ``staging`` is a folder on the files' filesystem that Envoy does not watch (default: beside the
    watched folder). Files are looked at every ``poll_seconds``, Envoy's acceptance every
    ``look_seconds``; a write waits ``deadline_seconds`` for Envoy to take it.
    """

    files: tuple[Path, ...]
    staging: Path | None = None
    poll_seconds: float = 0.5
    look_seconds: float = 1.0
    deadline_seconds: float = 2.0


class EnvoyRouteTable:
    """The named weighted routes of one Envoy; ``start`` before use, ``aclose`` at the end."""

    def __init__(self, admin: AdminClient, clock: Clock, options: RouteTableOptions) -> None:
        """Keep what is needed; nothing is read yet. ``failed_rounds`` counts rounds of watching that broke."""
        self._admin = admin
        self._options = options
        self._writer = RouteWriter(admin, clock, deadline_seconds=options.deadline_seconds)
        self._files = [Watched(RdsPath(path, options.staging)) for path in options.files]
        self._listeners: list[Callable[[RouteKey], None]] = []
        self._told: dict[RouteKey, tuple[RouteView | None, str]] = {}
        self._told_changes = 0
        self._task: asyncio.Task[None] | None = None
        self.failed_rounds = 0

    async def start(self) -> None:
        """Check the folders, read every file and begin to watch.

        Raises:
            ConfigurationError: a folder is missing or in the wrong place. A file that does not
                parse is no reason: its routes do not exist until it does.
        """
        for watched in self._files:
            await asyncio.to_thread(watched.path.prepare)
            await watched.load()
            await self._look_at(watched)
        self._task = asyncio.create_task(self._watch(), name="envoy-route-files")

    async def aclose(self) -> None:
        """Stop watching; the admin client is its owner's to close."""
        await end(self._task)
        self._task = None

    # ------------------------------------------------------------ the port

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route from the cache, or None when there is none that can be edited (``explain`` says why)."""
        view = self._view(key)
        if key not in self._told:
            self._told[key] = (view, self.explain(key))
        return view

    def explain(self, key: RouteKey) -> str:
        """Return why ``read`` gives no route, with file, line and field; empty when it gives one."""
        if key.kind != KIND:
            return f"{key} is not served here: the routes of this runtime are of kind {KIND}"
        holders = self._holders(key)
        if len(holders) > 1:
            places = " and ".join(str(watched.path.path) for watched, _ in holders)
            return f"{key} stands in {places}; allowed: one file"
        if holders:
            return "; ".join(str(problem) for problem in holders[0][1].problems)
        broken = [str(watched.problem) for watched in self._files if watched.problem is not None]
        return "; ".join(broken) or self._absent(key)

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write these weights if the route is still as in ``expected``; return it with what Envoy says of it.

        The view is ``Pending`` when Envoy could not be seen to take the file, which then stays.

        Raises:
            ConflictError: the route changed since.
            NotOursError: the route, a rule or a cluster is gone, or cannot be edited any more.
            UpdateRefused: Envoy refused it and the former content is back; or it can never take such weights.
            Unavailable: the disk failed.
        """
        holders = self._holders(key)
        if len(holders) != 1:
            raise NotOursError(self.explain(key))
        watched = holders[0][0]
        async with watched.lock:
            try:
                await self._writer.write(watched, key, rules, expected=expected)
            except ConfigurationError as error:
                raise NotOursError(str(error)) from error
            finally:
                self._tell(but=key)
        view = self._view(key)
        if view is None:
            raise NotOursError(self.explain(key))
        return view

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call ``listener`` whenever a route that was read, its acceptance or its problems changed."""
        self._listeners.append(listener)

    # ------------------------------------------------------------ from the cache

    def _holders(self, key: RouteKey) -> list[tuple[Watched, FileRoute]]:
        """Return the files that hold the route."""
        held = [(watched, watched.route(key.name)) for watched in self._files] if key.kind == KIND else []
        return [(watched, route) for watched, route in held if route is not None]

    def _view(self, key: RouteKey) -> RouteView | None:
        """Return the route as a value, or None."""
        holders = self._holders(key)
        if len(holders) != 1 or holders[0][1].problems:
            return None
        watched, route = holders[0]
        return view_of(key, route, acceptance=watched.acceptance, message=watched.message)

    def _absent(self, key: RouteKey) -> str:
        """Return the sentence on a route that no file has."""
        files = ", ".join(str(watched.path.path) for watched in self._files)
        names = sorted(name for watched in self._files for name in watched.names())
        there = ", ".join(names[:20]) or "none"
        return f"no route named {key.name} with weighted_clusters in {files} (there: {there})"

    def _tell(self, *, but: RouteKey | None = None) -> None:
        """Tell the listeners which of the routes that were read look different now (``but`` knows already)."""
        changes = sum(watched.changes for watched in self._files)
        if changes == self._told_changes:
            return
        self._told_changes = changes
        for key, told in list(self._told.items()):
            now = (self._view(key), self.explain(key))
            self._told[key] = now
            if now != told and key != but:
                for listener in self._listeners:
                    listener(key)

    # ------------------------------------------------------------ watching

    async def _watch(self) -> None:
        """Look at files and Envoy again and again."""
        loop = asyncio.get_running_loop()
        next_look = loop.time()
        while True:
            await asyncio.sleep(self._options.poll_seconds)
            due = loop.time() >= next_look
            if due:
                next_look = loop.time() + self._options.look_seconds
            try:
                await self._round(look=due)
            except Exception:  # noqa: BLE001 - top of a loop, logged and counted
                # The loop must outlive whatever happened: without it no foreign change is ever seen again.
                self.failed_rounds += 1
                _log.exception("looking at the route files failed", failed_rounds=self.failed_rounds)

    async def _round(self, *, look: bool) -> None:
        """Look once at every file that nobody is writing."""
        for watched in self._files:
            if watched.lock.locked():
                continue
            async with watched.lock:
                changed = watched.changed()
                if changed:
                    await watched.load(patient=True)
                if changed or look:
                    await self._look_at(watched)
        self._tell()

    async def _look_at(self, watched: Watched) -> None:
        """Bring the acceptance of one file up to date."""
        configurations = watched.configurations()
        if not configurations:
            return
        try:
            now = await readback.look(self._admin, configurations)
        except (TemporaryError, PermanentError) as error:
            watched.missed(str(error))
        else:
            watched.seen(now)
