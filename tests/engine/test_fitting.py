"""Facts about the room in a status: it stays below 32 KiB, however much sinks were not told of."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from rollout.engine.fitting import COMPACT_TEXT, MOST_STATUS
from rollout.engine.moves import MOST_MESSAGE
from rollout.engine.observation import Cursor
from rollout.engine.state import MOST_TRANSITIONS, MOST_UNTOLD, Failing, State
from rollout.engine.status import from_status, to_status
from rollout.failover.table import Stage
from tests.engine.builders import batch, under_way, with_long_names
from tests.engine.tiered import away

ERRORS = {"checks": [{"name": "errors", "kind": "Errors"}], "warmUp": "0s"}
SENTENCE = "Step 2 of 5: 25 % to the canary, after 4,096 requests of which 3 were bad (0.07 %; stable 0.06 %)."
LARGEST_SEQUENCE = 2**63


def untold(state: State, *, message: str = SENTENCE, count: int = MOST_UNTOLD) -> State:
    """Return the state with so many transitions that a sink was not told of, all but the last as that one is."""
    made = replace(state.transitions[-1], message=message)
    numbered = tuple(replace(made, number=1000 + place, at=1.7e9 + place / 7) for place in range(count))
    return replace(state, number=numbered[-1].number, transitions=numbered, notified=(Cursor("slack", 999),))


def judged() -> State:
    """Return a state in the middle of an attempt, with evidence."""
    world = under_way(analysis=ERRORS)
    world.look(after=10, batch=batch((world.now + 1, 1000, 50), (world.now + 9, 2000, 100)))
    return world.state


def wide(state: State, *, sinks: int, letter: str = "m") -> State:
    """Return the state with the longest names, answers, messages and cursors there can be."""
    names = [f"{place}".rjust(63, "b") for place in range(10)]
    weights = tuple((name, 1_000_000) for name in names)
    failing = Failing(Stage.FAILED_OVER, names[2], 1000)
    return replace(
        with_long_names(state, names),
        transitions=tuple(
            replace(made, weights=weights, failover=failing, message=letter * MOST_MESSAGE)
            for made in state.transitions
        ),
        notified=tuple(
            Cursor(f"{place}".rjust(63, "s"), 999, 1_700_000_000.123456, "t" * 128, 1000, "p" * 200)
            for place in range(sinks)
        ),
    )


def stored(state: State) -> int:
    """Return how many bytes the status has, each transition with the number that a store gives it."""
    status = json.loads(json.dumps(to_status(state)))
    for made in status["transitions"]:
        made["sequence"] = LARGEST_SEQUENCE
    return len(json.dumps(status))


def test_a_hundred_untold_transitions_have_room() -> None:
    """With sentences as they are: all stand there, the last twenty whole, the next ones with their sentences."""
    state = untold(judged())
    read = from_status(json.loads(json.dumps(to_status(state))))
    assert read is not None
    older = read.transitions[:-MOST_TRANSITIONS]

    assert [made.number for made in read.transitions] == [made.number for made in state.transitions]
    assert read.transitions[-MOST_TRANSITIONS:] == state.transitions[-MOST_TRANSITIONS:]
    assert {made.weights for made in older} == {()}
    assert all(SENTENCE.startswith(made.message) and len(made.message) >= COMPACT_TEXT for made in older)
    assert older[-1].message == SENTENCE


def test_what_is_compact_is_told_as_what_it_is() -> None:
    """Number, time, reason, phase, step, attempt, and where failover stood are what they were."""
    state = untold(away().state, count=60)
    read = from_status(json.loads(json.dumps(to_status(state))))
    assert read is not None

    assert [replace(made, weights=(), message="") for made in read.transitions] == [
        replace(made, weights=(), message="") for made in state.transitions
    ]


def test_a_status_that_was_read_is_written_as_it_was() -> None:
    """What was cut stays, and nothing more is lost with each restart."""
    status = to_status(untold(judged()))
    read = from_status(json.loads(json.dumps(status)))
    assert read is not None

    assert to_status(read) == status


@pytest.mark.parametrize("letter", ["m", "\N{CJK UNIFIED IDEOGRAPH-4E00}", '"'])
@pytest.mark.parametrize("sinks", [0, 1, 8])
def test_the_longest_of_all_have_room(sinks: int, letter: str) -> None:
    """Names, messages, answers, cursors of eight sinks: below 32 KiB, the newest there, none missing in between."""
    state = wide(untold(away().state, message="m" * MOST_MESSAGE), sinks=sinks, letter=letter)
    read = from_status(json.loads(json.dumps(to_status(state))))
    assert read is not None
    numbers = [made.number for made in read.transitions]

    assert stored(state) <= MOST_STATUS
    assert len(numbers) >= 3
    assert numbers == list(range(state.number - len(numbers) + 1, state.number + 1))
    assert read.transitions[-1] == replace(state.transitions[-1], message=read.transitions[-1].message)


@pytest.mark.parametrize("letter", ["m", "\N{CJK UNIFIED IDEOGRAPH-4E00}", '"'])
def test_the_oldest_go_first_where_there_is_no_room(letter: str) -> None:
    """Long names and messages: as many as fit are there, the newest, and what is cut is a beginning."""
    state = untold(judged(), message=letter * MOST_MESSAGE)
    failing = Failing(Stage.FAILED_OVER, "b" * 253, 7)
    state = replace(state, transitions=tuple(replace(made, failover=failing) for made in state.transitions))
    read = from_status(json.loads(json.dumps(to_status(state))))
    assert read is not None
    kept = len(read.transitions)

    assert stored(state) <= MOST_STATUS
    assert MOST_TRANSITIONS <= kept < MOST_UNTOLD
    assert [made.number for made in read.transitions] == [made.number for made in state.transitions[-kept:]]
    assert all((letter * MOST_MESSAGE).startswith(made.message) for made in read.transitions)


def test_the_problems_of_many_sinks_are_short() -> None:
    """A few have theirs whole."""
    state = judged()
    few = replace(state, notified=(Cursor("slack", 1, problem="p" * 200),))
    many = replace(state, notified=tuple(Cursor(f"sink-{place}", 1, problem="p" * 200) for place in range(32)))

    assert from_status(to_status(few)) == few
    assert stored(many) <= MOST_STATUS
    assert '"problem": "' + "p" * 50 + '"' in json.dumps(to_status(many))
