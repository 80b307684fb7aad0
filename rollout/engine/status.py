"""The status: a state as the JSON of the resource, and back.

What people read stands at the top (phase, reason, message, weights, evidence, transitions);
what only the engine needs stands in ``engine`` and ``judge``. A status that cannot be read is no
status: the Rollout is then adopted anew, which writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from pydantic import TypeAdapter, ValidationError

from rollout.analysis.judge import JudgeState
from rollout.engine import fitting
from rollout.engine.dates import rfc3339, unix_seconds
from rollout.engine.moves import intended
from rollout.engine.observation import Cursor
from rollout.engine.state import Condition, State, Transition
from rollout.failover import status as failover
from rollout.failover.state import FailoverState

_STATE = TypeAdapter(State)
_JUDGE = TypeAdapter(JudgeState)
_TRANSITION = TypeAdapter(Transition)
_TOLD = ("transitions", "handled", "conditions", "evidence", "judge", "failover", "notified", "gates")
MOST_PROBLEMS = 1600
"""So many characters have the problems of all sinks together."""

_PLAIN = ("phase", "reason", "message", "attempt", "step", "stable", "canary", "revision")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _camel_keys(value: object) -> object:
    if isinstance(value, Mapping):
        return {_camel(str(key)): _camel_keys(inner) for key, inner in value.items()}
    return [_camel_keys(inner) for inner in value] if isinstance(value, list) else value


def _snake_keys(value: object) -> dict[str, object]:
    """Return a mapping of the status as the state has it: the inverse of ``_camel_keys``, one level deep."""
    return {
        "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name): inner
        for name, inner in _as_mapping(value).items()
    }


def to_status(state: State) -> dict[str, object]:
    """Return the status of ``state``: JSON values only, camelCase names."""
    raw = cast("dict[str, object]", _STATE.dump_python(replace(state, judge=None, transitions=()), mode="json"))
    status: dict[str, object] = {name: raw[name] for name in _PLAIN}
    status["weight"] = state.share
    status["weights"] = {
        "intended": dict(intended(state)),
        "observed": dict(state.observed),
        "acknowledged": dict(state.owned[0].acknowledged) if state.owned else {},
        "effective": state.effective,
    }
    status["health"] = dict(state.ready)
    status["failover"] = failover.to_status(state.failover)
    status["evidence"] = _camel_keys(raw["evidence"])
    status["transitions"] = []
    if state.notified:
        status["notified"] = _notified(state.notified)
    if state.gates:
        status["gates"] = [_answer(one) for one in map(_as_mapping, _items(raw, "gates"))]
    status["handledCommands"] = _items(raw, "handled")
    status["conditions"] = [_told(condition, state.observed_generation) for condition in state.conditions]
    status["observedGeneration"] = state.observed_generation
    status["judge"] = _JUDGE.dump_python(state.judge, mode="json", by_alias=True) if state.judge is not None else None
    shown = {*_PLAIN, *_TOLD, "ready", "observed", "effective", "observed_generation"}
    status["engine"] = {name: value for name, value in raw.items() if name not in shown}
    status["transitions"] = fitting.fitted(state.transitions, _entry, status)
    return status


def _entry(made: Transition) -> dict[str, object]:
    """Return a transition as it stands in the status."""
    entry: dict[str, object] = _TRANSITION.dump_python(made, mode="json")
    return {**entry, "weights": dict(made.weights)}


def _answer(one: Mapping[str, object]) -> dict[str, object]:
    """Return an answer of a gate flat, without what is empty: a fault that there was none of."""
    flat = {**_as_mapping(one["key"]), **one}
    return {name: value for name, value in flat.items() if name != "key" and value != ""}


def _notified(cursors: tuple[Cursor, ...]) -> dict[str, object]:
    """Return the cursors by the names of their sinks, without what is as in the beginning."""
    most = MOST_PROBLEMS // max(1, len(cursors))
    return {cursor.sink: _cursor(replace(cursor, problem=cursor.problem[:most])) for cursor in cursors}


def _cursor(cursor: Cursor) -> dict[str, object]:
    bare = Cursor(cursor.sink, cursor.number)
    told = {name: getattr(cursor, name) for name in ("at", "thread", "attempt", "problem")}
    return {"number": cursor.number, **{name: value for name, value in told.items() if value != getattr(bare, name)}}


def _told(condition: Condition, generation: int) -> dict[str, object]:
    """Return a condition as the conventions of Kubernetes have it."""
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": rfc3339(condition.last_transition_time),
        "observedGeneration": generation,
    }


def _condition(told: object) -> dict[str, object]:
    """Return a condition as the state has it; earlier versions wrote Unix seconds."""
    condition = _snake_keys(told)
    since = condition["last_transition_time"]
    return {**condition, "last_transition_time": unix_seconds(since) if isinstance(since, str) else since}


def _items(raw: Mapping[str, object], name: str) -> list[object]:
    return cast("list[object]", raw[name])


def _as_list(value: object) -> list[object]:
    return cast("list[object]", value)


def _as_mapping(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value)


def from_status(status: Mapping[str, object]) -> State | None:
    """Return the state that ``status`` tells of, or None when there is none or it cannot be read."""
    try:
        return _read(status) if status else None
    except (ValidationError, KeyError, TypeError, AttributeError, ValueError):
        return None


def _failover(told: object) -> FailoverState:
    state = failover.from_status(told) if told is not None else FailoverState()
    if state is None:
        raise ValueError("where failover stands cannot be read")
    return state


def _read(status: Mapping[str, object]) -> State:
    raw = {**_as_mapping(status["engine"]), **{name: status[name] for name in _PLAIN}}
    weights = _as_mapping(status["weights"])
    raw["observed"] = tuple(_as_mapping(weights["observed"]).items())
    raw["effective"] = weights["effective"]
    raw["ready"] = tuple(_as_mapping(status["health"]).items())
    raw["observed_generation"] = status["observedGeneration"]
    raw["transitions"] = [
        {**_as_mapping(made), "weights": tuple(_as_mapping(_as_mapping(made)["weights"]).items())}
        for made in _items(status, "transitions")
    ]
    raw["notified"] = [
        {**_as_mapping(told), "sink": sink} for sink, told in _as_mapping(status.get("notified", {})).items()
    ]
    raw["gates"] = [{**_as_mapping(one), "key": one} for one in _as_list(status.get("gates", []))]
    raw["handled"] = status["handledCommands"]
    raw["conditions"] = [_condition(condition) for condition in _items(status, "conditions")]
    raw["evidence"] = [_snake_keys(report) for report in _items(status, "evidence")]
    state = replace(_STATE.validate_python(raw), failover=_failover(status.get("failover")))
    judge = status.get("judge")
    return replace(state, judge=_JUDGE.validate_python(judge)) if judge is not None else state
