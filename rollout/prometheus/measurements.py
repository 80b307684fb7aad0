"""The port ``Measurements`` on Prometheus: raw samples, never rates, one query for many Rollouts.

Asks that come within a few milliseconds of each other and share their metric templates are put
together: one query for each counter, over all their backends. Past samples can be asked for again,
so nothing has to be kept.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.engine.observation import BackendKey
from rollout.errors import PermanentError, RolloutError, Unavailable
from rollout.ports import Ask, Clock
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.selectors import Identity, groups, identity, narrowed, owner
from rollout.spec.metrics import MetricTemplates

TOGETHER_SECONDS = 0.005
LONGEST_WINDOW_SECONDS = 3600
LOOKBACK_SECONDS = 60
"""How far before the first wanted sample a series' last one is looked for."""

Found = Mapping[tuple[str, Identity], tuple[Series, ...]]
"""Series by (selector, backend)."""


@dataclass(slots=True)
class _Waiting:
    ask: Ask
    answer: asyncio.Future[Batch]


class PrometheusMeasurements:
    """Counters of one Prometheus."""

    def __init__(self, client: PrometheusClient, clock: Clock) -> None:
        """Ask ``client``, for samples up to ``clock``'s now."""
        self._client = client
        self._clock = clock
        self._waiting: defaultdict[str, list[_Waiting]] = defaultdict(list)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def replays(self) -> bool:
        """Return True: past samples can be asked for again."""
        return True

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:  # noqa: ARG002 - the Protocol asks for it
        """Return nothing: there is nothing to keep."""
        return {}

    async def measure(self, ask: Ask) -> Batch:
        """Return raw samples of both backends, and the values of the queries.

        Raises:
            Unavailable, SourceTimeout, PermanentError: as the client says.
        """
        if ask.templates is None:
            raise PermanentError("the policy has no metric templates, so Prometheus cannot be asked for counters")
        waiting = _Waiting(ask, asyncio.get_running_loop().create_future())
        together = self._waiting[ask.templates.model_dump_json()]
        together.append(waiting)
        if len(together) == 1:
            task = asyncio.create_task(self._answer_together(ask.templates))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        counted = await waiting.answer
        values, problems = await self._queries(ask)
        return Batch(counted.counters, values, {**counted.problems, **problems})

    async def _answer_together(self, templates: MetricTemplates) -> None:
        await asyncio.sleep(TOGETHER_SECONDS)
        waiting = self._waiting.pop(templates.model_dump_json())
        try:
            found = await self._counters(templates, [one.ask for one in waiting])
        except RolloutError as error:
            for one in waiting:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        for one in waiting:
            if not one.answer.done():
                one.answer.set_result(_batch(templates, one.ask, found))

    async def _counters(self, templates: MetricTemplates, asks: Sequence[Ask]) -> Found:
        now = self._clock.now()
        since = min(ask.since for ask in asks)
        window = min(LONGEST_WINDOW_SECONDS, math.ceil(now - since) + LOOKBACK_SECONDS)
        wanted = list(
            dict.fromkeys(identity(templates, _values(ask, b)) for ask in asks for b in (ask.canary, ask.stable))
        )
        labels = list(templates.backend_labels)
        selectors = _selectors(templates, asks)
        queries = [(s, f"{narrowed(s, labels, group)}[{window}s]") for s in selectors for group in groups(wanted)]
        answers = await asyncio.gather(*(self._client.query(query, at=now) for _, query in queries))
        found: defaultdict[tuple[str, Identity], list[Series]] = defaultdict(list)
        for (selector, _), answer in zip(queries, answers, strict=True):
            for labels_found, series in _read(templates, answer):
                found[selector, owner(templates, labels_found)].append(series)
        return {key: tuple(series) for key, series in found.items()}

    async def _queries(self, ask: Ask) -> tuple[dict[str, float], dict[str, str]]:
        values: dict[str, float] = {}
        problems: dict[str, str] = {}
        answers = await asyncio.gather(*(self._client.query(query, at=self._clock.now()) for _, query in ask.queries))
        for (name, _), answer in zip(ask.queries, answers, strict=True):
            value = _number(answer)
            if isinstance(value, str):
                problems[name] = value
            else:
                values[name] = value
        return values, problems


def _selectors(templates: MetricTemplates, asks: Iterable[Ask]) -> list[str]:
    found: list[str] = []
    if templates.errors is not None and any(ask.errors for ask in asks):
        found += [templates.errors.total, *templates.errors.bad]
    if templates.latency is not None and any(ask.bounds for ask in asks):
        found.append(templates.latency.buckets)
    return list(dict.fromkeys(found))


def _values(ask: Ask, backend: BackendKey) -> dict[str, str]:
    return {
        "namespace": backend.namespace,
        "route.name": ask.route,
        "backend.name": backend.name,
        "backend.port": str(backend.port or ""),
    }


def _read(templates: MetricTemplates, answer: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, str], Series]]:
    try:
        labelled = [(_labels(result), result) for result in answer]
        return [(labels, _series(templates, labels, result)) for labels, result in labelled]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable("the answer of Prometheus is not one of its API") from error


def _labels(result: Mapping[str, Any]) -> dict[str, str]:
    metric = result.get("metric", {})
    return {str(name): str(value) for name, value in metric.items()}


def _series(templates: MetricTemplates, labels: Mapping[str, str], result: Mapping[str, Any]) -> Series:
    samples = [(float(at), float(value)) for at, value in result.get("values", [])]
    return Series(
        identity=",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        instance="/".join(labels.get(name, "") for name in templates.instance_labels),
        pod=labels.get(templates.pod_label, "") if templates.pod_label else "",
        samples=tuple((at, value) for at, value in samples if math.isfinite(value)),
    )


def _batch(templates: MetricTemplates, ask: Ask, found: Found) -> Batch:
    counters: dict[tuple[str, str], Family] = {}
    problems: dict[str, str] = {}
    for backend in (ask.canary, ask.stable):
        who = identity(templates, _values(ask, backend))
        if ask.errors and templates.errors is not None:
            bad = tuple(series for selector in templates.errors.bad for series in found.get((selector, who), ()))
            counters[backend.name, ERRORS] = Family(found.get((templates.errors.total, who), ()), bad)
        buckets = found.get((templates.latency.buckets, who), ()) if templates.latency is not None else ()
        for bound in ask.bounds:
            family, problem = _slower(templates, buckets, bound)
            counters[backend.name, slower_than(bound)] = family
            if problem:
                problems[slower_than(bound)] = problem
    return Batch(counters, {}, problems)


def _slower(templates: MetricTemplates, buckets: Sequence[Series], bound_seconds: float) -> tuple[Family, str]:
    units = bound_seconds * (templates.latency.units_per_second if templates.latency is not None else 1.0)
    by_le = defaultdict(list)
    for series in buckets:
        by_le[_le(series.identity)].append(series)
    inside = [series for le, found in by_le.items() if math.isclose(le, units, rel_tol=1e-9) for series in found]
    if buckets and not inside:
        known = ", ".join(f"{le:g}" for le in sorted(by_le) if math.isfinite(le))
        return Family((), ()), f"the histogram has no bucket at {units:g}; it has {known}"
    return Family(tuple(by_le.get(math.inf, [])), tuple(inside), part_is_good=True), ""


def _le(series_identity: str) -> float:
    for part in series_identity.split(","):
        if part.startswith("le="):
            return float(part.removeprefix("le="))
    return math.nan


def _number(answer: Sequence[Any]) -> float | str:
    try:
        return _one_number(answer)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise Unavailable("the answer of Prometheus is not one of its API") from error


def _one_number(answer: Sequence[Any]) -> float | str:
    if len(answer) == 2 and isinstance(answer[1], str):  # noqa: PLR2004 - a scalar is [time, value]
        value = float(answer[1])
    elif not answer:
        return "the answer is empty"
    elif len(answer) > 1:
        return f"the answer has {len(answer)} series where one is needed"
    else:
        value = float(answer[0]["value"][1])
    return value if math.isfinite(value) else "the answer is NaN or infinite"
