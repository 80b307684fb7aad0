"""What holds for every stream of samples: nothing twice, nothing lost, restarts change nothing, never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rollout.analysis.counters import Tick, ticks, unchecked_ticks
from rollout.analysis.judge import Judgement, JudgeState, begin_attempt, judge
from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.analysis.state import samples_wanted_since
from rollout.spec.analysis import Analysis
from tests.analysis.worlds import look

STATE = TypeAdapter(JudgeState)
ANALYSIS = Analysis.model_validate(
    {
        "checks": [
            {"name": "errors", "kind": "Errors"},
            {"name": "slow", "kind": "SlowerThan", "bounds": ["250ms"]},
            {"name": "share", "kind": "Errors", "judge": "Threshold", "failAbove": 50, "failures": 3, "dryRun": True},
        ],
        "warmUp": "5s",
    }
)
SLOW = slower_than(0.25)


@st.composite
def timed(draw: st.DrawFn, *, least: int = 0) -> tuple[int, ...]:
    """Return times of scrapes between 0 and 60 s, roughly every few seconds, with gaps."""
    gaps = draw(st.lists(st.integers(1, 12), min_size=least, max_size=14))
    start = draw(st.integers(0, 15))
    times, now = [], start
    for gap in gaps:
        times.append(now)
        now += gap
    return tuple(times)


@st.composite
def pairs(draw: st.DrawFn, pod: str) -> tuple[Series, Series]:
    """Return a total and its bad part, scraped together; the part may be born late, both may reset."""
    times, total, bad = draw(timed()), 0, 0
    totals, parts, born = [], [], draw(st.integers(0, 5))
    for number, at in enumerate(times):
        if draw(st.integers(0, 9)) == 0:
            total = bad = 0
        requests = draw(st.integers(0, 50))
        failed = draw(st.integers(0, requests)) if number >= born else 0
        total, bad = total + requests, bad + failed
        totals.append((float(at), float(total)))
        if number >= born:
            parts.append((float(at), float(bad)))
    instance = draw(st.sampled_from(("i", pod)))
    return Series(f"{pod}/t", instance, pod, tuple(totals)), Series(f"{pod}/b", instance, pod, tuple(parts))


@st.composite
def families(draw: st.DrawFn, name: str) -> Family:
    """Return one to three pods of a backend."""
    both = [draw(pairs(f"{name}{number}")) for number in range(draw(st.integers(1, 3)))]
    return Family(tuple(total for total, _ in both), tuple(part for _, part in both))


def upto(family: Family, now: float, *, since: float | None = None) -> Family:
    """Return what a source shows at ``now``: samples since ``since``, and one before it for each series."""

    def seen(many: tuple[Series, ...]) -> tuple[Series, ...]:
        return tuple(replace(one, samples=_window(one.samples, now, since)) for one in many)

    return Family(seen(family.total), seen(family.part), family.part_is_good)


def _window(
    samples: tuple[tuple[float, float], ...], now: float, since: float | None
) -> tuple[tuple[float, float], ...]:
    shown = tuple(sample for sample in samples if sample[0] <= now)
    if since is None:
        return shown
    before = sum(1 for at, _ in shown if at <= since)
    return shown[max(0, before - 1) :]


def in_looks(canary: Family, stable: Family, moments: list[float], *, after: float | None) -> list[Tick]:
    """Return the ticks found by looking at these moments, each time from where the last look ended."""
    found: list[Tick] = []
    for now in moments:
        last = found[-1] if found else None
        since = last.at if last else None
        found += unchecked_ticks(
            canary=upto(canary, now, since=since),
            stable=upto(stable, now, since=since),
            after=last.at if last else after,
            since=last.since if last else None,
        )
    return found


MOMENTS = st.lists(st.floats(0, 200), max_size=8).map(sorted)


@given(families("c"), families("s"), MOMENTS, st.sampled_from((None, 5.0)))
def test_looking_more_often_finds_the_same_ticks(
    canary: Family, stable: Family, moments: list[float], after: float | None
) -> None:
    """However a stream of samples is split into looks, the ticks are those of one look at the end."""
    assert in_looks(canary, stable, [*moments, 300.0], after=after) == in_looks(canary, stable, [300.0], after=after)


@given(families("c"), families("s"))
def test_ticks_follow_each_other(canary: Family, stable: Family) -> None:
    """Each begins where the last one ended, and its stable pods sum to stable."""
    found = unchecked_ticks(canary=canary, stable=stable, after=None)

    assert all(before.at == later.since for before, later in pairwise(found))
    assert all(tick.since < tick.at and tick.covers_from <= tick.at for tick in found)
    assert all(sum(pod.total for _, pod in tick.stable_pods) == tick.stable.total for tick in found)


@given(families("c"), families("s"))
def test_no_request_is_counted_twice(canary: Family, stable: Family) -> None:
    """All ticks together never count more than all series ever grew by."""
    counted = sum(tick.canary.total for tick in unchecked_ticks(canary=canary, stable=stable, after=None))

    assert counted <= sum(_growth(series.samples) for series in canary.total)


def _growth(samples: tuple[tuple[float, float], ...]) -> int:
    values = [0.0, *(value for _, value in samples)]
    return round(sum(new - old if new >= old else new for old, new in pairwise(values)))


def batch_of(canary: Family, stable: Family, now: float, since: float | None = None) -> Batch:
    """Return a batch in which slowness shows the same counters as errors."""
    shown = {"v2": upto(canary, now, since=since), "v1": upto(stable, now, since=since)}
    counters: Mapping[tuple[str, str], Family] = {
        (name, count): family for name, family in shown.items() for count in (ERRORS, SLOW)
    }
    return Batch(counters)


def judged(canary: Family, stable: Family, moments: list[float], *, restarts: bool) -> tuple[Judgement, int]:
    """Return the last judgement and how many ticks were judged; with restarts the state goes through JSON each time."""
    state, begin = begin_attempt(5.0), judge(ANALYSIS, begin_attempt(5.0), look(5.0))
    said, count = begin, 0
    for now in moments:
        since = samples_wanted_since(state)
        said = judge(ANALYSIS, state, look(now, batch_of(canary, stable, now, since)))
        count += said.state is not state
        state = STATE.validate_json(STATE.dump_json(said.state, by_alias=True)) if restarts else said.state
    return said, count


@settings(max_examples=min(60, settings().max_examples))
@given(families("c"), families("s"), MOMENTS)
def test_a_restart_between_any_two_looks_changes_nothing(canary: Family, stable: Family, moments: list[float]) -> None:
    """A state that went through JSON gives the very same judgements."""
    looks = [*moments, 300.0]

    assert judged(canary, stable, looks, restarts=True)[0] == judged(canary, stable, looks, restarts=False)[0]


@settings(max_examples=min(60, settings().max_examples))
@given(families("c"), families("s"), MOMENTS)
def test_an_old_batch_again_changes_nothing(canary: Family, stable: Family, moments: list[float]) -> None:
    """Replaying what was judged leaves the state, and says the same."""
    first, _ = judged(canary, stable, [*moments, 90.0], restarts=False)
    again = judge(ANALYSIS, first.state, look(90.0, batch_of(canary, stable, 90.0)))
    older = judge(ANALYSIS, first.state, look(90.0, batch_of(canary, stable, 40.0)))

    assert again == first
    assert again.state is first.state
    assert older.state.streams is first.state.streams


@settings(max_examples=min(60, settings().max_examples))
@given(families("c"), families("s"), MOMENTS)
def test_looks_that_miss_lose_no_evidence(canary: Family, stable: Family, moments: list[float]) -> None:
    """A controller that was away judges in one look what it would have judged in many."""
    late, _ = judged(canary, stable, [300.0], restarts=False)
    often, _ = judged(canary, stable, [*moments, 300.0], restarts=False)

    assert late.state.streams == often.state.streams
    assert late.state.canary_requests == often.state.canary_requests


ODD = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(st.floats(0, 100), ODD), max_size=6).map(sorted), st.lists(st.tuples(st.floats(0, 100), ODD)))
def test_no_numbers_make_it_raise(total: list[tuple[float, float]], part: list[tuple[float, float]]) -> None:
    """The judge is total: nonsense is a reason to hold."""
    nonsense = Family((Series("t", "i", "p", tuple(total)),), (Series("b", "i", "p", tuple(sorted(part))),))
    good = Family((Series("t", "i", "p", ((0.0, 0.0), (6.0, 10.0), (50.0, 90.0))),), ())
    for canary, stable in ((nonsense, good), (good, nonsense), (nonsense, nonsense)):
        said = judge(ANALYSIS, begin_attempt(5.0), look(60.0, batch_of(canary, stable, 100.0)))

        assert said.verdict in {"Hold", "Continue", "Fail"}


def test_split_streams_give_what_whole_ones_give() -> None:
    """The plain case: three scrapes in one look, or one by one."""
    one = Series("t", "i", "p", ((0.0, 0.0), (10.0, 5.0), (20.0, 9.0), (30.0, 20.0)))
    both = Family((one,), ())
    whole = ticks(canary=both, stable=both, after=None)

    assert in_looks(both, both, [0.0, 11.0, 21.0, 30.0], after=None) == list(whole)
    assert [tick.canary.total for tick in whole] == [5, 4, 11]
