"""The metrics signal of failover: how many requests a backend had in its window, and how many of them were bad.

From the same counters as analysis, and through the same port: questions of many backends that are asked together become
one query where the source can do that. Asked at failover's own pace, whether an attempt is under way or not. Nothing is
judged here: an answer that is none is one clause, and the reading that is made of it is Unknown. Where it is the source
that failed, and not the backend that had no requests, that is told apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from rollout.analysis.samples import ERRORS
from rollout.analysis.window import counted
from rollout.engine.observation import BackendKey
from rollout.errors import RolloutError
from rollout.failover.readings import RequestsSeen
from rollout.ports import Ask, Measurements
from rollout.spec.metrics import MetricTemplates

LONGEST_WINDOW_SECONDS = 3000.0
"""A longer window is looked at in part only: sources keep an hour at hand, and one sample before the window counts."""


@dataclass(frozen=True, slots=True)
class RequestsAsk:
    """Whose requests are counted, by which templates of its policy, and over how many seconds up to now."""

    namespace: str
    route: str
    backend: BackendKey
    templates: MetricTemplates | None = field(hash=False)
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """Requests that could not be asked for; ``why`` is one clause."""

    why: str


async def count_requests(
    source: Measurements, asks: Sequence[RequestsAsk], *, now: float
) -> tuple[RequestsSeen | str | Failed, ...]:
    """Return the requests of each ask, its window ending at ``now`` (Unix seconds), or why they are not known.

    That is a clause where there is nothing to count, ``Failed`` where the source did not answer.

    All are asked at once, so that one query may answer them; what fails for one is told of that one.
    """
    return tuple(await asyncio.gather(*(_count(source, ask, now) for ask in asks)))


async def _count(source: Measurements, ask: RequestsAsk, now: float) -> RequestsSeen | str | Failed:
    since = now - min(ask.window_seconds, LONGEST_WINDOW_SECONDS)
    question = Ask(
        namespace=ask.namespace,
        route=ask.route,
        canary=ask.backend,
        stable=ask.backend,
        templates=ask.templates,
        errors=True,
        bounds=(),
        queries=(),
        since=since,
        apart=True,
    )
    try:
        batch = await source.measure(question)
    except RolloutError as error:
        return Failed(str(error))
    family = batch.counters.get((ask.backend.name, ERRORS))
    if family is None:
        return Failed(batch.problems.get(ERRORS, "its requests are not counted"))
    # A source that looks when it is asked has samples that are newer than the question.
    found = counted(family, since=since, until=inf)
    if found is None:
        return f"no sample of the last {now - since:.0f} s"
    return RequestsSeen(found.total, found.bad, found.at)
