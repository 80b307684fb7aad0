"""What several asks with the same templates want to know together, and which part of the answer is whose. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.engine.observation import BackendKey
from rollout.ports import Ask
from rollout.prometheus.answers import Raw
from rollout.prometheus.selectors import Identity, groups, identity, le_matcher, narrowed, owner
from rollout.spec.metrics import MetricTemplates
from rollout.spec.placeholders import fill

Found = Mapping[tuple[str, Identity], Sequence[Raw]]
"""Series by (selector with placeholders filled in, backend)."""


@dataclass(slots=True)
class Question:
    """One selector, the backends that it is asked for, and the buckets (in the histogram's unit; empty: all)."""

    selector: str
    identities: dict[Identity, None] = field(default_factory=dict)
    buckets: dict[float, None] = field(default_factory=dict)

    def expressions(self, labels: Sequence[str], window_seconds: int) -> Iterator[str]:
        """Yield the queries for the raw samples of the window, each short enough for a URL."""
        more = (le_matcher(self.buckets),) if self.buckets else ()
        for group in groups(self.identities):
            yield f"{narrowed(self.selector, labels, group, *more)}[{window_seconds}s]"


def questions(templates: MetricTemplates, asks: Iterable[Ask], *, all_buckets: bool) -> list[Question]:
    """Return what is to be asked for all ``asks``, each selector once."""
    found: dict[str, Question] = {}
    for ask in asks:
        for backend in (ask.canary, ask.stable):
            values = values_of(ask, backend)
            who = identity(templates, values)
            for selector in _selectors(templates, ask):
                filled = fill(selector, values)
                found.setdefault(filled, Question(filled)).identities[who] = None
            if templates.latency is not None and ask.bounds and not all_buckets:
                buckets = found[fill(templates.latency.buckets, values)].buckets
                buckets.update(dict.fromkeys(_units(templates, bound) for bound in ask.bounds))
    return list(found.values())


def _selectors(templates: MetricTemplates, ask: Ask) -> Iterator[str]:
    if templates.errors is not None and ask.errors:
        yield from (templates.errors.total, *templates.errors.bad)
    if templates.latency is not None and ask.bounds:
        yield templates.latency.buckets


def values_of(ask: Ask, backend: BackendKey) -> dict[str, str]:
    """Return what the placeholders stand for."""
    return {
        "namespace": backend.namespace,
        "route.name": ask.route,
        "backend.name": backend.name,
        "backend.port": str(backend.port or ""),
    }


def sort_by_owner(
    labels: Sequence[str], answers: Iterable[tuple[str, Sequence[Raw]]]
) -> dict[tuple[str, Identity], list[Raw]]:
    """Return the series of ``answers`` (selector, series) by selector and backend."""
    found: defaultdict[tuple[str, Identity], list[Raw]] = defaultdict(list)
    for selector, answer in answers:
        for raw in answer:
            found[selector, owner(labels, raw.labels)].append(raw)
    return dict(found)


def batch_of(templates: MetricTemplates, ask: Ask, found: Found) -> Batch:
    """Return the part of the answer that is for ``ask``."""
    counters: dict[tuple[str, str], Family] = {}
    problems: dict[str, str] = {}
    for backend in (ask.canary, ask.stable):
        values = values_of(ask, backend)
        who = identity(templates, values)
        if ask.errors and templates.errors is not None:
            total = found.get((fill(templates.errors.total, values), who), ())
            ways = [found.get((fill(selector, values), who), ()) for selector in templates.errors.bad]
            bad = (series for way, raw in enumerate(ways) for series in _series(templates, raw, way=way))
            counters[backend.name, ERRORS] = Family(_series(templates, total), tuple(bad))
        for bound in ask.bounds if templates.latency is not None else ():
            buckets = found.get((fill(templates.latency.buckets, values), who), ()) if templates.latency else ()
            family, problem = _slower(templates, buckets, bound)
            counters[backend.name, slower_than(bound)] = family
            if problem:
                problems[slower_than(bound)] = problem
    return Batch(counters, {}, problems)


def lacks_buckets(batch: Batch) -> bool:
    """Return whether a histogram was found without the bucket that was wanted."""
    return bool(batch.problems)


def _series(templates: MetricTemplates, many: Iterable[Raw], *, way: int = 0) -> tuple[Series, ...]:
    return tuple(
        Series(
            identity=",".join(f"{name}={value}" for name, value in sorted(raw.labels.items())),
            instance="/".join(raw.labels.get(name, "") for name in templates.instance_labels),
            pod=raw.labels.get(templates.pod_label, "") if templates.pod_label else "",
            samples=raw.samples,
            way=way,
        )
        for raw in many
    )


def _units(templates: MetricTemplates, bound_seconds: float) -> float:
    return bound_seconds * (templates.latency.units_per_second if templates.latency is not None else 1.0)


def _slower(templates: MetricTemplates, buckets: Sequence[Raw], bound_seconds: float) -> tuple[Family, str]:
    units = _units(templates, bound_seconds)
    by_le: defaultdict[float, list[Raw]] = defaultdict(list)
    for raw in buckets:
        by_le[_le(raw)].append(raw)
    inside = [raw for le, found in by_le.items() if math.isclose(le, units, rel_tol=1e-9) for raw in found]
    if buckets and not inside:
        known = ", ".join(f"{le:g}" for le in sorted(by_le) if math.isfinite(le))
        return Family((), (), part_is_good=True), f"the histogram has no bucket at {units:g}; it has {known or 'none'}"
    total = _series(templates, by_le.get(math.inf, ()))
    return Family(total, _series(templates, inside), part_is_good=True), ""


def _le(raw: Raw) -> float:
    try:
        return float(raw.labels.get("le", "nan"))
    except ValueError:
        return math.nan
