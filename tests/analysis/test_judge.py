"""The judge: each guard, the order of verdicts, dry runs, missing data, and the sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from pydantic import TypeAdapter

from rollout.analysis.judge import (
    CheckReport,
    Judgement,
    JudgeState,
    Look,
    Verdict,
    begin_attempt,
    begin_step,
    judge,
    samples_wanted_since,
    weights_changed,
)
from rollout.analysis.reasons import MEANINGS, Reason
from rollout.analysis.samples import ERRORS, Batch, slower_than
from rollout.spec.analysis import Analysis
from tests.analysis.worlds import PODS, Counters, analysis, family, look, series

ERRORS_CHECK = {"name": "errors", "kind": "Errors"}
SLOW_CHECK = {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms", "500ms"]}
QUEUE_CHECK = {"name": "queue", "kind": "Query", "query": "up", "failAbove": 100}
COUNTS = (ERRORS, slower_than(0.25), slower_than(0.5))


@dataclass(slots=True)
class Bench:
    """An attempt that began at 1000 s, judged every 10 s with the counts that a test names."""

    asked: Analysis
    counters: Counters = field(default_factory=Counters)
    now: float = 1000.0
    state: JudgeState = field(default_factory=lambda: begin_attempt(1000.0))
    look: Look = field(default_factory=lambda: look(1000.0))
    said: Judgement | None = None

    def __post_init__(self) -> None:
        """Scrape the baselines."""
        self.scrape((0, 0), (0, 0), (0, 0))

    def tick(
        self,
        canary: tuple[int, int],
        stable: tuple[int, int],
        *,
        slow: tuple[int, int] = (0, 0),
        queries: dict[str, float] | None = None,
        times: int = 1,
    ) -> Judgement:
        """Count (total, bad) of both arms, and slow ones of (canary, stable) beyond both bounds; judge it."""
        for _ in range(times - 1):
            self.tick(canary, stable, slow=slow, queries=queries)
        self.now += 10
        self.scrape(canary, stable, slow)
        return self.judge(replace(self.counters.batch(COUNTS), queries=queries or {}))

    def judge(self, batch: Batch | None, *, later: float = 0.0, **fields: object) -> Judgement:
        """Look at a batch, some seconds later."""
        self.now += later
        said = judge(
            self.asked, self.state, replace(self.look, now=self.now, batch=batch, **cast("dict[str, Any]", fields))
        )
        self.state, self.said = said.state, said
        return said

    def scrape(self, canary: tuple[int, int], stable: tuple[int, int], slow: tuple[int, int]) -> None:
        """Count (total, bad) of both arms, and slow ones, up to now."""
        self._arm("v2", ("c1",), canary, slow[0])
        self._arm("v1", PODS, stable, slow[1])

    def _arm(self, backend: str, pods: Sequence[str], count: tuple[int, int], slow: int) -> None:
        for number, pod in enumerate(pods):
            for kind, amount in (("total", count[0]), (ERRORS, count[1]), (COUNTS[1], slow), (COUNTS[2], slow)):
                share = amount // len(pods) + (number < amount % len(pods))
                self.counters.add((backend, pod, kind), self.now, share)


def bench(*checks: dict[str, Any], **fields: object) -> Bench:
    """Return a bench with these checks (errors when there are none)."""
    return Bench(analysis(checks=list(checks) or [ERRORS_CHECK], **fields))


def report(said: Judgement, name: str) -> CheckReport:
    """Return the report of a check."""
    return next(each for each in said.reports if each.name == name)


def told(said: Judgement) -> tuple[Verdict, str]:
    """Return verdict and reason."""
    return said.verdict, said.reason


def test_every_reason_has_a_meaning() -> None:
    """Each reason has one sentence for the docs."""
    assert set(MEANINGS) == set(Reason)
    assert all(meaning.endswith(".") for meaning in MEANINGS.values())


def test_without_checks_analysis_is_off() -> None:
    """``checks: []`` passes, and the state stays as it is."""
    state = begin_attempt(5.0)
    said = judge(analysis(checks=[]), state, look(9.0, Batch()))

    assert told(said) == (Verdict.PASS, Reason.ANALYSIS_OFF)
    assert said.state is state
    assert said.reports == ()


def test_a_good_canary_goes_on() -> None:
    """Few errors on both sides are within the tolerance."""
    said = bench().tick((100, 0), (900, 1), times=5)

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert said.message == "canary failed 0 of 500 requests (0.00%), stable 5 of 4500 (0.11%): within your tolerance"


def test_a_bad_canary_is_not_called_tolerable() -> None:
    """Two failures of three are more than tolerated, but too few to say so: the sentence says just that."""
    said = bench().tick((3, 2), (100, 0))

    assert said.verdict is not Verdict.FAIL
    assert said.reports[0].sentence == (
        "canary failed 2 of 3 requests (66.67%), stable 0 of 100 (0.00%): "
        "not enough yet to say that it is beyond your tolerance"
    )


def test_a_failing_canary_is_convicted_with_a_sentence() -> None:
    """The sentence has both arms' numbers, the tolerance, and how seldom a good version looks like this."""
    said = bench().tick((50, 10), (900, 1), times=2)

    assert told(said) == (Verdict.FAIL, Reason.EVIDENCE_OF_ERRORS)
    assert said.message == (
        "canary failed 20 of 100 requests (20.00%), stable 2 of 1800 (0.11%); a version within your tolerance "
        "(1.2x stable + 0.02 points) would ever look this bad in at most 1 of 100 rollouts"
    )
    assert report(said, "errors").verdict is Verdict.FAIL


def test_a_slow_canary_is_convicted_by_the_bound_that_shows_it() -> None:
    """Slowness has its own reason, and names the bound."""
    said = bench(SLOW_CHECK, warmUp="0s").tick((100, 0), (900, 0), slow=(40, 5), times=4)

    assert told(said) == (Verdict.FAIL, Reason.EVIDENCE_OF_SLOWNESS)
    assert said.message.startswith("canary answered 160 of 400 requests slower than 250ms (40.00%), stable 20 of 3600")


def test_one_scrape_never_convicts() -> None:
    """Guard 1: the first tick is capped, however bad it is."""
    assert bench().tick((1000, 1000), (9000, 0)).verdict is Verdict.CONTINUE


def test_a_burst_on_a_pod_of_stable_makes_errors_count_less() -> None:
    """Guard 2: where errors come in clumps, the same canary needs more of them."""
    calm, clumped = bench(), bench()
    calm.tick((100, 0), (900, 8))
    clumped.now += 10
    clumped.scrape((100, 0), (900, 0), (0, 0))
    burst = clumped.counters.samples["v1", "s1", ERRORS]
    burst[-1] = (clumped.now, 8.0)
    clumped.judge(clumped.counters.batch(COUNTS))
    said = [report(each.tick((100, 4), (900, 0)), "errors") for each in (calm, clumped)]

    assert said[0].stable_bad == said[1].stable_bad == 8
    assert said[1].log_evidence < said[0].log_evidence - 0.2


def test_an_unhealthy_stable_holds() -> None:
    """Guard 3: while both fail alike no step is left, and nobody is blamed."""
    said = bench().tick((100, 20), (900, 180), times=3)

    assert told(said) == (Verdict.HOLD, Reason.STABLE_UNHEALTHY)
    assert said.message == (
        "stable itself failed 540 of 2700 (20.00%) requests lately, more than its objective (99% success) allows"
    )


def test_an_unhealthy_stable_does_not_protect_a_worse_canary() -> None:
    """Guard 3 holds, but evidence against the canary still convicts."""
    said = bench().tick((100, 50), (900, 45), times=4)

    assert told(said) == (Verdict.FAIL, Reason.EVIDENCE_OF_ERRORS)


def test_a_recovered_stable_lets_go_on() -> None:
    """Guard 3 looks at the last three ticks only."""
    attempt = bench()
    attempt.tick((100, 20), (900, 180), times=3)

    assert attempt.tick((100, 0), (900, 0), times=3).verdict is Verdict.CONTINUE


def test_latency_is_not_bet_on_while_the_canary_warms_up() -> None:
    """Guard 4: slow answers in the first 30 s of traffic are forgiven and forgotten."""
    attempt = bench(SLOW_CHECK)
    warm = attempt.tick((100, 0), (900, 0), slow=(90, 0), times=2)
    after = attempt.tick((100, 0), (900, 0), times=3)

    assert told(warm) == (Verdict.CONTINUE, Reason.WARMING_UP)
    assert warm.message == "latency is judged from 30s after the canary's first traffic"
    assert report(after, "slow").canary_bad == 0
    assert after.state.first_traffic_at == 1000


def test_errors_are_judged_while_latency_warms_up() -> None:
    """Warming up is no reason to let errors pass."""
    attempt = bench(ERRORS_CHECK, SLOW_CHECK)
    said = attempt.tick((100, 0), (900, 0))

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert report(said, "slow").reason == Reason.WARMING_UP
    assert attempt.tick((50, 25), (900, 0), times=3).verdict is Verdict.FAIL


def test_too_few_requests_continue_but_say_so() -> None:
    """Guard 5: below ``minRequests`` the reason tells that no step may pass on it."""
    said = bench().tick((9, 0), (900, 1), times=2)

    assert told(said) == (Verdict.CONTINUE, Reason.TOO_FEW_REQUESTS)
    assert said.message == "canary has had 18 of the 20 requests that it needs to pass a step"


def test_too_few_requests_never_protect_a_failing_canary() -> None:
    """Guard 5 does not suppress Fail."""
    said = bench(minRequests=1000).tick((9, 9), (900, 1), times=3)

    assert told(said) == (Verdict.FAIL, Reason.EVIDENCE_OF_ERRORS)


def test_without_weight_the_canary_needs_no_requests() -> None:
    """Where no traffic is meant to come, its absence is no news."""
    attempt = bench()
    attempt.look = look(0.0, canary_share=0.0, stable_share=1.0)

    assert told(attempt.tick((0, 0), (900, 0))) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)


def test_with_nothing_to_compare_the_objective_judges() -> None:
    """Guard 6: at 99 % of the traffic and more, the canary is held against the objective."""
    attempt = bench()
    attempt.look = look(0.0, canary_share=0.99, stable_share=0.01)
    said = attempt.tick((1000, 60), (10, 0), times=4)

    assert told(said) == (Verdict.FAIL, Reason.EVIDENCE_OF_ERRORS)
    assert said.message.endswith(
        "a version that meets your objective (99% success) would ever look this bad in at most 1 of 500 rollouts"
    )
    assert report(said, "errors").reason == Reason.EVIDENCE_OF_ERRORS


def test_with_nothing_to_compare_a_good_canary_goes_on() -> None:
    """Guard 6 does not convict a canary that meets the objective, and makes no bets on latency."""
    attempt = bench(ERRORS_CHECK, SLOW_CHECK, warmUp="0s")
    attempt.look = look(0.0, canary_share=0.99, stable_share=0.01)
    said = attempt.tick((1000, 1), (10, 0), slow=(500, 0), times=6)

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert report(said, "slow").log_evidence == pytest.approx(0)


def test_the_objective_does_not_judge_while_stable_breaks_it_too() -> None:
    """Guard 3 keeps guard 6 from convicting: the cause may be neither's fault."""
    attempt = bench()
    attempt.look = look(0.0, canary_share=0.985, stable_share=0.015)
    said = attempt.tick((1000, 200), (15, 6), times=6)

    assert told(said) == (Verdict.HOLD, Reason.STABLE_UNHEALTHY)


def test_the_objective_does_not_judge_again_once_stable_is_back() -> None:
    """What was found against the objective convicts only while there is nothing to compare with."""
    attempt = bench()
    attempt.look = look(0.0, canary_share=0.985, stable_share=0.015)
    attempt.tick((1000, 200), (15, 6), times=6)
    attempt.look = look(0.0)

    assert attempt.tick((100, 0), (900, 0), times=3).verdict is Verdict.CONTINUE


def test_a_threshold_on_counts_uses_the_share_of_each_tick() -> None:
    """The canary's percentage in one tick is one look; so many in a row convict."""
    limit = ERRORS_CHECK | {"judge": "Threshold", "failAbove": 5, "failures": 2}
    attempt = bench(limit)
    first = attempt.tick((100, 6), (900, 0))
    attempt.tick((0, 0), (900, 0))
    second = attempt.tick((100, 7), (900, 0))

    assert told(first) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert report(first, "errors").sentence == (
        "the canary's percentage of failed requests is 6, above 5, 1 of 2 times in a row"
    )
    assert told(second) == (Verdict.FAIL, Reason.THRESHOLD_BROKEN)
    assert second.message == "the canary's percentage of failed requests is 7, above 5, 2 times in a row"
    assert report(second, "errors").verdict is Verdict.FAIL


def test_a_threshold_on_slowness_names_its_bound() -> None:
    """Each bound is held against the same limit."""
    limit = SLOW_CHECK | {"judge": "Threshold", "failAbove": 10}
    said = bench(limit, warmUp="0s").tick((100, 0), (900, 0), slow=(20, 0))

    assert said.message == "the canary's percentage of requests slower than 250ms is 20, above 10"
    assert (report(said, "slow").log_evidence, report(said, "slow").limit) == (0, 0)


def test_a_query_beyond_its_limit_fails() -> None:
    """A query is judged by its limits."""
    said = bench(QUEUE_CHECK).tick((100, 0), (900, 0), queries={"queue": 120})

    assert told(said) == (Verdict.FAIL, Reason.THRESHOLD_BROKEN)
    assert said.message == "queue is 120, above 100"


def test_a_query_below_its_limit_fails() -> None:
    """The other side of a limit is named as such."""
    check = {"name": "hits", "kind": "Query", "query": "up", "failBelow": 0.5}

    assert bench(check).tick((1, 0), (1, 0), queries={"hits": 0.25}).message == "hits is 0.25, below 0.5"


def test_passes_between_samples_do_not_count_a_query_again() -> None:
    """Failures are counted per sample, not per pass."""
    attempt = bench(QUEUE_CHECK | {"failures": 2})
    attempt.tick((100, 0), (900, 0), queries={"queue": 120})
    soon = attempt.judge(Batch(queries={"queue": 120}), later=1)
    later = attempt.judge(Batch(queries={"queue": 130}), later=9)

    assert soon.verdict is Verdict.CONTINUE
    assert soon.message == "nothing is beyond its limits"
    assert later.verdict is Verdict.FAIL


def test_a_query_within_its_limits_goes_on() -> None:
    """Its report says the value."""
    said = bench(QUEUE_CHECK).tick((100, 0), (900, 0), queries={"queue": 99})

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert report(said, "queue").sentence == "queue is 99: within its limits"
    assert said.state.last_tick_at == 1010


@pytest.mark.parametrize(
    ("batch", "reason", "sentence"),
    [
        (Batch(), Reason.NO_DATA, "query queue gives no value"),
        (Batch(problems={"queue": "query queue gives 3 values"}), Reason.NO_DATA, "query queue gives 3 values"),
        (Batch(queries={"queue": float("nan")}), Reason.NOT_A_NUMBER, "query queue gives NaN"),
        (Batch(queries={"queue": float("inf")}), Reason.NOT_A_NUMBER, "query queue gives infinity"),
    ],
)
def test_a_query_without_a_value_holds_at_once(batch: Batch, reason: Reason, sentence: str) -> None:
    """No answer is not a failure, and not a pass."""
    said = bench(QUEUE_CHECK).judge(batch, later=1)

    assert (said.verdict, said.reason, said.message) == (Verdict.HOLD, reason, sentence)
    assert report(said, "queue").verdict is Verdict.HOLD


def test_a_query_that_is_not_asked_becomes_overdue() -> None:
    """Between measurements the last value stands, but not for ever."""
    attempt = bench(QUEUE_CHECK)
    attempt.judge(Batch(queries={"queue": 5}))
    soon = attempt.judge(None, later=30)
    late = attempt.judge(None, later=1)
    down = attempt.judge(None, later=1, source_problem=("SourceDown", "connection refused"))

    assert soon.verdict is Verdict.CONTINUE
    assert (late.reason, late.message) == (Reason.NO_DATA, "query queue has had no value for 31s")
    assert (down.reason, down.message) == ("SourceDown", "connection refused")


def test_a_query_that_was_never_asked_has_no_value_yet() -> None:
    """At the beginning there is patience."""
    said = bench(QUEUE_CHECK).judge(None, later=1)

    assert report(said, "queue").sentence == "queue has no value yet"
    assert said.state.last_tick_at is None


def test_missing_samples_hold_only_when_they_are_overdue() -> None:
    """Up to three cadences without a tick are nothing; then the judge holds until one comes."""
    attempt = bench()
    attempt.tick((100, 0), (900, 0))
    batch = attempt.counters.batch(COUNTS)
    patient = attempt.judge(batch, later=30)
    overdue = attempt.judge(batch, later=1)
    since = attempt.state.no_data_since
    again = attempt.tick((100, 0), (900, 0))

    assert patient.verdict is Verdict.CONTINUE
    assert told(overdue) == (Verdict.HOLD, Reason.NO_DATA)
    assert overdue.message == "no new samples of v2 and v1 for 31s (check errors)"
    assert since == 1041
    assert again.verdict is Verdict.CONTINUE
    assert again.state.no_data_since is None


def test_a_quick_cadence_has_three_seconds_of_patience() -> None:
    """A cadence below a second does not make the judge nervous."""
    attempt = bench()
    patient = attempt.judge(Batch(), later=3, cadence_seconds=0.1)
    overdue = attempt.judge(Batch(), later=0.5, cadence_seconds=0.1)

    assert patient.verdict is Verdict.CONTINUE
    assert overdue.verdict is Verdict.HOLD


ONE = family([series((900, 1.0))])
NAN = family([series((900, 1.0), (1010, float("nan")))])


@pytest.mark.parametrize(
    ("batch", "problem", "reason", "sentence"),
    [
        (None, None, Reason.NO_DATA, "check errors has had no new samples for 40s"),
        (None, ("SourceSlow", "no answer within 5s"), "SourceSlow", "no answer within 5s"),
        (Batch(), None, Reason.NO_DATA, "no new samples of v2 and v1 for 40s (check errors)"),
        (Batch({("v1", ERRORS): ONE}), None, Reason.NO_DATA, "no new samples of v2 for 40s (check errors)"),
        (Batch(problems={ERRORS: "two templates"}), None, Reason.NO_DATA, "two templates"),
        (
            Batch({("v2", ERRORS): ONE, ("v1", ERRORS): NAN}),
            None,
            Reason.NOT_A_NUMBER,
            "the counters of v1 for check errors are NaN",
        ),
    ],
)
def test_the_most_specific_reason_for_missing_data_is_told(
    batch: Batch | None, problem: tuple[str, str] | None, reason: str, sentence: str
) -> None:
    """The source's own problem, NaN, one empty backend, or nothing at all."""
    said = bench().judge(batch, later=40, source_problem=problem)

    assert (said.verdict, said.reason, said.message) == (Verdict.HOLD, reason, sentence)
    assert report(said, "errors").reason == reason


def test_no_data_aborts_only_when_that_is_asked_for() -> None:
    """After ``hold`` of no data all the time, and only when the source was asked just now."""
    attempt = bench(onNoData={"hold": "2m", "then": "Abort"})
    attempt.judge(Batch(), later=40)
    before = attempt.judge(Batch(), later=119)
    unasked = attempt.judge(None, later=1)
    asked = attempt.judge(Batch())

    assert before.verdict is Verdict.HOLD
    assert unasked.verdict is Verdict.HOLD
    assert told(asked) == (Verdict.FAIL, Reason.NO_DATA)
    assert asked.message == "no data for 2m: no new samples of v2 and v1 for 160s (check errors)".replace(
        "160s", "2m40s"
    )


def test_no_data_that_ends_starts_the_wait_again() -> None:
    """Only continuous absence counts."""
    attempt = bench(onNoData={"hold": "2m", "then": "Abort"})
    attempt.judge(Batch(), later=100)
    attempt.tick((100, 0), (900, 0))

    assert attempt.judge(attempt.counters.batch(COUNTS), later=100).verdict is Verdict.HOLD


def test_data_that_come_back_at_the_last_moment_are_no_abort() -> None:
    """The look that would abort sees fresh samples: nothing happens."""
    attempt = bench(onNoData={"hold": "2m", "then": "Abort"})
    attempt.judge(Batch(), later=40)
    attempt.now += 200

    assert attempt.tick((100, 0), (900, 0)).verdict is Verdict.CONTINUE


def test_impossible_numbers_hold_until_the_next_good_tick() -> None:
    """More bad requests than requests is a named reason, not a crash, and the tick counts nothing."""
    attempt = bench()
    wrong = attempt.tick((10, 12), (900, 0))
    idle = attempt.judge(None, later=1)
    good = attempt.tick((100, 0), (900, 0))

    assert told(wrong) == (Verdict.HOLD, Reason.IMPOSSIBLE_NUMBERS)
    assert wrong.message == "v2 has more bad requests than requests: 12 of 10"
    assert report(wrong, "errors").reason == Reason.IMPOSSIBLE_NUMBERS
    assert idle.verdict is Verdict.HOLD
    assert good.verdict is Verdict.CONTINUE
    assert report(good, "errors").canary_bad == 0


def test_a_dry_run_tells_and_decides_nothing() -> None:
    """A dry run that would fail says so in its report only."""
    attempt = bench(ERRORS_CHECK | {"dryRun": True}, SLOW_CHECK, QUEUE_CHECK | {"dryRun": True}, warmUp="0s")
    said = attempt.tick((100, 90), (900, 0), queries={"queue": 1000}, times=4)

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert [each.verdict for each in said.reports] == [Verdict.FAIL, Verdict.CONTINUE, Verdict.FAIL]
    assert report(said, "errors").limit == pytest.approx(4.605, abs=0.001)


def test_dry_runs_without_data_do_not_hold() -> None:
    """What is missing for a dry run is missing in its report."""
    attempt = bench(ERRORS_CHECK, QUEUE_CHECK | {"dryRun": True})
    said = attempt.tick((100, 0), (900, 0))

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)
    assert report(said, "queue").reason == Reason.NO_DATA
    assert said.state.last_tick_at == 1010


def test_with_dry_runs_alone_nothing_is_decided() -> None:
    """An analysis of dry runs only goes on, whatever they say."""
    attempt = bench(ERRORS_CHECK | {"dryRun": True})
    said = attempt.tick((100, 90), (900, 0), times=4)

    assert (said.verdict, said.message) == (Verdict.CONTINUE, "nothing is beyond its limits")
    assert said.state.last_tick_at == 1040
    assert said.state.canary_requests == 400


def test_kinds_share_the_stake() -> None:
    """Errors have half, the bounds of slowness share the other half."""
    said = bench(ERRORS_CHECK, SLOW_CHECK).tick((100, 0), (900, 0))

    assert report(said, "errors").limit == pytest.approx(5.298, abs=0.001)
    assert report(said, "slow").limit == pytest.approx(5.298, abs=0.001)


def test_a_tolerance_of_ones_own_is_used() -> None:
    """A wide tolerance lets pass what the default would not."""
    wide = ERRORS_CHECK | {"tolerance": {"ratio": 3, "points": 20}}
    said = bench(wide).tick((100, 10), (900, 9), times=10)

    assert told(said) == (Verdict.CONTINUE, Reason.WITHIN_TOLERANCE)


@pytest.mark.parametrize(
    ("fields", "passes"),
    [({}, True), ({"may_pass_early": False}, False), ({"next_share": 0.001}, True), ({"next_share": 0.0}, True)],
)
def test_an_early_pass(fields: dict[str, Any], passes: bool) -> None:  # noqa: FBT001 - a row
    """Enough good requests in the step show that the next weight is safe, once the least hold time is over."""
    attempt = bench(earlyPass=True)
    attempt.look = look(0.0, **{"may_pass_early": True, "next_share": 0.25, **fields})
    said = attempt.tick((500, 0), (4500, 4), times=6)

    assert (told(said) == (Verdict.PASS, Reason.EARLY_PASS)) is passes


def test_no_early_pass_on_few_requests_or_doubt() -> None:
    """A few good requests prove nothing, and evidence of harm stands in the way."""
    few, doubted = bench(earlyPass=True), bench(earlyPass=True)
    few.look = look(0.0, may_pass_early=True, next_share=0.25)
    doubted.look = look(0.0, may_pass_early=True, next_share=0.01)
    doubted.tick((500, 25), (4500, 4))
    doubted.state = begin_step(doubted.state, doubted.now)

    assert few.tick((50, 0), (450, 0), times=3).verdict is Verdict.CONTINUE
    assert doubted.tick((40, 0), (360, 0)).verdict is Verdict.CONTINUE


def test_no_early_pass_without_evidence() -> None:
    """Thresholds alone show nothing about the next weight."""
    attempt = bench(QUEUE_CHECK, earlyPass=True)
    attempt.look = look(0.0, may_pass_early=True)

    assert attempt.tick((500, 0), (4500, 4), queries={"queue": 1}).verdict is Verdict.CONTINUE


def test_a_step_starts_its_counts_anew_and_keeps_the_evidence() -> None:
    """Requests of a tick that began before the step do not count for it."""
    attempt = bench()
    attempt.tick((100, 5), (900, 0))
    before = report(attempt.judge(None), "errors").log_evidence
    attempt.state = begin_step(attempt.state, 1012.0)
    across = attempt.tick((50, 0), (450, 0)).state
    inside = attempt.tick((60, 0), (440, 0)).state

    assert attempt.state.streams["errors/errors"].step.canary_total == 60
    assert before > 0
    assert (across.step_canary_requests, across.canary_requests) == (0, 150)
    assert (inside.step_canary_requests, inside.canary_requests) == (60, 210)
    assert (inside.changed_canary, inside.changed_stable) == (60, 440)


def test_a_change_of_weights_starts_its_counts_anew() -> None:
    """The step's own count goes on."""
    attempt = bench()
    attempt.tick((10, 0), (90, 0), times=2)
    attempt.state = weights_changed(attempt.state, attempt.now)
    said = attempt.tick((30, 0), (70, 0))

    assert (said.state.changed_canary, said.state.changed_stable) == (30, 70)
    assert said.state.step_canary_requests == 50


def test_the_rate_of_requests_is_smoothed() -> None:
    """It starts with the first tick and follows slowly."""
    attempt = bench()
    first = attempt.tick((10, 0), (90, 0)).state.requests_per_second
    second = attempt.tick((20, 0), (180, 0)).state.requests_per_second

    assert first == 10
    assert second == pytest.approx(13)


def test_samples_are_wanted_since_the_oldest_stream() -> None:
    """Nothing may be lost of a stream that lags behind; before the first tick, since the attempt began."""
    attempt = bench(ERRORS_CHECK, SLOW_CHECK)
    at_first = samples_wanted_since(attempt.state)
    attempt.tick((10, 0), (90, 0))
    attempt.counters.samples.pop(("v2", "c1", slower_than(0.5)))
    state = attempt.tick((10, 0), (90, 0)).state

    assert at_first == 1000
    assert samples_wanted_since(state) == min(stream.at or 0 for stream in state.streams.values())


def test_the_state_is_small_and_survives_json() -> None:
    """It goes into a status and comes back the same."""
    adapter = TypeAdapter(JudgeState)
    attempt = bench(ERRORS_CHECK, SLOW_CHECK, QUEUE_CHECK)
    attempt.look = look(0.0, stable_share=0.01)
    state = attempt.tick((100, 3), (900, 1), slow=(5, 9), queries={"queue": 3}, times=5).state
    written = adapter.dump_json(state, by_alias=True)

    assert adapter.validate_json(written) == state
    assert len(written) < 3 * 1024
    assert b"canaryRequests" in written
