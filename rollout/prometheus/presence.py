"""Does any series at all have the labels of a backend? Asked where none of its counters has come. Pure.

A gateway makes most counters of a backend with its cluster, and some of them with its first request only: a backend
that nobody has asked anything yet has series, and one that the gateway does not count by itself has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from rollout.analysis.samples import Batch
from rollout.engine.observation import BackendKey
from rollout.ports import Ask
from rollout.prometheus.questions import values_of
from rollout.prometheus.selectors import Identity, groups, identity, narrowed
from rollout.spec.metrics import MetricTemplates

MOST_CHARACTERS = 200
"""What is told of a backend's labels."""


def silent(templates: MetricTemplates, asks: Iterable[Ask], batches: Iterable[Batch]) -> list[Identity]:
    """Return the backends of attempts of which no counter has come, each once."""
    found = {
        identity(templates, values_of(ask, backend)): None
        for ask, batch in zip(asks, batches, strict=True)
        for backend in _silent(ask, batch)
    }
    return list(found)


def _silent(ask: Ask, batch: Batch) -> list[BackendKey]:
    if ask.apart:
        return []
    came = {name for (name, _), family in batch.counters.items() if family.total or family.part}
    return [backend for backend in (ask.canary, ask.stable) if backend.name not in came]


def expressions(labels: Sequence[str], identities: Iterable[Identity]) -> Iterator[str]:
    """Yield the queries that tell which of these backends have any series, each short enough for a URL."""
    for group in groups(identities):
        yield f"group by ({','.join(labels)}) ({narrowed('', labels, group)})"


def with_unlabelled(templates: MetricTemplates, ask: Ask, batch: Batch, *, absent: Collection[Identity]) -> Batch:
    """Return the batch that tells which of its silent backends are ``absent``, and by which labels."""
    told = {
        backend.name: _told(templates, who)
        for backend in _silent(ask, batch)
        if (who := identity(templates, values_of(ask, backend))) in absent
    }
    return replace(batch, unlabelled=told) if told else batch


def _told(templates: MetricTemplates, who: Identity) -> str:
    text = ", ".join(f"{label}={value}" for label, value in zip(templates.backend_labels, who, strict=True))
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 3]}..."
