"""How a backend behaves in a rehearsal, as the file says it: endpoints, errors, latency, probe answers.

Values only; ``rollout.rehearsal.traffic`` turns them into requests and ``rollout.rehearsal.health`` into
endpoints.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from rollout.spec.base import Model
from rollout.spec.quantities import FRACTION_ALLOWED, PositiveDuration, Whole, format_fraction, parse_fraction

MOST_PODS = 1000
READY_ALLOWED = f"ready endpoints out of all, such as 4/4, 0/4 or 0/0, at most {MOST_PODS}"
PROBE_ALLOWED = "ok, fail, refused, timeout, unreachable, or an HTTP status from 200 to 599"

_READY = re.compile(r"([0-9]{1,4})/([0-9]{1,4})")
_PROBES = ("ok", "fail", "refused", "timeout", "unreachable")


def parse_ready(value: object) -> tuple[int, int]:
    """Return (ready, all) of ``4/4``.

    Raises:
        ValueError: the value is not such a string, or more are ready than there are.
    """
    match = _READY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be two numbers with a slash between them")
    ready, total = int(match[1]), int(match[2])
    if ready > total or total > MOST_PODS:
        raise ValueError("has more ready endpoints than there are" if ready > total else "has too many endpoints")
    return ready, total


def parse_share(value: object) -> float:
    """Return the fraction of a percentage; a bare 0 is one too.

    Raises:
        ValueError: it is not a percentage.
    """
    is_zero = isinstance(value, int) and not isinstance(value, bool) and value == 0
    return 0.0 if is_zero else parse_fraction(value)


def parse_probe(value: object) -> str:
    """Return what a probe meets.

    Raises:
        ValueError: there is no such answer.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and (text in _PROBES or re.fullmatch(r"[2-5][0-9]{2}", text)):
        return text
    raise ValueError("is not an answer that a probe can meet")


Ready = Annotated[
    tuple[int, int],
    BeforeValidator(parse_ready),
    PlainSerializer(lambda ready: f"{ready[0]}/{ready[1]}", return_type=str),
    WithJsonSchema({"type": "string", "allowed": READY_ALLOWED}),
]
"""(ready endpoints, all endpoints), written ``4/4``."""

Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(format_fraction, return_type=str),
    WithJsonSchema({"type": "string", "allowed": FRACTION_ALLOWED}),
]
"""A fraction from 0 to 1, written as a percentage."""

Probe = Annotated[
    str, BeforeValidator(parse_probe), WithJsonSchema({"type": ["string", "integer"], "allowed": PROBE_ALLOWED})
]
"""What an active probe of a target meets."""


class PodErrors(StrEnum):
    """Whether errors fall on all pods alike, or come ten at a time on one pod."""

    EVEN = "even"
    BURSTS = "bursts"


class Latency(Model):
    """A lognormal latency through two percentiles."""

    p50: PositiveDuration = 0.04
    """The median."""
    p99: PositiveDuration = 0.32
    """The 99th percentile, at least the median."""


class LatencyChange(Model):
    """A change of a latency; what is absent stays."""

    p50: PositiveDuration | None = None
    """The median."""
    p99: PositiveDuration | None = None
    """The 99th percentile."""


class Backend(Model):
    """One backend: what answers its requests, and how."""

    ready: Ready = (1, 1)
    """Ready endpoints out of all."""
    errors: Share = 0.0
    """The chance of a request to fail."""
    latency: Latency = Latency()
    """How long answers take."""
    probe: Probe = "ok"
    """What an active probe of each target meets, whether the target is ready or not."""
    pod_errors: PodErrors = PodErrors.EVEN
    """Whether errors are spread over the pods or clumped."""
    foreign_weight: Annotated[Whole, Field(ge=0, le=1_000_000)] | None = None
    """The weight that the routes give this backend, which the Rollout does not own."""


class BackendChange(Model):
    """A change of a backend; what is absent stays."""

    ready: Ready | None = None
    """Ready endpoints out of all."""
    errors: Share | None = None
    """The chance of a request to fail."""
    latency: LatencyChange | None = None
    """How long answers take."""
    probe: Probe | None = None
    """What an active probe of each target meets."""
    pod_errors: PodErrors | None = None
    """Whether errors are spread over the pods or clumped."""

    def applied_to(self, backend: Backend) -> Backend:
        """Return ``backend`` with this change made."""
        changed: dict[str, object] = {name: getattr(self, name) for name in _PLAIN if getattr(self, name) is not None}
        if self.latency is not None:
            p50, p99 = self.latency.p50 or backend.latency.p50, self.latency.p99 or backend.latency.p99
            changed["latency"] = Latency.model_construct(p50=p50, p99=p99)
        return backend.model_copy(update=changed)


_PLAIN = ("ready", "errors", "probe", "pod_errors")
