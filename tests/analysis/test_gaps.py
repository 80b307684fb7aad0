"""When samples count as missing: not for a controller that has just begun to look, unless they were missing before."""

from dataclasses import replace

from rollout.analysis.judge import Verdict, begin_attempt, judge
from rollout.analysis.reasons import Reason
from tests.analysis.worlds import analysis, look

BEGAN = replace(begin_attempt(0.0), last_tick_at=0.0)


def test_controller_that_has_just_started_has_missed_nothing() -> None:
    """A minute without samples is no gap while the controller has watched for a second of it."""
    judgement = judge(analysis(), BEGAN, look(60, watched_since=59.0))

    assert judgement.verdict is Verdict.CONTINUE
    assert judgement.state.no_data_since is None


def test_samples_that_stay_away_after_a_start_are_missed_in_the_end() -> None:
    """Three cadences after the start the samples are overdue."""
    judgement = judge(analysis(), BEGAN, look(90, watched_since=59.0))

    assert judgement.verdict is Verdict.HOLD
    assert judgement.reason == Reason.NO_DATA


def test_restart_does_not_end_a_gap() -> None:
    """Samples that were missed before a restart are missed after it, so that restarts hide no source that is down."""
    missing = judge(analysis(), BEGAN, look(40)).state
    judgement = judge(analysis(), missing, look(60, watched_since=59.0))

    assert judgement.verdict is Verdict.HOLD
    assert judgement.state.no_data_since == 40
