"""What is looked at to judge a canary: checks, the objective, and how sure the judge must be."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.spec.base import Model, Name, PromQL
from rollout.spec.quantities import Duration, Flag, Number, PositiveDuration, SureFraction, Whole


class Judge(StrEnum):
    """How counters become a verdict."""

    EVIDENCE = "Evidence"
    THRESHOLD = "Threshold"


class OnNoDataThen(StrEnum):
    """What is done when no data has come for too long."""

    HOLD = "Hold"
    ABORT = "Abort"


class Tolerance(Model):
    """How much worse than stable the canary may be: ``ratio`` times stable's share plus ``points``.

    ``points`` are percentage points (0.02 is 0.0002 of all requests). Absent values take the
    default of the check's kind.
    """

    ratio: Annotated[Number, Field(ge=1, le=100)] | None = None
    """Times stable's share of bad requests."""
    points: Annotated[Number, Field(ge=0, le=100)] | None = None
    """Percentage points on top: 0.02 is 2 in 10,000 requests."""


class ThresholdRule(Model):
    """Fields that all checks share: limits on a value, used by the Threshold judge and by queries.

    ``fail_above`` and ``fail_below`` are limits of the measured value (for ``Errors`` and
    ``SlowerThan``: the canary's bad share in percent); ``failures`` is how many looks in a row
    must break the limit.
    """

    name: Name
    """The name in messages and status, unique among the checks."""
    judge: Judge | None = None
    """How this check is judged; absent: as the analysis says (a Query is always a threshold)."""
    fail_above: Number | None = None
    """Values above break the threshold; for Errors and SlowerThan the canary's bad share in percent."""
    fail_below: Number | None = None
    """Values below break the threshold."""
    failures: Annotated[Whole, Field(ge=1, le=1000)] = 1
    """Looks in a row that must break the threshold."""
    dry_run: Flag = False
    """Whether it is only looked at and never decides."""


class ErrorsCheck(ThresholdRule):
    """Compares the share of failed requests: HTTP 5xx and the gRPC codes that mean a fault of the server."""

    kind: Literal["Errors"]
    """The share of failed requests."""
    tolerance: Tolerance = Tolerance()
    """How much worse than stable is tolerated; default 1.2 times and 0.02 points."""


class SlowerThanCheck(ThresholdRule):
    """Compares the share of requests slower than each of ``bounds``."""

    kind: Literal["SlowerThan"]
    """The share of slow requests."""
    tolerance: Tolerance = Tolerance()
    """How much worse than stable is tolerated; default 1.2 times and 0.1 points."""
    bounds: Annotated[tuple[PositiveDuration, ...], Field(min_length=1, max_length=5)]
    """Slower than this counts; each bound for itself."""


class QueryCheck(ThresholdRule):
    """Compares the number that a PromQL expression gives with ``fail_above`` or ``fail_below``."""

    kind: Literal["Query"]
    """A number that a query gives."""
    query: PromQL
    """The PromQL expression; it may hold placeholders and must give one number."""


Check = Annotated[ErrorsCheck | SlowerThanCheck | QueryCheck, Field(discriminator="kind")]


class OnNoData(Model):
    """What is done without data: hold for ``hold`` (absent: for ever), then ``then``."""

    hold: PositiveDuration | None = None
    """How long to hold without data; absent: for ever."""
    then: OnNoDataThen = OnNoDataThen.HOLD
    """What is done after that."""


BUILT_IN_CHECKS: tuple[ErrorsCheck | SlowerThanCheck, ...] = (
    ErrorsCheck(name="errors", kind="Errors"),
    SlowerThanCheck.model_validate({"name": "slow", "kind": "SlowerThan", "bounds": ("250ms", "500ms")}),
)


class Analysis(Model):
    """How a canary is judged. ``checks: []`` turns analysis off.

    ``objective`` is the success share wanted of either backend; ``confidence`` bounds false
    aborts at ``1 - confidence`` of all attempts; ``min_requests`` counts per attempt.
    """

    judge: Judge = Judge.EVIDENCE
    """How counters become a verdict, where a check does not say."""
    objective: SureFraction = 0.99
    """Share of successful requests wanted of either backend."""
    checks: Annotated[tuple[Check, ...], Field(max_length=20)] = BUILT_IN_CHECKS
    """What is looked at; an empty list turns analysis off."""
    confidence: SureFraction = 0.99
    """At most 1 - confidence of all attempts of good canaries are aborted."""
    min_requests: Annotated[Whole, Field(ge=0, le=10_000_000)] = 20
    """Requests that the canary must have answered in this attempt before a step is passed."""
    warm_up: Duration = 30.0
    """Time after the canary's first traffic in which slowness is not judged."""
    on_no_data: OnNoData = OnNoData()
    """What is done without data."""
    early_pass: Flag = False
    """Whether a step is left before its hold time is over when the evidence for the canary is strong."""
