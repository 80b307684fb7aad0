"""The reasons that the judge can give: constants, and what each of them means in one sentence.

Used by ``rollout.analysis.judge`` and, unchanged, by conditions, events, notifications and the
docs. Nothing here knows when a reason applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Reason(StrEnum):
    """Why a verdict is what it is."""

    EVIDENCE_OF_ERRORS = "EvidenceOfErrors"
    EVIDENCE_OF_SLOWNESS = "EvidenceOfSlowness"
    THRESHOLD_BROKEN = "ThresholdBroken"
    NO_DATA = "NoData"
    BACKENDS_NOT_TOLD_APART = "BackendsNotToldApart"
    SOURCE_DOWN = "SourceDown"
    SOURCE_SLOW = "SourceSlow"
    NOT_A_NUMBER = "NotANumber"
    IMPOSSIBLE_NUMBERS = "ImpossibleNumbers"
    STABLE_UNHEALTHY = "StableUnhealthy"
    TOO_FEW_REQUESTS = "TooFewRequests"
    WARMING_UP = "WarmingUp"
    WITHIN_TOLERANCE = "WithinTolerance"
    EARLY_PASS = "EarlyPass"
    ANALYSIS_OFF = "AnalysisOff"


MEANINGS: Mapping[Reason, str] = {
    Reason.EVIDENCE_OF_ERRORS: "The canary fails more requests than the tolerance or the objective allows.",
    Reason.EVIDENCE_OF_SLOWNESS: "The canary is slow more often than the tolerance allows.",
    Reason.THRESHOLD_BROKEN: "A value was beyond its limit as many times in a row as the check asks for.",
    Reason.NO_DATA: "No new samples of both backends have come, or a query gave no value.",
    Reason.BACKENDS_NOT_TOLD_APART: (
        "No series has the labels of either backend: the gateway does not count for each backend, or Prometheus"
        " does not add the labels that the policy names."
    ),
    Reason.SOURCE_DOWN: "The source of measurements cannot be reached.",
    Reason.SOURCE_SLOW: "The source of measurements did not answer in time.",
    Reason.NOT_A_NUMBER: "The source answered with NaN, which says nothing.",
    Reason.IMPOSSIBLE_NUMBERS: "The counters contradict each other: more bad requests than requests.",
    Reason.STABLE_UNHEALTHY: "Stable breaks its own objective, so that no step is left until it recovers.",
    Reason.TOO_FEW_REQUESTS: "The canary has not had enough requests yet to pass a step.",
    Reason.WARMING_UP: "The canary has only just got traffic; its latency is not judged yet.",
    Reason.WITHIN_TOLERANCE: "Nothing speaks for harm beyond the tolerance.",
    Reason.EARLY_PASS: "The step's requests already show that the next weight is safe.",
    Reason.ANALYSIS_OFF: "No checks are asked for.",
}
"""What each reason means, for people; the reference page of reasons is made from it."""
