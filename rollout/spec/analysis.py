"""What is looked at to judge a canary: checks, the objective, and how sure the judge must be."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from rollout.spec.base import Model, Name, PromQL
from rollout.spec.quantities import Duration, Fraction


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
    default of the check's kind (see ``tolerance_of``).
    """

    ratio: Annotated[float, Field(ge=1, le=100)] | None = None
    points: Annotated[float, Field(ge=0, le=100)] | None = None


class ThresholdRule(Model):
    """Fields that all checks share: limits on a value, used by the Threshold judge and by queries.

    ``fail_above`` and ``fail_below`` are limits of the measured value (for ``Errors`` and
    ``SlowerThan``: the canary's bad share in percent); ``failures`` is how many looks in a row
    must break the limit.
    """

    name: Name
    judge: Judge | None = None
    fail_above: float | None = None
    fail_below: float | None = None
    failures: Annotated[int, Field(ge=1, le=1000)] = 1
    dry_run: bool = False


class ErrorsCheck(ThresholdRule):
    """Compares the share of failed requests: HTTP 5xx and the gRPC codes that mean a fault of the server."""

    kind: Literal["Errors"]
    tolerance: Tolerance = Tolerance()


class SlowerThanCheck(ThresholdRule):
    """Compares the share of requests slower than each of ``bounds``."""

    kind: Literal["SlowerThan"]
    tolerance: Tolerance = Tolerance()
    bounds: Annotated[tuple[Duration, ...], Field(min_length=1, max_length=5)]


class QueryCheck(ThresholdRule):
    """Compares the number that a PromQL expression gives with ``fail_above`` or ``fail_below``."""

    kind: Literal["Query"]
    query: PromQL


Check = Annotated[ErrorsCheck | SlowerThanCheck | QueryCheck, Field(discriminator="kind")]


class OnNoData(Model):
    """What is done without data: hold for ``hold`` (absent: for ever), then ``then``."""

    hold: Duration | None = None
    then: OnNoDataThen = OnNoDataThen.HOLD


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
    objective: Fraction = 0.99
    checks: Annotated[tuple[Check, ...], Field(max_length=20)] = BUILT_IN_CHECKS
    confidence: Fraction = 0.99
    min_requests: Annotated[int, Field(ge=0, le=10_000_000)] = 20
    warm_up: Duration = 30.0
    on_no_data: OnNoData = OnNoData()
    early_pass: bool = False
