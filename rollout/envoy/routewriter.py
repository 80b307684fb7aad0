"""One write of weights, from reading the file to knowing what Envoy made of it.

The protocol of ``docs/decisions/0020-envoy-route-files.md``, step by step; called by the route table
with the file's lock held.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from rollout.engine.observation import Acceptance, RouteKey, RuleWeights
from rollout.envoy import readback
from rollout.envoy.admin import AdminClient
from rollout.envoy.readback import Look
from rollout.envoy.routefile import RouteFile, with_version
from rollout.envoy.routeview import editable_route, edited, route_version, tried
from rollout.envoy.watched import Watched, away
from rollout.errors import (
    ConfigurationError,
    ConflictError,
    NotOursError,
    PermanentError,
    SourceTimeout,
    TemporaryError,
    UpdateRefused,
)
from rollout.ports import Clock

_TRIES = 5
_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.05
_REFUSED_SECONDS = 0.25

Verdict = tuple[Acceptance, str]


class RouteWriter:
    """Writes into watched files and reads back from one Envoy."""

    def __init__(self, admin: AdminClient, clock: Clock, *, deadline_seconds: float) -> None:
        """Keep whom to ask, the time for versions, and how long to wait for Envoy."""
        self._admin = admin
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    async def write(self, watched: Watched, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> None:
        """Write the weights and publish Envoy's verdict in ``watched``.

        Raises:
            ConflictError: the route is not ``expected`` any more.
            NotOursError: the route, a rule or a cluster is gone.
            ConfigurationError: the route or the file cannot be edited.
            UpdateRefused: Envoy refused it; what was there before is back, or the message says why not.
            Unavailable: the disk failed.
        """
        # Counters of the last look will do, if all was well then: asking again would cost the write a millisecond.
        before = watched.confirmed or await self._look(watched)
        await watched.refresh()
        former = await self._replace(watched, key, rules, expected=expected)
        verdict, now = await self._settle(watched, before)
        if verdict[0] is Acceptance.REFUSED:
            said = f"{key}: tried {tried(rules)}; {verdict[1]}{await self._hint(rules)}"
            raise await self._take_back(watched, former, said=said)
        watched.publish(verdict, now)

    async def _replace(
        self, watched: Watched, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str
    ) -> RouteFile:
        """Put the edited file into place; return what was there.

        Begins again when somebody else changed other parts of the file meanwhile.
        """
        for _ in range(_TRIES):
            former = _readable(watched)
            route = editable_route(former, key.name)
            if route_version(route) != expected:
                raise ConflictError(f"{key} was changed by somebody else in {former.source}")
            try:
                await watched.put(edited(former, route, rules, version=self._new_version()))
            except ConflictError:
                await watched.load()
            else:
                return former
        raise ConflictError(f"{watched.path.path} is changed all the time by somebody else")

    async def _settle(self, watched: Watched, before: Look | None) -> tuple[Verdict, Look | None]:
        """Read back what Envoy makes of the new file, while the rename goes to the disk."""
        settled, _ = await asyncio.gather(self._read_back(watched, before), asyncio.to_thread(watched.path.sync))
        return settled

    async def _read_back(self, watched: Watched, before: Look | None) -> tuple[Verdict, Look | None]:
        """Look until Envoy serves the version, is away, has refused it for a while, or the deadline is over.

        A refusal that is seen may be one of somebody else's file from just before, with Envoy about to take
        ours; so it counts when it still stands after ``_REFUSED_SECONDS``.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                now = await readback.look(self._admin, watched.configurations())
                before = before or now
                verdict = watched.judge(now, before)
            except SourceTimeout as error:
                now, verdict = {}, (Acceptance.PENDING, away(str(error)))
            except (TemporaryError, PermanentError) as error:
                return (Acceptance.PENDING, away(str(error))), None
            if verdict[0] is Acceptance.REFUSED:
                deadline = min(deadline, loop.time() + _REFUSED_SECONDS)
            if verdict[0] is Acceptance.ACCEPTED or loop.time() >= deadline:
                return verdict, now
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    async def _take_back(self, watched: Watched, former: RouteFile, *, said: str) -> UpdateRefused:
        """Put back what was there before; return the error that tells what was tried, said and done."""
        try:
            before = await self._look(watched)
            await watched.put(with_version(former, version=self._new_version()))
        except (ConflictError, TemporaryError, NotOursError, PermanentError) as error:
            watched.publish((Acceptance.REFUSED, said), None)
            return UpdateRefused(f"{said}; the former content could not be put back: {error}")
        verdict, now = await self._settle(watched, before)
        watched.publish(verdict, now)
        doubt = "" if verdict[0] is Acceptance.ACCEPTED else f" ({verdict[1]})"
        return UpdateRefused(f"{said}; the former content is back{doubt}")

    async def _hint(self, rules: Sequence[RuleWeights]) -> str:
        """Return the usual reason of a refusal, if it is this one: a cluster that Envoy does not have."""
        wanted = sorted({backend.name for rule in rules for backend in rule.weights})
        try:
            known = await self._admin.clusters(wanted, attempts=1)
        except (TemporaryError, PermanentError):
            return ""
        missing = [name for name in wanted if name not in known]
        return f" (it has no cluster {', '.join(missing)})" if missing else ""

    async def _look(self, watched: Watched) -> Look | None:
        """Return a look at Envoy, or None when it is away."""
        try:
            return await readback.look(self._admin, watched.configurations())
        except (TemporaryError, PermanentError):
            return None

    def _new_version(self) -> str:
        """Return a version that was never there before, with the time for whoever reads the file."""
        at = datetime.fromtimestamp(self._clock.now(), tz=UTC)
        return f"rollout-{at:%Y%m%dT%H%M%S}.{at.microsecond // 1000:03d}Z-{secrets.token_hex(4)}"


def _readable(watched: Watched) -> RouteFile:
    """Return the file's content.

    Raises:
        ConfigurationError: it cannot be read or does not parse.
    """
    if watched.file is None:
        raise watched.problem or ConfigurationError(())
    return watched.file
