"""The metrics source of a rehearsal: answers, or fails to, as a Prometheus would.

Implements ``Measurements`` over the samples of the simulated world.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import assert_never

from rollout.analysis.samples import ERRORS, Batch, slower_than
from rollout.errors import SourceTimeout, Unavailable
from rollout.ports import Ask
from rollout.rehearsal.samples import Samples
from rollout.rehearsal.scenario import Source

PATIENCE_SECONDS = 5.0
"""How long a slow source is waited for."""


class SimulatedSource:
    """``Measurements`` over simulated samples; ``mode`` says how it does, ``queries`` what numbers it knows."""

    def __init__(self, samples: Samples, catch_up: Callable[[], None], queries: Mapping[str, float]) -> None:
        self.mode = Source.UP
        self.queries = dict(queries)
        self._samples = samples
        self._catch_up = catch_up
        self._until = inf

    def freeze(self, now: float) -> None:
        """Show no sample that is newer than ``now`` (Unix seconds)."""
        self._until = min(self._until, now)

    def thaw(self) -> None:
        """Show all samples again."""
        self._until = inf

    @property
    def replays(self) -> bool:
        """Return true: an hour of samples can be asked for again."""
        return True

    @property
    def scraping(self) -> bool:
        """Return whether samples are being kept: a source that is down, or sees only NaN, keeps none."""
        return self.mode in {Source.UP, Source.SLOW}

    async def measure(self, ask: Ask) -> Batch:
        """Return the samples asked for.

        Raises:
            Unavailable: the source is down.
            SourceTimeout: it is slow.
        """
        match self.mode:
            case Source.DOWN:
                raise Unavailable("Prometheus refuses connections")
            case Source.SLOW:
                await asyncio.sleep(PATIENCE_SECONDS)
                raise SourceTimeout(f"Prometheus did not answer within {PATIENCE_SECONDS:g} s")
            case Source.EMPTY:
                return Batch(problems={name: "the answer is empty" for name, _ in ask.queries})
            case Source.NAN | Source.UP:
                return self._answer(ask)
            case _ as never:
                assert_never(never)

    def _answer(self, ask: Ask) -> Batch:
        self._catch_up()
        counts = [*([ERRORS] if ask.errors else []), *(slower_than(bound) for bound in ask.bounds)]
        pair = (ask.canary.name, ask.stable.name)
        seen = partial(self._samples.family, since=ask.since, until=self._until)
        counters = {(name, count): seen(name, count) for name in pair for count in counts}
        known = {name: self._value(name) for name, _ in ask.queries}
        queries = {name: value for name, value in known.items() if not math.isnan(value)}
        problems = {name: "the answer is NaN" for name, value in known.items() if math.isnan(value)}
        return Batch(counters, queries, problems)

    def _value(self, query: str) -> float:
        return math.nan if self.mode is Source.NAN else self.queries.get(query, math.nan)

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:  # noqa: ARG002 - the Protocol asks for it
        """Return nothing: samples can be asked for again."""
        return {}
