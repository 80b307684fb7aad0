"""Facts about moving: the context of a decision, and the one way to make a transition."""

import pytest

from rollout.engine.moves import MOST_MESSAGE, Context, intended, move, say
from rollout.engine.observation import UNKNOWN_ENDPOINTS, Endpoints
from rollout.engine.state import MOST_TRANSITIONS, State
from rollout.engine.table import Phase, Trigger
from tests.engine.builders import DOWN, NOW, UP, V1, V2, at_rest, context, seen, under_way


def _paused_and_resumed(times: int) -> State:
    state, now = under_way().state, context()
    for _ in range(times):
        state = move(state, now, Trigger.PAUSE, "Paused", "Paused.")
        state = move(state, now, Trigger.RESUME, "Resumed", "Resumed.")
    return state


def test_a_transition_is_numbered_and_told() -> None:
    """A move has the next number, the time, the phase reached, the weights, the reason and the sentence."""
    before = under_way().state
    state = move(before, context(), Trigger.PAUSE, "Because", "It is so.")

    made = state.transitions[-1]
    assert (made.number, made.at, made.phase, made.step) == (before.number + 1, NOW, Phase.PAUSED, 1)
    assert (made.weights, made.reason, made.message) == (((V1, 95), (V2, 5)), "Because", "It is so.")


def test_a_move_gives_the_state_its_phase_and_reason() -> None:
    """After a move, phase, reason and message of the state are those of the transition."""
    state = move(under_way().state, context(), Trigger.PAUSE, "Because", "It is so.")

    assert (state.phase, state.reason, state.message) == (Phase.PAUSED, "Because", "It is so.")


def test_the_last_twenty_transitions_are_kept() -> None:
    """Older ones are dropped, numbers go on."""
    state = _paused_and_resumed(20)

    assert len(state.transitions) == MOST_TRANSITIONS
    assert [made.number for made in state.transitions] == list(range(state.number - 19, state.number + 1))


def test_a_move_that_the_table_lacks_is_an_error() -> None:
    """Only the table says what may follow."""
    with pytest.raises(KeyError):
        move(at_rest().state, context(), Trigger.RESUME, "Resumed", "Resumed.")


def test_saying_the_same_gives_the_very_same_state() -> None:
    """Nothing is copied where nothing is new."""
    state = State(reason="Because", message="It is so.")

    assert say(state, "Because", "It is so.") is state


def test_a_message_is_cut_at_its_bound() -> None:
    """A sentence longer than 1,024 characters is cut."""
    assert len(say(State(), "Because", "x" * 5000).message) == MOST_MESSAGE


def test_nothing_is_intended_while_roles_are_unknown() -> None:
    """Without roles there are no intended weights to tell."""
    assert intended(State()) == ()


def test_a_context_without_a_rollout_has_neither_spec_nor_steps() -> None:
    """An invalid Rollout gives a context that knows only what is seen."""
    bare = Context.of(None, seen())

    assert (bare.spec, bare.steps, bare.now) == (None, (), NOW)


@pytest.mark.parametrize(
    ("found", "is_ready", "is_down"),
    [
        (UP, True, False),
        (DOWN, False, True),
        (Endpoints(ready=0, total=0), False, True),
        (UNKNOWN_ENDPOINTS, False, False),
        (Endpoints(ready=1, total=2), True, False),
    ],
)
def test_ready_and_down_need_a_look(found: Endpoints, is_ready: bool, is_down: bool) -> None:  # noqa: FBT001 - a row
    """A backend that was not seen yet is neither ready nor down."""
    now = context(endpoints={V1: found})

    assert (now.is_ready(V1), now.is_down(V1)) == (is_ready, is_down)


def test_a_backend_nobody_looked_at_is_unknown() -> None:
    """Endpoints that are absent from the observation are unknown."""
    assert context(endpoints={}).endpoints(V1) is UNKNOWN_ENDPOINTS
