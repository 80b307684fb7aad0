"""Workloads: what runs behind the backends, and what is still missing of it.

Facts that the phases, the guards and the orders ask for; nothing is decided here but what was noticed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from rollout.engine.moves import Context
from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.engine.state import Scaling, State
from rollout.spec.lifecycle import Workload
from rollout.spec.resource import RolloutSpec, StartMode

NOT_SCALED = "DaemonSet"
"""Of this kind there are as many pods as there are nodes for it; whoever says how many there should be, nobody does."""


def workload_of(spec: RolloutSpec, backend: str) -> Workload | None:
    """Return the workload that the spec names for the backend with this name, None when it names none."""
    stable, canary = spec.backends.names
    if backend == stable:
        return spec.workloads.stable
    return spec.workloads.canary if canary and backend == canary else None


def workload_keys(spec: RolloutSpec, namespace: str) -> dict[str, WorkloadKey]:
    """Return which workloads the spec names, by the name of their backend; all are in the Rollout's namespace."""
    named = ((name, workload_of(spec, name)) for name in spec.backends.names)
    return {name: WorkloadKey(one.kind, namespace, one.name) for name, one in named if one is not None}


def is_rolled_out(view: WorkloadView) -> bool:
    """Return whether all pods that are wanted have the present template and are ready."""
    return view.settled and view.updated >= view.replicas and view.ready >= view.replicas


def progress(view: WorkloadView) -> str:
    """Return how far the rollout of a workload is, as a sentence."""
    ready = view.ready if view.settled else 0
    failed = f": {view.failed.rstrip('.')}" if view.failed else ""
    return f"{view.key.name} has {ready} of {view.replicas} new replicas ready{failed}."


def noticed(state: State, context: Context) -> State:
    """Return the state that knows what stable runs, as far as its workload tells, and whether all is scaled."""
    if context.spec is None or not state.stable:
        return state
    runs = _stable_runs(state, context, context.spec.start)
    if runs != state.stable_revision:
        state = replace(state, stable_revision=runs)
    return replace(state, scaling=Scaling.NONE) if _is_scaled(state, context) else state


def _stable_runs(state: State, context: Context, start: StartMode) -> str:
    view = context.workload(state.stable)
    if view is not None and start is StartMode.ON_WORKLOAD:
        return view.template
    is_copied = view is not None and state.copied == view.template
    return state.revision if is_copied else state.stable_revision


def _is_scaled(state: State, context: Context) -> bool:
    """Return whether nothing is left to scale, or nobody wants it any more."""
    view = context.workload(state.canary)
    match state.scaling:
        case Scaling.UP:
            wanted = needed(state, context)
            return wanted is None or (view is not None and view.replicas >= wanted)
        case Scaling.DOWN:
            return view is None or view.replicas == 0 or not scales(state, context, Scaling.DOWN)
        case Scaling.NONE:
            return False
        case never:
            assert_never(never)


def scales(state: State, context: Context, way: Scaling) -> bool:
    """Return whether the workload behind the canary role is to be scaled this way, before or after an attempt."""
    workload = workload_of(context.spec, state.canary) if context.spec is not None else None
    if workload is None or workload.kind == NOT_SCALED:
        return False
    return workload.scale_up if way is Scaling.UP else workload.scale_down


def due(state: State, context: Context, way: Scaling) -> Scaling:
    """Return ``way`` if the canary's workload is to be scaled this way, else that nothing is."""
    return way if scales(state, context, way) else Scaling.NONE


def needed(state: State, context: Context) -> int | None:
    """Return how many replicas the canary needs to begin: as many as stable, at least 1; None: it is not scaled up."""
    stable = context.workload(state.stable)
    wanted = max(1, stable.replicas if stable is not None else 1)
    return wanted if scales(state, context, Scaling.UP) else None


def not_up(state: State, context: Context) -> str:
    """Return what the canary's workload still lacks before its first weight, empty when nothing or there is none."""
    view = context.workload(state.canary)
    wanted = needed(state, context) if state.scaling is Scaling.UP else None
    if view is None:
        return unseen(state.canary) if wanted is not None else ""
    if wanted is not None and view.replicas < wanted:
        return f"{view.key.name} is scaled from {view.replicas} to {wanted} replicas{problem(context)}."
    return "" if is_rolled_out(view) else progress(view)


def unseen(backend: str) -> str:
    """Return a sentence for a workload that should be there."""
    return f"The workload of {backend} has not been seen; it may not exist."


def problem(context: Context) -> str:
    """Return why the last order failed, to end a sentence with; empty when it did not."""
    why = context.seen.order_problem
    return f": {why.rstrip('.')}" if why else ""
