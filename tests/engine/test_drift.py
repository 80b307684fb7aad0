"""Facts about foreign hands on our weights, and about when a write may go."""

from dataclasses import replace
from itertools import pairwise

import pytest

from rollout.engine import drift
from rollout.engine.reasons import Reason
from rollout.engine.state import Drift, State
from rollout.engine.table import Phase
from tests.engine.builders import (
    ROUTE,
    V1,
    V2,
    World,
    aborted,
    at_rest,
    context,
    rollout,
    route,
    rule,
    under_way,
    weighing,
)


def _conditions(world: World) -> dict[str, str]:
    return {condition.type: condition.status for condition in world.state.conditions}


def _meddled(world: World, times: int, *, every: float = 1.0) -> World:
    for _ in range(times):
        world.meddle(30, 70, by="helm")
        world.look(after=every)
    return world


def _resting(**spec: object) -> World:
    world = at_rest(**spec)
    world.look()
    return world


def test_a_foreign_change_during_an_attempt_is_put_back() -> None:
    """With Correct, the weights are as intended again after one pass."""
    world = _meddled(under_way(), 1)

    assert world.weights() == (95, 5)
    assert world.state.phase is Phase.PROGRESSING


def test_a_foreign_change_is_told_with_its_author() -> None:
    """The condition names who changed the weights, where that is known."""
    world = _meddled(under_way(), 1)

    told = next(one for one in world.state.conditions if one.type == "DriftDetected")
    assert (told.status, told.message) == ("True", "helm changed the weights.")


def test_an_unknown_author_is_somebody_else() -> None:
    """Where the route does not tell who changed it, nobody is named."""
    world = under_way()
    world.meddle(30, 70)
    world.look(after=1)

    assert world.state.drift.by == "somebody else"


def test_three_changes_in_ten_minutes_are_put_back() -> None:
    """The third change is still put back and the attempt goes on."""
    world = _meddled(under_way(), 3)

    assert world.weights() == (95, 5)
    assert world.state.phase is Phase.PROGRESSING


def test_the_fourth_change_in_ten_minutes_pauses() -> None:
    """Then the attempt is Paused, OwnershipConflict, and the weights found are left."""
    world = _meddled(under_way(), 4)

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.OWNERSHIP_CONFLICT)
    assert world.weights() == (30, 70)
    assert (
        world.state.message == "helm changed the weights 4 times in 10 minutes; they are left as they are until resume."
    )
    assert _conditions(world)["OwnershipConflict"] == "True"


def test_a_change_that_cannot_be_put_back_yet_counts_once() -> None:
    """The same foreign change seen in several passes, because our write fails, is one change."""
    world = under_way()
    world.lost = True
    world.meddle(30, 70)
    for _ in range(5):
        world.look(after=1)

    assert len(world.state.drift.repairs) == 1
    assert world.state.phase is Phase.PROGRESSING


def test_changes_more_than_ten_minutes_apart_are_forgotten() -> None:
    """A fourth change after ten minutes is put back like the first."""
    world = _meddled(under_way(steps=[{"weight": 5, "hold": "2h"}]), 3)

    _meddled(world, 1, every=drift.WINDOW_SECONDS)

    assert world.weights() == (95, 5)
    assert world.state.phase is Phase.PROGRESSING


def test_hands_stay_off_until_resume() -> None:
    """Paused by a conflict, nothing is written however long it takes."""
    world = _meddled(under_way(), 4)

    decision = world.look(after=3600)

    assert decision.writes == ()
    assert world.weights() == (30, 70)


def test_hands_stay_off_when_the_weights_come_back_by_themselves() -> None:
    """Weights that are as intended again do not end the pause."""
    world = _meddled(under_way(), 4)
    world.meddle(95, 5)
    world.look(after=1)

    assert world.state.phase is Phase.PAUSED
    assert world.state.drift.hands_off


def test_resume_takes_the_weights_over() -> None:
    """Resume writes what is intended over what was left, and forgets the repairs."""
    world = _meddled(under_way(), 4)

    world.tell("resume")
    world.look(after=1)

    assert world.weights() == (95, 5)
    assert world.state.drift == Drift()
    assert world.state.phase is Phase.PROGRESSING


def test_taking_over_what_is_gone_keeps_what_was_written() -> None:
    """Where the route is gone at resume, the last write of ours stays the last known."""
    world = _meddled(under_way(), 4)

    taken = drift.take_over(world.state, context(routes={}))

    assert taken.owned == world.state.owned
    assert taken.drift == Drift()


def test_pause_leaves_the_first_change() -> None:
    """With Pause, the first foreign change pauses the attempt and is left."""
    world = _meddled(under_way(drift="Pause"), 1)

    assert (world.state.phase, world.state.reason) == (Phase.PAUSED, Reason.DRIFT_DETECTED)
    assert world.weights() == (30, 70)
    assert world.state.message == "helm changed the weights; they are left as they are until resume."


def test_pause_at_rest_leaves_the_change_as_a_condition() -> None:
    """With Pause and no attempt, the phase stays and the condition tells it."""
    world = _meddled(_resting(drift="Pause"), 1)
    world.look(after=drift.WINDOW_SECONDS * 2)

    assert world.weights() == (30, 70)
    assert world.state.phase is Phase.IDLE
    assert _conditions(world)["DriftDetected"] == "True"


def test_ignore_leaves_the_change_and_goes_on() -> None:
    """With Ignore, the weights found are left and the attempt is not paused."""
    world = _meddled(under_way(drift="Ignore"), 6)

    assert world.weights() == (30, 70)
    assert world.state.phase is Phase.PROGRESSING
    assert _conditions(world)["DriftDetected"] == "True"


def test_a_change_at_rest_is_put_back() -> None:
    """Between attempts a foreign change is put back too."""
    world = _meddled(_resting(), 1)

    assert world.weights() == (100, 0)
    assert world.state.phase is Phase.IDLE


def test_many_changes_at_rest_are_left_without_a_pause() -> None:
    """The fourth change at rest is left: a condition, no other phase."""
    world = _meddled(_resting(), 4)

    assert world.weights() == (30, 70)
    assert world.state.phase is Phase.IDLE
    assert _conditions(world)["OwnershipConflict"] == "True"


def test_a_conflict_at_rest_is_looked_at_again() -> None:
    """At rest the next look is due when the first repair is ten minutes old, and then it is put back."""
    world = _meddled(_resting(), 4)
    again = world.look().next_at

    assert again == world.state.drift.repairs[0] + drift.WINDOW_SECONDS
    world.look(after=again - world.now)
    assert world.weights() == (100, 0)


@pytest.mark.parametrize("mode", ["Ignore", "Pause"])
def test_a_conflict_at_rest_is_over_once_it_is_not_to_be_corrected(mode: str) -> None:
    """With another mode the weights found are left, no look is due for their sake, and nobody speaks of a conflict."""
    world = _meddled(_resting(), 4)
    world.wanted = rollout(drift=mode)
    world.look(after=1)
    decision = world.look(after=drift.WINDOW_SECONDS)

    assert (decision.writes, decision.next_at) == ((), None)
    assert world.weights() == (30, 70)
    assert (_conditions(world)["DriftDetected"], _conditions(world)["OwnershipConflict"]) == ("True", "False")


def test_a_conflict_after_an_abort_is_over_once_it_is_ignored() -> None:
    """Repairs after an abort end where the changes of others are to be ignored, not where an attempt would pause."""
    world = _meddled(aborted(), 6, every=60)
    world.wanted = rollout(drift="Pause")
    world.look(after=1)
    assert _conditions(world)["OwnershipConflict"] == "True"
    world.wanted = rollout(drift="Ignore")
    world.look(after=1)

    assert _conditions(world)["OwnershipConflict"] == "False"


def test_repairs_that_are_long_past_let_no_look_be_due() -> None:
    """Hands that stay off after the window is over are no reason to look again and again."""
    world = _meddled(_resting(), 4)
    late = context(now=world.now + drift.WINDOW_SECONDS)

    assert drift.writes(world.state, late) == ((), None)


def test_a_conflict_that_paused_is_left_until_resume_in_any_mode() -> None:
    """What was said when the attempt paused stays true, whatever the mode is now."""
    world = _meddled(under_way(), 4)
    world.wanted = rollout(drift="Ignore", revision="2")
    world.look(after=1)

    assert world.state.drift.hands_off
    assert _conditions(world)["OwnershipConflict"] == "True"


def test_a_change_is_forgotten_once_the_window_is_over() -> None:
    """Ten quiet minutes after a repair nothing of it is kept."""
    world = _meddled(_resting(), 1)
    world.look(after=drift.WINDOW_SECONDS + 1)

    assert world.state.drift == Drift()


def test_after_an_abort_repair_never_stops() -> None:
    """However often the weights are changed after an abort, they are put back."""
    world = _meddled(aborted(), 12, every=drift.LONGEST_GAP_SECONDS)

    assert world.weights() == (100, 0)
    assert world.state.phase is Phase.ABORTED


def test_after_an_abort_the_gaps_grow_to_a_minute() -> None:
    """Repairs after an abort come 0, 1, 2, 4 s and so on after the last, never more than 60 s."""
    world = aborted()
    repaired: list[float] = []
    for _ in range(300):
        if world.weights() == (100, 0):
            world.meddle(30, 70)
        if world.look(after=1).writes:
            repaired.append(world.now)

    gaps = [after - before for before, after in pairwise(repaired)]
    assert gaps[:7] == [1, 2, 4, 8, 16, 32, 60]


def test_after_an_abort_the_next_repair_is_due_by_itself() -> None:
    """A repair that must wait says when the next look is due."""
    world = _meddled(aborted(), 2)
    world.meddle(30, 70)
    decision = world.look()

    assert decision.writes == ()
    assert decision.next_at == world.now + 2


def test_the_conflict_after_an_abort_is_told_once() -> None:
    """Changed again and again after an abort, the condition turns True once and stays."""
    world = _meddled(aborted(), 6, every=60)
    before = next(one for one in world.state.conditions if one.type == "OwnershipConflict")
    _meddled(world, 3, every=60)

    assert before.status == "True"
    assert next(one for one in world.state.conditions if one.type == "OwnershipConflict") == before


def test_an_unfinished_write_of_our_own_is_not_drift() -> None:
    """A route that still says what we wrote before is written, and nobody is blamed."""
    world = at_rest()
    world.lost = True
    world.tell("start", revision="2")
    decision = world.look(after=1)

    assert [write.weights for write in decision.writes] == [((V1, 95), (V2, 5))]
    assert world.state.drift == Drift()


def test_a_write_whose_answer_was_lost_is_acknowledged_by_what_is_seen() -> None:
    """Weights that are found as intended count as written, so a later change is somebody else's."""
    world = at_rest()
    world.lost = True
    world.tell("start", revision="2")
    world.views[ROUTE] = weighing(95, 5)
    world.look(after=1)
    world.meddle(30, 70)
    world.look(after=1)

    assert world.state.drift.by == "somebody else"


def test_a_route_that_is_gone_is_no_drift() -> None:
    """Where nothing can be seen, nothing was changed."""
    world = under_way()

    assert drift.foreign(world.state, context(routes={ROUTE: None})) == ()


def test_with_unknown_roles_nothing_is_drift() -> None:
    """As long as the roles are unknown, nothing is intended and nothing drifts."""
    assert drift.foreign(State(), context()) == ()


_SLOW = {"minWriteInterval": "30s"}


def test_weights_are_not_written_more_often_than_the_gateway_bears() -> None:
    """Within `minWriteInterval` of the last write, a change of weights alone waits, and says until when."""
    world = under_way(gateway=_SLOW, steps=[{"weight": 5, "hold": "0s"}, {"weight": 50, "hold": "1h"}])
    decision = world.look()

    assert (world.state.share, decision.writes) == (50.0, ())
    assert decision.next_at == world.state.last_write_at + 10
    world.look(after=30)
    assert world.weights() == (50, 50)


def test_a_change_from_zero_goes_at_once() -> None:
    """The canary's first weight does not wait for `minWriteInterval`."""
    world = at_rest(gateway=_SLOW)
    world.state = replace(world.state, last_write_at=world.now)
    world.tell("start", revision="2")

    assert world.weights() == (95, 5)


def test_a_change_to_zero_goes_at_once() -> None:
    """Neither does taking all weight from stable."""
    world = under_way(gateway=_SLOW)
    world.tell("promote", full=True)

    assert world.weights() == (0, 100)


def test_an_abort_goes_at_once() -> None:
    """An abort waits for no interval, not even where no weight becomes zero."""
    world = under_way(gateway={**_SLOW, "separateClusters": True})
    world.tell("abort")

    assert world.weights()[0] >= 999_999


def test_hands_stay_off_while_suspended() -> None:
    """With `spec.suspend` nothing is written."""
    world = under_way()
    world.wanted = at_rest(suspend=True).wanted
    world.meddle(30, 70)

    assert world.look(after=1).writes == ()


def test_a_rule_that_is_gone_is_not_written() -> None:
    """A route without our rule gets no write."""
    world = under_way()

    assert drift.writes(world.state, context(routes={ROUTE: route(rule({V1: 1}))})) == ((), None)


def test_rules_of_one_route_are_written_together() -> None:
    """One write for each route has all its rules, each with its own total."""
    world = World(views={ROUTE: route(rule({V1: 100, V2: 0}), rule({V1: 1000, V2: 0}, index=1))})
    world.look()
    decision = world.tell("start", revision="2")

    assert [[sorted(ours.weights.values()) for ours in write.rules] for write in decision.writes] == [
        [[5, 95], [50, 950]]
    ]


def test_only_written_routes_are_acknowledged() -> None:
    """A write that failed leaves what was known of its route."""
    world = at_rest()
    world.lost = True
    world.tell("start", revision="2")

    assert drift.acknowledge(world.state, (), world.now).owned == world.state.owned


def test_an_abort_writes_over_weights_that_were_left() -> None:
    """Hands that were kept off because of a conflict are back for an abort."""
    world = _meddled(under_way(), 4)
    world.tell("abort")

    assert world.weights() == (100, 0)


def test_an_abort_writes_over_weights_that_are_ignored() -> None:
    """With Ignore, too, an abort takes all weight from the canary."""
    world = _meddled(under_way(drift="Ignore"), 1)
    world.tell("abort")

    assert world.weights() == (100, 0)


def test_a_conflict_after_an_abort_is_told_once() -> None:
    """As a transition that names who it is; the weights are put back all the same, and the reason stays."""
    world = aborted()
    reason = world.state.reason
    for _ in range(6):
        world.meddle(0, 100, by="argocd")
        while world.weights()[0] == 0:
            world.look(after=1)
    told = [made for made in world.state.transitions if made.reason == Reason.OWNERSHIP_CONFLICT]

    assert [made.message for made in told] == [
        "argocd changes the weights again and again; they are put back each time."
    ]
    assert world.state.reason == reason
