"""When samples count as missing: not for a controller that has just begun to look, unless they were missing before."""

from dataclasses import replace

from rollout.analysis.judge import Verdict, begin_attempt, judge
from rollout.analysis.reasons import Reason
from rollout.analysis.samples import ERRORS, Batch
from tests.analysis.worlds import analysis, family, look, series

LABELS = {"v1": "cluster=shop/v1", "v2": "cluster=shop/v2"}
UNTOLD = (
    "no series has cluster=shop/v2 for v2, nor the like for v1 (check errors): the gateway keeps no counters for each"
    " backend (Envoy Gateway needs mergeBackends), or Prometheus does not scrape it or does not add the labels of the"
    " policy"
)
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


def test_backends_that_no_series_is_labelled_with_are_not_told_apart() -> None:
    """Where the source answers and has neither backend, the labels that it was asked for are named, as a reason."""
    judgement = judge(analysis(), BEGAN, look(31, Batch(unlabelled=LABELS)))

    assert (judgement.verdict, judgement.reason) == (Verdict.HOLD, Reason.BACKENDS_NOT_TOLD_APART)
    assert judgement.message == UNTOLD
    assert judgement.reports[0].reason == Reason.BACKENDS_NOT_TOLD_APART


def test_backends_are_not_said_to_be_untold_before_samples_are_overdue() -> None:
    """A gateway and its Prometheus have as long for the first sample as for any other."""
    judgement = judge(analysis(), BEGAN, look(29, Batch(unlabelled=LABELS)))

    assert judgement.verdict is Verdict.CONTINUE


def test_backend_whose_labels_are_missing_alone_has_only_no_samples_yet() -> None:
    """Where stable has series the counters do tell backends apart; a canary may just have had no request."""
    batch = Batch({("v1", ERRORS): family([series((0, 1), (30, 2))])}, unlabelled={"v2": LABELS["v2"]})
    judgement = judge(analysis(), BEGAN, look(31, batch))

    assert judgement.reason == Reason.NO_DATA
    assert judgement.message == "no new samples of v2 (no series has cluster=shop/v2) for 31s (check errors)"


def test_samples_that_came_once_are_missing_and_not_untold() -> None:
    """What was judged in this attempt could be told apart; that nothing is left of it is a source that lost it."""
    counted = {(name, ERRORS): family([series((0, 1), (10, 2))]) for name in LABELS}
    seen = judge(analysis(), BEGAN, look(10, Batch(counted))).state
    judgement = judge(analysis(), seen, look(50, Batch(unlabelled=LABELS)))

    assert judgement.reason == Reason.NO_DATA


def test_source_that_is_down_tells_nothing_of_labels() -> None:
    """Its own problem is what is told."""
    down = ("SourceDown", "connection refused")
    judgement = judge(analysis(), BEGAN, look(31, Batch(unlabelled=LABELS), source_problem=down))

    assert (judgement.reason, judgement.message) == down
