"""The status of failover: a state as the JSON of the resource, and back.

A status that cannot be read is none: what then carries the traffic is adopted as it is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from pydantic import TypeAdapter, ValidationError

from rollout.failover.reasons import Reason
from rollout.failover.shares import ALL, PRIMARY, share_of
from rollout.failover.state import FailoverState
from rollout.failover.table import Stage

_STATE = TypeAdapter(FailoverState)


def to_status(state: FailoverState) -> dict[str, object]:
    """Return ``state`` as JSON values with camelCase names, without what is as in the beginning."""
    told: dict[str, object] = {"phase": state.stage.value, "active": state.active, "epoch": state.epoch}
    return told | cast(
        "dict[str, object]", _STATE.dump_python(state, mode="json", by_alias=True, exclude_defaults=True)
    )


def from_status(status: object) -> FailoverState | None:
    """Return the state that ``status`` tells of, or None when there is none or it cannot be true."""
    try:
        state = _STATE.validate_python(status)
    except ValidationError:
        return None
    return state if isinstance(status, Mapping) and _is_sound(state) else None


def _is_sound(state: FailoverState) -> bool:
    """Return whether the parts of a state fit together."""
    journey = state.journey
    shares = [state.shares, *((journey.origin, journey.goal) if journey is not None else ())]
    sums = all(
        len(dict(each)) == len(each) and all(0 < n <= ALL and name for name, n in each) and share_of(each, PRIMARY) >= 0
        for each in shares
    )
    goes_back = journey is not None and journey.back
    steps = journey is None or journey.step >= 1
    fits = {
        Stage.FAILING_BACK: goes_back,
        Stage.FAILED_OVER: not goes_back and bool(state.active),
        Stage.DRILL: state.drilling is not None,
        Stage.NORMAL: journey is None and not state.active,
        Stage.CONFIRMING: journey is None and not state.active,
        Stage.LATCHED: state.held or not goes_back,
    }
    return sums and steps and fits[state.stage] and (state.drilling is None or state.stage is Stage.DRILL)


def is_significant(before: FailoverState, state: FailoverState) -> bool:
    """Return whether the status must be written: sentences alone ride along with the next write."""
    return replace(before, message="") != replace(state, message="")


def adopted(carrier: str, now: float, *, ordered: bool = False) -> FailoverState:
    """Return the state when nothing is recorded and ``carrier``, a backup, has all weight at ``now`` (Unix seconds).

    ``ordered``: only a person moves it back.
    """
    return FailoverState(
        stage=Stage.FAILED_OVER,
        since=now,
        left_at=now,
        ordered=ordered,
        reason=Reason.ADOPTED,
        message=f"All traffic was found on {carrier}, which is taken as failed over.",
        active=carrier,
        shares=((carrier, ALL),),
        epoch=1,
        moved_at=now,
    )
