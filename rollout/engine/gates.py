"""Gates and hooks: who is called when, what their answers mean, and what is kept of them.

A gate of a step, or before the start or the promotion, must agree before the attempt goes on, each time anew. A hook of
a step is called once in it, after its weights are in force; one of a rollback once after it, whatever it answers. That
they were called stands in the state, so that a restart calls nobody twice who has answered. What is answered counts
for what was asked: not for a gate that was edited since. Called by the guards, by ``decide`` and by the phases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from rollout.engine.hooks import Fault, GateAnswer, GateKey, Hook
from rollout.engine.moves import Context
from rollout.engine.state import GateSeen, State
from rollout.engine.table import Phase
from rollout.spec.traffic import Gate, OnFailure

MOST_KEPT = 16
"""So many gates are kept at most, the newest: those of a step and of a rollback (8 each) all stay."""

MOST_MESSAGE = 200
"""So many bytes of JSON has what is kept of an answer."""

ROLLBACK_SECONDS = 300.0
"""A rollback that is longer ago is old news: its hooks are not called any more, as after a long absence."""

_ASKED_BYTES = 8


@dataclass(frozen=True, slots=True)
class Call:
    """A gate that is to be called, and for what."""

    key: GateKey
    gate: Gate

    def __str__(self) -> str:
        """Return how messages name it."""
        return f"{'Hook' if self.key.hook is Hook.ON_STEP else 'Gate'} {self.key.name}"


def asked_of(gate: Gate) -> str:
    """Return what tells the question to this gate from one under its name with another URL or ``onFailure``."""
    return blake2b(f"{gate.on_failure} {gate.url}".encode(), digest_size=_ASKED_BYTES).hexdigest()


def _calls(hook: Hook, gates: Iterable[Gate], state: State, step: int) -> tuple[Call, ...]:
    return tuple(Call(GateKey(hook, gate.name, state.attempt, step, asked_of(gate)), gate) for gate in gates)


def to_leave(state: State, context: Context) -> tuple[Call, ...]:
    """Return those that must agree before the attempt leaves where it is, those before promotion with the last step."""
    if context.spec is None:
        return ()
    place, hooks = state.step, context.spec.hooks
    if place == 0:
        return _calls(Hook.BEFORE_START, hooks.before_start, state, 0) if state.share == 0 else ()
    of_step = context.steps[place - 1].gates if 0 < place <= len(context.steps) else ()
    last = hooks.before_promotion if place == len(context.steps) else ()
    return _calls(Hook.STEP, of_step, state, place) + _calls(Hook.BEFORE_PROMOTION, last, state, place)


def of_step(state: State, context: Context) -> tuple[Call, ...]:
    """Return the hooks of this step that have not agreed yet."""
    if context.spec is None or state.step == 0 or state.share == 0:
        return ()
    calls = _calls(Hook.ON_STEP, context.spec.hooks.on_step, state, state.step)
    return tuple(call for call in calls if (seen := _kept(call, state)) is None or not seen.agrees)


def of_now(state: State, context: Context) -> frozenset[GateKey]:
    """Return the calls that may go on once they are made: those of where the attempt is."""
    return frozenset(call.key for call in (*of_step(state, context), *to_leave(state, context)))


def after_rollback(state: State, context: Context) -> tuple[Call, ...]:
    """Return the hooks of a rollback that was made lately which have not answered anything, or were not reached."""
    rolled_back = state.phase in {Phase.ABORTING, Phase.ABORTED} and context.now - state.step_at <= ROLLBACK_SECONDS
    if context.spec is None or not rolled_back:
        return ()
    calls = _calls(Hook.ON_ROLLBACK, context.spec.hooks.on_rollback, state, 0)
    return tuple(call for call in calls if (seen := _kept(call, state)) is None or seen.fault is not Fault.NONE)


def _kept(call: Call, state: State) -> GateSeen | None:
    return next((seen for seen in state.gates if seen.key == call.key), None)


def answer(call: Call, context: Context) -> GateAnswer | None:
    """Return what was answered to this call, None before it was."""
    return context.seen.gates.get(call.key)


def said_no(calls: tuple[Call, ...], context: Context) -> tuple[Call, str] | None:
    """Return the first that does not agree, and why; None when all agree."""
    for call in calls:
        said = answer(call, context)
        if said is None or not said.agrees:
            return call, said.message if said is not None else "has not answered yet"
    return None


def are_unasked(calls: tuple[Call, ...], context: Context) -> bool:
    """Return whether nobody has said no, and one has not answered yet."""
    answers = [answer(call, context) for call in calls]
    return None in answers and all(said is None or said.agrees for said in answers)


def ends_attempt(calls: tuple[Call, ...], context: Context) -> str:
    """Return the sentence of the abort that an answer to these asks for, empty when none does.

    A gate that cannot be reached has failed; one that we have not come to ask has not, and is waited for.
    """
    for call in calls:
        said = answer(call, context)
        has_failed = said is not None and not said.agrees and said.fault is not Fault.OURS
        if said is not None and has_failed and call.gate.on_failure is OnFailure.ABORT:
            return _sentence(call, said.message)
    return ""


def _sentence(call: Call, message: str) -> str:
    name, step = call.gate.name, call.key.step
    match call.key.hook:
        case Hook.BEFORE_START:
            return f"Aborted before the first step: gate {name} before the start: {message}."
        case Hook.BEFORE_PROMOTION:
            return f"Rolled back: gate {name} before promotion: {message}."
        case Hook.ON_STEP:
            return f"Rolled back: hook {name} of step {step}: {message}."
        case _:
            return f"Rolled back: gate {name} of step {step}: {message}."


def noted(state: State, context: Context) -> State:
    """Return the state that keeps the answers to this attempt's calls, of each gate the last."""
    said_of = sorted(context.seen.gates.items(), key=lambda one: one[1].at)
    new = [_seen(key, said) for key, said in said_of if key.attempt == state.attempt]
    kept = {(one.key.hook, one.key.name): one for one in (*state.gates, *new)}
    by_worth = sorted(kept.values(), key=lambda one: _worth(one, state), reverse=True)[:MOST_KEPT]
    gates = tuple(sorted(by_worth, key=lambda one: (one.at, one.key.hook, one.key.name)))
    return state if gates == state.gates else replace(state, gates=gates)


def _worth(seen: GateSeen, state: State) -> tuple[bool, float]:
    """Return what stays first: that a hook was called is known from here only."""
    return is_once_and_now(seen.key, state), seen.at


def is_once_and_now(key: GateKey, state: State) -> bool:
    """Return whether the call is made only once, in the step where the attempt is or after its rollback."""
    return key.hook is Hook.ON_ROLLBACK or (key.hook is Hook.ON_STEP and key.step == state.step)


def _seen(key: GateKey, said: GateAnswer) -> GateSeen:
    return GateSeen(key, said.agrees, _short(said.message), said.at, said.tries, said.fault)


def _short(message: str) -> str:
    """Return as much of the message, which somebody else wrote, as has room in JSON."""
    while (length := len(json.dumps(message)) - len('""')) > MOST_MESSAGE:
        message = message[: len(message) * MOST_MESSAGE // length]
    return message


def gist(state: State) -> tuple[object, ...]:
    """Return what is news of the answers: not when it came again, nor its details, which may be others each time."""
    return tuple(
        sorted(
            (one.key.hook, one.key.name, one.key.step, one.key.asked, one.agrees, _kind(one.message))
            for one in state.gates
        )
    )


def _kind(message: str) -> str:
    return message.partition(":")[0]
