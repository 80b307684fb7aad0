"""Facts about the judge's word in a pass, and about what its samples say of the hold time."""

from __future__ import annotations

from math import nan

import pytest

from rollout.analysis.samples import Batch
from rollout.engine.decide import Decision
from rollout.engine.observation import Endpoints
from rollout.engine.reasons import Reason
from rollout.engine.table import Phase
from tests.engine.builders import NOW, V1, V2, World, at_rest, batch, under_way

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s", "minRequests": 0}
DOWN = ("SourceDown", "connection refused")
LONG: list[dict[str, object]] = [{"weight": 5, "hold": "1h"}, {"weight": 50, "hold": "1h"}]


def _judged(**spec: object) -> World:
    """Return a world under way with errors judged."""
    return under_way(**{"analysis": ERRORS, "steps": LONG, **spec})


def _counted(world: World, *, until: float, canary: int = 100, bad: int = 0, since: float = 0.0) -> Batch:
    """Return samples each 10 s from `since` seconds after the start, `canary` requests to the canary each."""
    times = range(int(since), int(until) + 1, 10)
    return batch(*((NOW + at, 19 * canary * at // 10, canary * at // 10) for at in times), bad=bad)


def _watch(world: World, seconds: int) -> Decision:
    """Let a controller without restarts look each 10 s, with a fresh sample each."""
    decision = world.look()
    for _ in range(seconds // 10):
        world.now += 10
        elapsed = world.now - NOW
        decision = world.look(batch=_counted(world, until=elapsed, since=elapsed - 10))
    return decision


def test_nothing_is_judged_without_weight() -> None:
    """Before the first step there is nothing to judge, whatever the source says."""
    world = at_rest(analysis=ERRORS)
    world.endpoints[V2] = Endpoints(ready=0, total=1)
    world.tell("start", revision="2")
    world.look(after=300, source_problem=DOWN)

    assert (world.state.word, world.state.reason) == (None, Reason.CANARY_NOT_READY)


def test_samples_are_counted_for_the_step() -> None:
    """Requests that were measured are in the state, with the judge's word and the evidence of each check."""
    world = _judged()
    _watch(world, 60)

    assert world.state.judge is not None
    assert world.state.judge.step_canary_requests == 600
    assert world.state.word is not None
    assert [report.name for report in world.state.evidence] == ["errors"]


def test_the_word_stands_until_a_new_sample() -> None:
    """A pass without news neither asks the judge again nor changes its state."""
    world = _judged()
    _watch(world, 60)
    before = world.state.judge
    world.look(after=5)

    assert world.state.judge is before


def test_the_judge_is_asked_again_when_no_sample_came_for_long() -> None:
    """Silence becomes a reason to hold, also in a pass that nobody measured for."""
    world = _judged()
    _watch(world, 60)
    world.look(after=60)

    assert world.state.reason == "NoData"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Batch(unlabelled={V1: "cluster=v1", V2: "cluster=v2"}), "BackendsNotToldApart"),
        (batch((NOW, nan, nan)), "NotANumber"),
    ],
)
def test_what_an_answer_without_samples_says_stands_until_the_next_answer(seen: Batch, reason: str) -> None:
    """A pass in between, for whatever else happened, knows no other reason to hold, and nothing is to be recorded."""
    world = _judged()
    for _ in range(5):
        world.look(after=10, batch=seen)
    between = world.look(after=5)
    again = world.look(after=5, batch=seen)

    assert world.state.reason == reason
    assert (between.state.reason, between.significant, again.significant) == (reason, False, False)


def test_what_an_answer_without_samples_says_does_not_stand_for_ever() -> None:
    """Where no answer comes any more, that is the reason to hold."""
    world = _judged()
    for _ in range(5):
        world.look(after=10, batch=Batch(unlabelled={V1: "cluster=v1", V2: "cluster=v2"}))
    world.look(after=25)

    assert world.state.reason == "NoData"


def test_a_source_that_fails_is_a_word_at_once_when_samples_are_overdue() -> None:
    """The reason is what the source said."""
    world = _judged()
    _watch(world, 60)
    world.look(after=60, source_problem=DOWN)

    assert (world.state.reason, world.state.message) == ("SourceDown", "Connection refused.")


def test_hold_time_stands_still_under_a_hold() -> None:
    """Time in which the judge held does not count; it goes on with the next sample."""
    world = _judged()
    _watch(world, 60)
    world.look(after=60, source_problem=DOWN)
    held = world.state.hold.at(world.now)
    world.look(after=600, source_problem=DOWN)
    assert world.state.hold.at(world.now) == held
    _watch(world, 10)

    assert world.state.reason == Reason.HOLDING


def test_too_few_requests_hold_the_step_but_not_its_time() -> None:
    """With too few requests the step is not left; its hold time goes on."""
    world = _judged(analysis={**ERRORS, "minRequests": 100_000}, steps=[{"weight": 5, "hold": "30s"}, {"weight": 50}])
    _watch(world, 60)

    assert (world.state.step, world.state.reason) == (1, "TooFewRequests")
    assert world.state.hold.at(world.now) == 60


def test_a_step_that_cannot_get_enough_requests_says_so_at_once() -> None:
    """As soon as the traffic is known, the message says how long it takes and which weight would do."""
    world = _judged(analysis={**ERRORS, "minRequests": 100_000}, steps=[{"weight": 5, "hold": "1h"}, {"weight": 50}])
    _watch(world, 30)

    assert world.state.reason == "TooFewRequests"
    assert "a weight of" in world.state.message


def test_the_requests_of_the_step_are_waited_for() -> None:
    """A step's own `minRequests` counts from its beginning."""
    world = _judged(steps=[{"weight": 5, "minRequests": 450}, {"weight": 50, "hold": "1h"}])
    _watch(world, 40)
    assert (world.state.step, world.state.message) == (1, "400 of 450 requests that step 1 asks for.")
    _watch(world, 10)

    assert world.state.step == 2


def test_an_early_pass_leaves_the_step_before_its_time() -> None:
    """Where it is asked for, a step that has shown enough is left after a quarter of its hold time, and not before."""
    world = _judged(analysis={**ERRORS, "earlyPass": True}, steps=[{"weight": 5, "hold": "400s"}, LONG[1]])
    world.look()
    taken = 0
    while world.state.step == 1 and taken < 400:
        taken += 10
        world.now += 10
        elapsed = world.now - NOW
        world.look(batch=_counted(world, until=elapsed, since=elapsed - 10, canary=5000))

    assert 100 <= taken < 400


# ---------------------------------------------------------------- after a restart


def _absent(world: World, seconds: float) -> float:
    """Let no controller run for so long, then look without a sample; return when the new one began."""
    world.now += seconds
    world.look(session_started_at=world.now)
    return world.now


def test_absence_counts_when_samples_cover_it() -> None:
    """Hold time goes on while no controller ran, if the samples of that time are there afterwards."""
    world = _judged()
    _watch(world, 60)
    started = _absent(world, 300)
    world.now += 10
    world.look(session_started_at=started, batch=_counted(world, since=60, until=370))

    assert world.state.hold.at(world.now) == 370


def test_absence_does_not_count_where_samples_are_missing() -> None:
    """A gap in the samples of that time is taken off the hold time."""
    world = _judged()
    _watch(world, 60)
    started = _absent(world, 300)
    world.now += 10
    world.look(session_started_at=started, batch=_counted(world, since=350, until=370))

    assert world.state.hold.at(world.now) == 80


def test_samples_that_end_before_the_start_say_nothing_yet() -> None:
    """As long as no sample is newer than the start of the controller, nothing is taken off or given."""
    world = _judged()
    _watch(world, 60)
    started = _absent(world, 300)
    before = world.state.hold.at(world.now)
    world.look(session_started_at=started, batch=_counted(world, since=50, until=80))

    assert world.state.hold.at(world.now) == before


def test_absence_counts_where_nothing_is_judged() -> None:
    """Without checks no sample is needed to cover the absence."""
    world = under_way(steps=LONG)
    world.look(after=60)
    world.now += 300
    world.look(session_started_at=world.now)

    assert world.state.hold.at(world.now) == 360


def test_a_step_is_left_only_after_a_fresh_sample() -> None:
    """After a restart the hold time may be over, and yet one new sample is judged first."""
    world = _judged(steps=[{"weight": 5, "hold": "100s"}, {"weight": 50, "hold": "1h"}])
    _watch(world, 60)
    started = _absent(world, 15)
    world.look(after=30, session_started_at=started)
    assert (world.state.step, world.state.phase) == (1, Phase.PROGRESSING)
    world.look(session_started_at=started, batch=_counted(world, since=50, until=100))

    assert world.state.step == 2


def test_requests_far_from_the_weight_hold_the_step() -> None:
    """When the canary gets half of the requests at 5 %, the weights are not effective and the step holds."""
    world = _judged()
    for tick in range(1, 7):
        world.now += 10
        at = world.now
        seen = batch((at - 10, 500 * (tick - 1), 500 * (tick - 1)), (at, 500 * tick, 500 * tick))
        world.look(batch=seen)

    assert world.state.reason == Reason.WEIGHTS_INEFFECTIVE
    assert world.state.message == "The canary got 3000 of 6000 requests at a weight of 5 %."
