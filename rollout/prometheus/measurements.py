"""The port ``Measurements`` on Prometheus: raw samples, never rates, one query for many Rollouts.

Asks that come within a few milliseconds of each other, share their metric templates and reach back
about as far are put together: one query for each counter, over all their backends. Whether those of which nothing
came are there at all is asked beside that. Past samples can be asked for again, so nothing has to be kept.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from rollout.analysis.samples import Batch
from rollout.errors import PermanentError, RolloutError
from rollout.ports import Ask, Clock
from rollout.prometheus.answers import Raw, number_in, series_in
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.presence import silent, with_unlabelled
from rollout.prometheus.questions import Found, batch_of, lacks_buckets, questions, sort_by_owner
from rollout.prometheus.rollcall import RollCall
from rollout.spec.metrics import MetricTemplates

TOGETHER_SECONDS = 0.005
"""How long an ask waits for others to come along."""

LONGEST_WINDOW_SECONDS = 3600

FIRST_LOOKBACK_SECONDS = 120.0
"""How far before the first wanted sample a series' last one is looked for, as long as nothing is known of it."""

SHORTEST_LOOKBACK_SECONDS, LONGEST_LOOKBACK_SECONDS = 15.0, 300.0
LOOKBACK_GAPS = 3
"""Later: so many times the longest gap between two samples that was seen last."""


@dataclass(slots=True)
class _Learned:
    """What is known of the series behind one policy's templates."""

    lookback_seconds: float = FIRST_LOOKBACK_SECONDS
    all_buckets: bool = False


@dataclass(slots=True)
class _Together:
    """Asks that are put together, and what each waits for."""

    asks: list[Ask] = field(default_factory=list)
    answers: list[asyncio.Future[Batch]] = field(default_factory=list)


class PrometheusMeasurements:
    """Counters of one Prometheus."""

    def __init__(self, client: PrometheusClient, clock: Clock) -> None:
        """Ask ``client``, for samples up to ``clock``'s now."""
        self._client = client
        self._clock = clock
        self._roll_call = RollCall(client, clock)
        self._waiting: dict[tuple[str, int], _Together] = {}
        self._learned: dict[str, _Learned] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def aclose(self) -> None:
        """Ask no more after labels; the client is its owner's to close."""
        await self._roll_call.aclose()

    @property
    def replays(self) -> bool:
        """Return True: past samples can be asked for again."""
        return True

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:  # noqa: ARG002 - the Protocol asks for it
        """Return nothing: there is nothing to keep."""
        return {}

    async def measure(self, ask: Ask) -> Batch:
        """Return raw samples of both backends, and the values of the queries.

        A query that fails by itself is a problem of its check only, unless there was nothing else to ask.

        Raises:
            Unavailable, SourceTimeout, PermanentError: as the client says.
        """
        counts = ask.errors or bool(ask.bounds)
        if not counts:
            return await self._queries(ask, raise_all=True)
        if ask.templates is None:
            raise PermanentError("the policy has no metric templates, so Prometheus cannot be asked for counters")
        counted, valued = await asyncio.gather(
            self._counted(ask, ask.templates), self._queries(ask, raise_all=False), return_exceptions=True
        )
        if isinstance(counted, BaseException):
            raise counted
        if isinstance(valued, BaseException):
            raise valued
        return replace(counted, queries=valued.queries, problems={**counted.problems, **valued.problems})

    async def _counted(self, ask: Ask, templates: MetricTemplates) -> Batch:
        name = templates.model_dump_json()
        reach = math.ceil(math.log2(max(30.0, self._clock.now() - ask.since)))
        together = self._waiting.get((name, reach))
        if together is None:
            together = self._waiting[name, reach] = _Together()
            task = asyncio.create_task(self._answer_together(templates, name, reach))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        answer: asyncio.Future[Batch] = asyncio.get_running_loop().create_future()
        together.asks.append(ask)
        together.answers.append(answer)
        return await answer

    async def _answer_together(self, templates: MetricTemplates, name: str, reach: int) -> None:
        await asyncio.sleep(TOGETHER_SECONDS)
        together = self._waiting.pop((name, reach))
        # Whatever goes wrong, all who wait must hear of it.
        (result,) = await asyncio.gather(self._batches(templates, name, together.asks), return_exceptions=True)
        for place, answer in enumerate(together.answers):
            if answer.done():
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result[place])

    async def _batches(self, templates: MetricTemplates, name: str, asks: Sequence[Ask]) -> list[Batch]:
        learned = self._learned.setdefault(name, _Learned())
        found = await self._found(templates, asks, learned)
        batches = [batch_of(templates, ask, found) for ask in asks]
        if not learned.all_buckets and any(map(lacks_buckets, batches)):
            # Written in a way that was not thought of, or not there: only all buckets can tell which are.
            learned.all_buckets = True
            found = await self._found(templates, asks, learned)
            batches = [batch_of(templates, ask, found) for ask in asks]
        missed = silent(templates, asks, batches)
        absent = self._roll_call.absent(tuple(templates.backend_labels), missed)
        return [with_unlabelled(templates, ask, batch, absent=absent) for ask, batch in zip(asks, batches, strict=True)]

    async def _found(self, templates: MetricTemplates, asks: Sequence[Ask], learned: _Learned) -> Found:
        now, labels = self._clock.now(), list(templates.backend_labels)
        wanted = now - min(ask.since for ask in asks) + learned.lookback_seconds
        window = min(LONGEST_WINDOW_SECONDS, math.ceil(wanted))
        queries = [
            (question.selector, expression)
            for question in questions(templates, asks, all_buckets=learned.all_buckets)
            for expression in question.expressions(labels, window)
        ]
        answers = await asyncio.gather(*(self._client.query(query, at=now, read=series_in) for _, query in queries))
        learned.lookback_seconds = _lookback(answers, learned.lookback_seconds)
        return sort_by_owner(labels, zip((selector for selector, _ in queries), answers, strict=True))

    async def _queries(self, ask: Ask, *, raise_all: bool) -> Batch:
        now = self._clock.now()
        tries = (self._client.query(query, at=now, read=number_in) for _, query in ask.queries)
        answers = await asyncio.gather(*tries, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        for error in failed:
            if not isinstance(error, RolloutError) or (raise_all and len(failed) == len(answers)):
                raise error
        named = list(zip((name for name, _ in ask.queries), answers, strict=True))
        values = {name: answer for name, answer in named if isinstance(answer, float)}
        problems = {name: str(answer) for name, answer in named if not isinstance(answer, float)}
        return Batch({}, values, problems)


def _lookback(answers: Sequence[Sequence[Raw]], before: float) -> float:
    """Return how far to look back, from the longest gap between two samples of a series."""
    series = (raw.samples for answer in answers for raw in answer)
    gaps = (later[0] - sooner[0] for samples in series for sooner, later in pairwise(samples))
    longest = max(gaps, default=None)
    if longest is None:
        return before
    return min(LONGEST_LOOKBACK_SECONDS, max(SHORTEST_LOOKBACK_SECONDS, LOOKBACK_GAPS * longest))
