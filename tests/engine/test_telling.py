"""Facts about who was told how far: what is recorded of it, when, and which transitions stay for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.moves import move
from rollout.engine.observation import Cursor, Telling
from rollout.engine.state import MOST_TRANSITIONS, MOST_UNTOLD, State
from rollout.engine.status import from_status, to_status
from rollout.engine.table import Trigger
from rollout.engine.telling import joined, kept
from tests.engine.builders import ROUTE, World, at_rest, context, under_way

SLACK, PAGER = "slack", "pager"


def telling(*sinks: str, due: bool = False, **told: int) -> Telling:
    """Return who is to be told, and up to which number each was."""
    return Telling(sinks, {name: Cursor(name, number) for name, number in told.items()}, due)


def notified(*sinks: str, **recorded: int) -> World:
    """Return a world after five transitions, of which these sinks were told so far, or of all."""
    world = under_way()
    busy(world, 2, None)
    cursors = (Cursor(name, recorded.get(name, world.state.number)) for name in sinks)
    world.state = replace(world.state, notified=tuple(cursors))
    return world


def cursors(world: World) -> dict[str, int]:
    """Return how far each sink was told by the state."""
    return {cursor.sink: cursor.number for cursor in world.state.notified}


def busy(world: World, times: int, seen: Telling | None) -> None:
    """Pause and resume so many times, each of it a pass with its transition."""
    for _ in range(times):
        world.look(ask="pause", telling=seen)
        world.look(ask="resume", telling=seen)


# ---------------------------------------------------------------- cursors


def test_nobody_is_told_anything() -> None:
    """Without sinks there is nothing to record, ever."""
    world = under_way()
    world.look(after=1)

    assert world.state.notified == ()
    assert not world.look(after=1).significant


def test_a_new_sink_is_told_what_this_pass_brings_and_no_history() -> None:
    """It starts where the state stood before the pass, and that is recorded."""
    world = at_rest()
    before = world.state.number
    decision = world.look(ask="start", telling=telling(SLACK))

    assert decision.significant
    assert decision.transitions
    assert cursors(world) == {SLACK: before}


def test_a_new_sink_is_recorded_by_itself() -> None:
    """Where nothing else happens, too, and then there is quiet."""
    world = under_way()
    world.look(after=1)

    assert world.look(telling=telling(SLACK)).significant
    assert not world.look(after=1, telling=telling(SLACK)).significant


@pytest.mark.parametrize("seen", [telling(SLACK), None])
def test_a_sink_that_is_not_wanted_any_more_loses_its_cursor(seen: Telling | None) -> None:
    """One of two, or all: that is recorded by itself."""
    world = notified(PAGER, SLACK)
    decision = world.look(after=1, telling=seen)

    assert decision.significant
    assert set(cursors(world)) == ({SLACK} if seen is not None else set())


def test_a_cursor_that_moved_rides_along_with_the_next_write() -> None:
    """Alone it is no reason to write."""
    world = notified(SLACK, slack=1)
    seen = telling(SLACK, slack=world.state.number)
    quiet = world.look(after=1, telling=seen)
    before = cursors(world)
    world.look(ask="pause", telling=seen)

    assert not quiet.significant
    assert (before, cursors(world)) == ({SLACK: 1}, {SLACK: seen.told[SLACK].number})


def test_a_cursor_that_is_due_is_recorded_once() -> None:
    """As long as it stays due nothing differs, so that nothing is written."""
    world = notified(SLACK, slack=1)
    seen = telling(SLACK, due=True, slack=2)

    assert [world.look(after=1, telling=seen).significant for _ in range(3)] == [True, False, False]
    assert cursors(world) == {SLACK: 2}


def test_the_farther_cursor_counts() -> None:
    """The recorded one, where the replica has told nothing yet, or less; and what a sink says at the same number."""
    state = State(number=9, notified=(Cursor(PAGER, 7, at=1.0), Cursor(SLACK, 5, thread="old")))
    told = {PAGER: Cursor(PAGER, 3), SLACK: Cursor(SLACK, 5, thread="new", problem="it is gone")}

    assert joined(state, Telling((SLACK, PAGER), told)) == (state.notified[0], told[SLACK])


def test_a_sink_that_nobody_knows_here_keeps_its_cursor() -> None:
    """It is wanted, and who knows it goes on where it was."""
    world = notified(PAGER, SLACK, pager=1)
    world.look(ask="pause", telling=telling(PAGER, SLACK, slack=2))

    assert cursors(world)[PAGER] == 1


def test_a_cursor_of_another_life_of_the_name_is_not_believed() -> None:
    """It is beyond all that there was to tell; else what comes would be taken for told."""
    state = State(number=3, notified=(Cursor(PAGER, 40), Cursor(SLACK, 2)))

    assert joined(state, telling(PAGER, SLACK, pager=41, slack=50)) == (Cursor(PAGER, 3), Cursor(SLACK, 2))


def test_the_order_of_the_sinks_is_no_news() -> None:
    """They are kept by name, as a store may give them back."""
    state = State(number=3)

    assert joined(state, telling(SLACK, PAGER)) == joined(state, telling(PAGER, SLACK))


def test_a_rollout_that_is_adopted_anew_knows_who_was_told() -> None:
    """Its status is older than the weights; its numbers go on, and so do the sinks."""
    world = notified(SLACK, slack=2)
    world.meddle(0, 100)
    view = world.views[ROUTE]
    assert view is not None
    world.views[ROUTE] = replace(view, written_at=world.now + 60)
    world.look(after=61, session_started_at=world.now + 61, telling=telling(SLACK))

    assert "newer than the status" in " ".join(made.message for made in world.state.transitions)
    assert cursors(world) == {SLACK: 2}


# ---------------------------------------------------------------- transitions


def test_transitions_stay_for_a_sink_that_was_not_told() -> None:
    """Those after its cursor, though they are more than the last twenty."""
    world = notified(PAGER, SLACK, pager=2)
    busy(world, 15, telling(PAGER, SLACK, slack=4))
    numbers = [made.number for made in world.state.transitions]

    assert numbers == list(range(3, world.state.number + 1))
    assert len(numbers) > MOST_TRANSITIONS


def test_there_is_a_bound_to_what_stays() -> None:
    """A sink that is dead for ever does not make a state grow for ever."""
    world = notified(PAGER, pager=1)
    busy(world, 60, telling(PAGER))

    assert [made.number for made in world.state.transitions] == list(
        range(world.state.number - MOST_UNTOLD + 1, world.state.number + 1)
    )


def test_what_was_told_goes_with_the_record_that_says_so() -> None:
    """Not before: a status never has a cursor and lacks what comes after it."""
    world = notified(PAGER, pager=1)
    busy(world, 20, telling(PAGER))
    told = world.state.number - 1
    world.look(after=1, telling=telling(PAGER, pager=told))
    before = len(world.state.transitions)
    world.look(after=1, telling=telling(PAGER, due=True, pager=told))

    assert before > MOST_TRANSITIONS
    assert len(world.state.transitions) == MOST_TRANSITIONS


def test_the_last_ones_stay_whoever_was_told() -> None:
    """People read them."""
    made = under_way().state.transitions[-1]
    all_made = tuple(replace(made, number=number) for number in range(1, 31))

    assert kept(all_made, (Cursor(SLACK, 30),)) == all_made[-MOST_TRANSITIONS:]
    assert kept(all_made, ()) == all_made[-MOST_TRANSITIONS:]
    assert kept(all_made, (Cursor(SLACK, 30), Cursor(PAGER, 5))) == all_made[5:]


def test_a_transition_knows_its_attempt() -> None:
    """From the first one of an attempt on; before any, it has none."""
    world = under_way()
    paused = move(world.state, context(), Trigger.PAUSE, "Because", "It is so.")

    assert at_rest(steps=[{"weight": 5}]).state.attempt == 0
    assert (world.state.attempt, paused.transitions[-1].attempt) == (1, 1)
    assert [made.attempt for made in world.state.transitions] == [1] * len(world.state.transitions)


# ---------------------------------------------------------------- the status


def test_cursors_come_back_as_they_were() -> None:
    """Through JSON and back, with all that a sink keeps."""
    cursor = Cursor(SLACK, 7, at=12.5, thread="C1:17.4", attempt=3, problem="it answers 503")
    state = replace(under_way().state, notified=(Cursor(PAGER, 0), cursor))
    status = json.loads(json.dumps(to_status(state)))

    assert from_status(status) == state


def test_what_is_as_in_the_beginning_is_left_out() -> None:
    """A sink that was told nothing has its number alone; without sinks there is nothing."""
    state = replace(under_way().state, notified=(Cursor(PAGER, 0), Cursor(SLACK, 7, at=12.5)))

    assert to_status(state)["notified"] == {PAGER: {"number": 0}, SLACK: {"number": 7, "at": 12.5}}
    assert "notified" not in to_status(replace(state, notified=()))


def test_a_status_from_before_there_were_sinks_is_read() -> None:
    """Nobody was told, and of which attempt a transition was is not known."""
    state = under_way().state
    status = json.loads(json.dumps(to_status(state)))
    for made in status["transitions"]:
        del made["attempt"]
    older = tuple(replace(made, attempt=0) for made in state.transitions)

    assert from_status(status) == replace(state, transitions=older)


# ---------------------------------------------------------------- none is lost


@dataclass(slots=True)
class Town:
    """A Rollout, its recorded status, and sinks that are told from its state; a crash leaves the status alone."""

    world: World = field(default_factory=under_way)
    told: dict[str, Cursor] = field(default_factory=dict)
    heard: dict[str, list[int]] = field(default_factory=lambda: {SLACK: [], PAGER: []})
    status: dict[str, object] = field(default_factory=dict)

    def look(self, ask: str = "", *, due: bool = False) -> None:
        """Run one pass and record what must be recorded."""
        seen = Telling((SLACK, PAGER), dict(self.told), due)
        if self.world.look(after=1, ask=ask, telling=seen).significant:
            self.status = json.loads(json.dumps(to_status(self.world.state)))

    def deliver(self, sink: str, most: int) -> None:
        """Tell the sink the next of those that it was not told."""
        recorded = next(cursor for cursor in self.world.state.notified if cursor.sink == sink)
        cursor = self.told.get(sink, recorded)
        for made in [made for made in self.world.state.transitions if made.number > cursor.number][:most]:
            self.heard[sink].append(made.number)
            self.told[sink] = Cursor(sink, made.number)

    def crash(self) -> None:
        """Begin anew from what is recorded."""
        state = from_status(self.status)
        assert state is not None
        self.world.state, self.told = state, {}


HAPPENINGS = st.tuples(st.sampled_from(["pause", "resume", "look", "due", "crash", SLACK, PAGER]), st.integers(1, 8))


@given(st.lists(HAPPENINGS, max_size=70))
def test_each_sink_is_told_all_in_order_whatever_crashes(happenings: list[tuple[str, int]]) -> None:
    """None is left out, and what comes twice comes again from where it was recorded."""
    town = Town()
    town.look()
    first = town.world.state.number
    for what, most in happenings:
        match what:
            case "pause" | "resume":
                town.look(what)
            case "look" | "due":
                town.look(due=what == "due")
            case "crash":
                town.crash()
            case sink:
                town.deliver(sink, most)
    town.deliver(SLACK, MOST_UNTOLD)
    town.deliver(PAGER, MOST_UNTOLD)

    for heard in town.heard.values():
        assert list(dict.fromkeys(heard)) == list(range(first + 1, town.world.state.number + 1))
        assert all(later <= one + 1 for one, later in pairwise(heard))
