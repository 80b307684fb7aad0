"""The world into the state: endpoints, routes and settings as seen, before anything is decided."""

from __future__ import annotations

from dataclasses import replace

from rollout.engine import tiers, weights
from rollout.engine.adoption import with_roles
from rollout.engine.drift import running
from rollout.engine.dropping import only_drops
from rollout.engine.moves import Context, move, say
from rollout.engine.reasons import Reason
from rollout.engine.settling import unaccepted_at
from rollout.engine.state import OwnedRule, State, Weights
from rollout.engine.table import TRANSITIONS, Phase, Trigger
from rollout.failover.scene import standing
from rollout.spec.resource import Gateway


def take_in(state: State, context: Context) -> tuple[State, tuple[str, ...]]:
    """Return the state with what was seen, and one sentence for each thing that makes the Rollout invalid."""
    spec, rollout = context.spec, context.rollout
    problems = context.seen.problems
    if spec is None or rollout is None:
        return _with_seen(state, context, state.owned, state.gateway), problems or ("the Rollout cannot be read",)
    found, missing = weights.find_rules(spec, rollout.metadata.namespace, context.seen.routes)
    kept = tiers.problems(spec, state)
    state, pair_problems = _with_pair(state, spec.backends.names) if not kept else (state, kept)
    complete = found and not missing and not pair_problems
    owned = weights.keep_totals(found, state.owned) if complete else state.owned
    gateway = spec.gateway if complete else state.gateway
    state = tiers.with_tiers(state, tiers.asked_for(spec)) if complete else state
    return _with_seen(state, context, owned, gateway), problems + missing + pair_problems


def _health(state: State, context: Context, name: str) -> str:
    """Return the health of a backend: as failover sees it where there is one, else by its endpoints."""
    seen = context.seen.failover
    if state.tiers is not None and seen is not None and name in seen.backends:
        return standing(seen.backends[name], state.tiers.settings.signals, context.now).vote.health.value
    found = context.endpoints(name)
    return "Unknown" if not found.known else "Healthy" if found.ready else "Unhealthy"


def _with_pair(state: State, pair: tuple[str, str]) -> tuple[State, tuple[str, ...]]:
    if not state.stable or {state.stable, state.canary} == set(pair):
        return state, ()
    if running(state) or state.phase is Phase.ABORTING:
        names = f"{state.stable} and {state.canary}"
        return state, (
            f"spec.backends: {' and '.join(pair)} cannot take the place of {names} during an attempt; abort first",
        )
    if state.stable in pair:
        return replace(with_roles(state, pair, state.stable), previous_revision=None), ()
    return replace(state, stable="", canary="", owned=(), previous_revision=None), ()


def _with_seen(state: State, context: Context, owned: tuple[OwnedRule, ...], gateway: Gateway) -> State:
    """Return the state with what was seen: the very same one when nothing is new, which is the usual case."""
    if state.gateway != gateway:
        state = replace(state, gateway=gateway, parked=state.parked or (gateway.separate_clusters and running(state)))
    owned = tuple(_settled(rule, state, context) for rule in owned)
    now = weights.observed(owned[0], context.seen.routes) if owned else None
    observed = now if now is not None else state.observed
    ready = tuple((name, _health(state, context, name)) for name in context.seen.endpoints)
    generation = context.seen.generation or state.observed_generation
    since = unaccepted_at(owned, state, context)
    before = (state.owned, state.observed, state.ready, state.observed_generation, state.unaccepted_at)
    if before == (owned, observed, ready, generation, since):
        return state
    now_seen = replace(state, owned=owned, observed=observed, ready=ready, observed_generation=generation)
    return replace(now_seen, unaccepted_at=since)


def _settled(rule: OwnedRule, state: State, context: Context) -> OwnedRule:
    """What is intended and found is acknowledged, also when the answer to our write was lost.

    So is what is intended where other weights are found than those that were written before: then ours have been
    there, or somebody came before them, and what is found is not ours to write over unseen.
    """
    if not state.stable:
        return rule
    want, now = weights.desired(rule, state), weights.observed(rule, context.seen.routes)
    if rule.acknowledged == want:
        return rule
    if now is not None and only_drops(want, now):
        return replace(rule, acknowledged=now)  # the floor was left after the last record
    is_there = weights.agrees(rule, now, want)
    return replace(rule, acknowledged=want) if is_there or _is_strange(rule, now, state, context) else rule


def _is_strange(rule: OwnedRule, now: Weights | None, state: State, context: Context) -> bool:
    """Return whether weights are found that nobody has seen before our unfinished write: asked until the first write.

    A status does not tell by itself that its weights were written, so after a start nobody knows; from the first
    write on memory does. What an abort wants is written over anything.
    """
    if not rule.acknowledged or state.phase is Phase.ABORTING or now in {None, state.observed}:
        return False
    return state.last_write_at < context.seen.session_started_at and not weights.agrees(rule, now, rule.acknowledged)


def validate(state: State, context: Context, problems: tuple[str, ...]) -> State:
    """Enter phase Invalid with the problems in one sentence, or leave it for the phase before."""
    if problems:
        message = "; ".join(problems)[:1000]
        if state.phase is Phase.INVALID:
            return say(state, Reason.INVALID, message)
        if (state.phase, Trigger.INVALIDATE) not in TRANSITIONS:
            return state
        still = replace(
            state, before_invalid=state.phase, hold=replace(state.hold, seconds=state.hold.at(context.now), since=None)
        )
        return move(still, context, Trigger.INVALIDATE, Reason.INVALID, message)
    if state.phase is not Phase.INVALID:
        return state
    valid = move(state, context, Trigger.VALIDATE, Reason.VALID, "Everything that was missing is there.")
    return replace(valid, before_invalid=None)
