"""What a measurement source hands over: raw counter samples, never rates.

Made by the adapters of Prometheus and of Envoy's admin endpoint, read by
``rollout.analysis.counters``, which alone turns samples into differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ERRORS = "errors"
"""The count id of failed requests."""


def slower_than(bound_seconds: float) -> str:
    """Return the count id of the requests slower than ``bound_seconds``."""
    return f"slow>{bound_seconds:g}s"


@dataclass(frozen=True, slots=True)
class Series:
    """One raw counter: who it is, which scraped target carries it, and its samples in order of time.

    ``pod`` is empty where the source cannot tell the pods of a backend apart. A sample is
    (Unix time in seconds, value); NaN and stale markers are not samples. ``way`` tells the ways of
    counting bad requests apart: what two ways count may be the same requests, so of several ways
    the one that counted most is taken (Envoy tells of a refused gRPC call as a 5xx and as a code 14).
    """

    identity: str
    instance: str
    pod: str
    samples: tuple[tuple[float, float], ...]
    way: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """All requests of one backend, and those of them that matter.

    ``part`` are the bad requests, or, where ``part_is_good`` is set (histograms), the requests
    within the bound, so that bad is the difference.
    """

    total: tuple[Series, ...]
    part: tuple[Series, ...]
    part_is_good: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """The answer to one look: counters by (backend name, count id), and numbers of queries by check name.

    A query without a usable answer is absent from ``queries``; its reason stands in ``problems``
    (check name or count id -> one sentence). ``unlabelled`` has the backends that no series at all is labelled
    with, with those labels in one phrase; a source that cannot know leaves it empty.
    """

    counters: Mapping[tuple[str, str], Family] = field(default_factory=dict)
    queries: Mapping[str, float] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    unlabelled: Mapping[str, str] = field(default_factory=dict)
