"""Orders to workloads: what is to be copied or scaled now, decided anew in every pass from the state and what is seen.

An order is given until it is seen to be carried out, so that a crash between the record and the act loses none. The
pod template is copied only while the canary carries all weight and can; pods are taken away only from a backend that
no route gives weight to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from rollout.engine import copying, guards
from rollout.engine.attempt import ALL
from rollout.engine.guards import At
from rollout.engine.moves import Context
from rollout.engine.observation import WorkloadKey
from rollout.engine.state import OwnedRule, Scaling, State
from rollout.engine.table import Phase
from rollout.engine.weights import observed
from rollout.engine.workloads import needed

QUIET_SECONDS = 10.0
"""So long after the last write requests may still come to a backend that has no weight any more."""


@dataclass(frozen=True, slots=True)
class CopyTemplate:
    """Give ``target`` the pod template ``template`` of ``source``, if the target's version is still ``expected``."""

    source: WorkloadKey
    target: WorkloadKey
    template: str
    expected: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Let the workload have so many pods, if its version is still ``expected``."""

    key: WorkloadKey
    replicas: int
    expected: str


WorkloadOrder = CopyTemplate | Scale


def orders(state: State, context: Context) -> tuple[WorkloadOrder, ...]:
    """Return what is to be done to workloads now: nothing while suspended, invalid, or being deleted."""
    if context.spec is None or context.spec.suspend or context.seen.deleting:
        return ()
    order = _order(state, context)
    return (order,) if order is not None else ()


def _order(state: State, context: Context) -> WorkloadOrder | None:
    match state.phase:
        case Phase.PROGRESSING:
            return _scale_up(state, context)
        case Phase.PROMOTING:
            return _copy(state, context)
        case Phase.IDLE | Phase.ABORTED:
            return _scale_down(state, context)
        case Phase.PAUSED | Phase.ABORTING | Phase.INVALID:
            return None
        case never:
            assert_never(never)


def _scale_up(state: State, context: Context) -> Scale | None:
    view, wanted = context.workload(state.canary), needed(state, context)
    if state.scaling is not Scaling.UP or state.step or state.share or view is None or wanted is None:
        return None
    return Scale(view.key, wanted, view.version) if view.replicas < wanted else None


def _copy(state: State, context: Context) -> CopyTemplate | None:
    source, target = context.workload(state.canary), context.workload(state.stable)
    if source is None or target is None or not state.copying_at or state.share < ALL:
        return None
    if source.template != state.copied or target.template == state.copied:
        return None
    is_alone = context.is_ready(state.canary) and _has_no_weight(state.stable, state, context)
    return CopyTemplate(source.key, target.key, state.copied, target.version) if is_alone else None


def _scale_down(state: State, context: Context) -> Scale | None:
    view = context.workload(state.canary)
    if state.scaling is not Scaling.DOWN or view is None or context.now < state.last_write_at + QUIET_SECONDS:
        return None
    is_left = guards.unaccepted(At(state, context, None)) is None and _has_no_weight(state.canary, state, context)
    return Scale(view.key, 0, view.version) if is_left else None


def _has_no_weight(backend: str, state: State, context: Context) -> bool:
    """Return whether no route gives weight to the backend as it is seen, whoever wrote it; the floor is none."""

    def is_empty(rule: OwnedRule) -> bool:
        now = observed(rule, context.seen.routes)
        return now is not None and dict(now).get(backend, 0) <= (state.parked and rule.alone)

    return all(map(is_empty, state.owned))


def next_at(state: State, context: Context) -> tuple[float, ...]:
    """Return when to look again for the sake of workloads, if nothing comes between."""
    times = [copying.next_at(state)]
    if state.scaling is Scaling.DOWN:
        times.append(state.last_write_at + QUIET_SECONDS)
    return tuple(at for at in times if at is not None and at > context.now)
