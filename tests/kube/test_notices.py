"""What is told as an event, and in which words."""

import pytest

from rollout.engine.reasons import Reason
from rollout.engine.state import Failing, Handled, Transition
from rollout.engine.table import Phase
from rollout.failover.reasons import Reason as Why
from rollout.failover.table import Stage
from rollout.kube.notices import Notice, event_of, of_refusal, of_transition, series_of
from rollout.ports import Key

KEY = Key("shop", "checkout")
AT = 1_800_000_000.25
NOTICE = Notice(KEY, "u1", "transition 3", "StepTaken", "10 % for 1 m", "Stepping", AT)


def transition(phase: Phase, reason: str, failing: Failing | None = None) -> Transition:
    """Return the third transition of a Rollout."""
    return Transition(3, AT, phase, 1, (("v1", 90), ("v2", 10)), reason, "so it is", failing)


@pytest.mark.parametrize(
    ("phase", "reason", "warning"),
    [
        (Phase.PROGRESSING, Reason.HOLDING, False),
        (Phase.ABORTED, Reason.ABORTED, True),
        (Phase.ABORTING, Reason.REVISION_WITHDRAWN, False),
        (Phase.PROGRESSING, Reason.DRIFT_DETECTED, True),
        (Phase.INVALID, Reason.INVALID, True),
        (Phase.ABORTING, Reason.DELETING, False),
    ],
)
def test_a_warning_is_what_somebody_should_look_at(phase: Phase, reason: Reason, *, warning: bool) -> None:
    """By where it led, or by why; what somebody wanted is none."""
    notice = of_transition(KEY, "u1", transition(phase, reason))

    assert notice.warning is warning
    assert (notice.mark, notice.reason, notice.action, notice.at) == ("transition 3", reason, phase, AT)


@pytest.mark.parametrize(
    ("stage", "reason", "warning"),
    [
        (Stage.CONFIRMING, Why.PRIMARY_DOWN, True),
        (Stage.FAILED_OVER, Why.FAILED_OVER, True),
        (Stage.FAILED_OVER, Why.MAINTENANCE, False),
        (Stage.FAILED_OVER, Why.INEFFECTIVE, True),
        (Stage.FAILING_BACK, Why.FAILING_BACK, False),
        (Stage.FAILED_OVER, Why.FAILBACK_BROKE, True),
        (Stage.NORMAL, Why.FAILED_BACK, False),
        (Stage.NORMAL, Why.DRILL_ENDED, False),
        (Stage.LATCHED, Why.LATCHED, True),
        (Stage.LATCHED, Why.HELD, False),
    ],
)
def test_what_failover_does_is_told_by_itself(stage: Stage, reason: Why, *, warning: bool) -> None:
    """That the attempt was aborted before makes no warning of a failback that went well."""
    notice = of_transition(KEY, "u1", transition(Phase.ABORTED, reason, Failing(stage, "dr", 1)))

    assert notice.warning is warning
    assert (notice.reason, notice.action) == (reason, stage)


@pytest.mark.parametrize("reason", [Reason.STEP_STARTED, Reason.ADOPTED])
def test_what_the_attempt_does_is_told_of_the_attempt(reason: Reason) -> None:
    """Also of a Rollout with failover."""
    notice = of_transition(KEY, "u1", transition(Phase.PROGRESSING, reason, Failing(Stage.NORMAL, "", 0)))

    assert (notice.action, notice.warning) == (Phase.PROGRESSING, False)


def test_an_event_is_as_the_api_wants_it() -> None:
    """Its name says of what it is, and is the same whenever it is told of the same."""
    event = event_of(NOTICE, instance="rollout-0")

    assert event["metadata"]["name"].startswith("checkout.")
    assert event["eventTime"] == "2027-01-15T08:00:00.250000Z"
    assert (event["type"], event["reason"], event["action"], event["note"]) == (
        "Normal",
        "StepTaken",
        "Stepping",
        "10 % for 1 m",
    )
    assert event["regarding"]["uid"] == "u1"
    assert event_of(NOTICE, instance="another")["metadata"] == event["metadata"]


def test_long_words_are_cut() -> None:
    """A note to 1 kB of whole letters, names to what the API server takes."""
    event = event_of(
        Notice(Key("shop", "a" * 199 + "-" + "b" * 50), "u1", "m", "R" * 500, "ü" * 2000, "", AT), instance="p" * 500
    )

    assert event["note"] == "ü" * 512
    assert (len(event["reason"]), event["action"], len(event["reportingInstance"])) == (128, "Unknown", 128)
    assert event["metadata"]["name"].startswith("a" * 199 + ".")
    assert len(event["metadata"]["name"]) <= 253


def test_a_refused_command_is_a_warning_of_its_own() -> None:
    """Told once for each command."""
    handled = Handled("c1", "promote", done=False, reason="IllegalInPhase", message="nothing runs")

    notice = of_refusal(KEY, "u1", handled, at=AT)

    assert (notice.mark, notice.reason, notice.message) == ("command c1", handled.reason, "nothing runs")
    assert notice.warning


def test_a_series_says_how_often_and_when_last() -> None:
    """In microseconds, as the API wants it."""
    assert series_of(5, AT) == {"count": 5, "lastObservedTime": "2027-01-15T08:00:00.250000Z"}
