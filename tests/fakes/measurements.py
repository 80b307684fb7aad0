"""A source of counters in memory that passes the contract of ``Measurements``, with faults to order."""

from collections import defaultdict
from collections.abc import Mapping

from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.ports import Ask

TOTAL = "total"


class FakeMeasurements:
    """``Measurements`` of what a test counted.

    ``count`` keeps a sample; ``queries`` are the numbers that expressions give (text: why there is none);
    ``error`` is raised from every ask as long as it is set; ``asks`` are all that came. ``unlabelled`` has the backends
    that no series is labelled with, with those labels.
    """

    def __init__(self, *, replays: bool = True) -> None:
        self.queries: dict[str, float | str] = {}
        self.error: Exception | None = None
        self.asks: list[Ask] = []
        self.unlabelled: dict[str, str] = {}
        self._replays = replays
        self._samples: defaultdict[tuple[str, str, str, str], list[tuple[float, float]]] = defaultdict(list)

    @property
    def replays(self) -> bool:
        """Return whether past samples can be asked for again, as the test said."""
        return self._replays

    def count(self, backend: str, kind: str, at: float, value: float, *, instance: str = "i", pod: str = "") -> None:
        """Keep a sample of a counter; ``kind`` is ``TOTAL`` or a count id of bad requests."""
        self._samples[backend, kind, instance, pod].append((at, value))

    async def measure(self, ask: Ask) -> Batch:
        """Return the samples from ``ask.since`` on, and one before."""
        self.asks.append(ask)
        if self.error is not None:
            raise self.error
        kinds = [*([ERRORS] if ask.errors else []), *map(slower_than, ask.bounds)]
        counters = {
            (backend.name, kind): Family(
                self._series(backend.name, TOTAL, ask.since), self._series(backend.name, kind, ask.since)
            )
            for backend in (ask.canary, ask.stable)
            for kind in kinds
        }
        answers = {name: self.queries.get(query, "the answer is empty") for name, query in ask.queries}
        values = {name: answer for name, answer in answers.items() if isinstance(answer, float)}
        problems = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
        return Batch(counters, values, problems, self.unlabelled)

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:
        """Return something to keep when past samples cannot be asked for again."""
        return {} if self._replays else {"since": ask.since}

    def _series(self, backend: str, kind: str, since: float) -> tuple[Series, ...]:
        return tuple(
            Series(f"{backend} {kind} {instance} {pod}", instance, pod, _from(samples, since))
            for (owner, of_kind, instance, pod), samples in self._samples.items()
            if (owner, of_kind) == (backend, kind)
        )


def _from(samples: list[tuple[float, float]], since: float) -> tuple[tuple[float, float], ...]:
    before = sum(at < since for at, _ in samples)
    return tuple(samples[max(0, before - 1) :])
