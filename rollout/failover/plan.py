"""Where the traffic should go: what presses it away, who could take it, and what it would have at home.

Switch moves all of it to one backup; Spill follows Envoy's formula. Both give a share only to a tier
that may receive, take one only from a tier that is down, and leave where it is what nobody knows about.
"""

from __future__ import annotations

from dataclasses import dataclass

from rollout.failover.health import Signal
from rollout.failover.reasons import Reason, Word
from rollout.failover.scene import Scene, Standing
from rollout.failover.shares import ALL, PRIMARY, Shares, from_tiers, share_of, spill_beside
from rollout.failover.state import FailoverState


@dataclass(frozen=True, slots=True)
class Pressure:
    """``tier``, which carries traffic, is down since ``since`` (Unix seconds); it must last ``seconds``."""

    tier: str
    seconds: float
    since: float
    word: Word


def pressure(state: FailoverState, scene: Scene) -> Pressure | None:
    """Return what presses traffic away from where it is, or None."""
    carrier = scene.standing(state.active)
    if carrier.is_down:
        reason = Reason.BACKUP_DOWN if carrier.name else Reason.PRIMARY_DOWN
        message = f"{carrier.shown} is down ({carrier.vote.evidence}); a move needs it to last."
        return Pressure(carrier.name, scene.settings.confirm_for, carrier.vote.since, Word(reason, message))
    return _partial_loss(state, scene) if scene.spills else None


def _partial_loss(state: FailoverState, scene: Scene) -> Pressure | None:
    """Return the first tier that cannot carry what it has, where others could, or that carries while it is down."""
    goal = spilled(state, scene, grow=False)
    for tier in scene.tiers:
        has, able = share_of(state.shares, tier.name), _capacity(tier, scene)
        loses = tier.is_down if goal is None else share_of(goal, tier.name) < has
        if loses and able < has and not tier.is_unknown:
            reason = Reason.PARTLY_DOWN if not tier.name else Reason.BACKUP_DOWN
            message = f"{tier.shown} is partly down ({tier.vote.evidence}); a move needs it to last."
            seconds = scene.settings.confirm_for if tier.is_down else scene.settings.hold_off
            return Pressure(tier.name, seconds, tier.vote.since if tier.is_down else 0.0, Word(reason, message))
    return None


def _capacity(tier: Standing, scene: Scene) -> int:
    counted = tier.tier
    return min(ALL, scene.settings.overprovisioning * counted.healthy // counted.total)


def spilled(state: FailoverState, scene: Scene, *, grow: bool) -> Shares | None:
    """Return the shares by Envoy's formula, or None where nobody may take what must go somewhere.

    A tier that nobody knows of keeps what it has, and one that may not receive gets no more than that.
    ``grow``: tier 0 may get more than it has, which is what failback does.
    """
    counted = [tier.tier for tier in scene.tiers]
    has = [share_of(state.shares, tier.name) for tier in scene.tiers]
    fixed = [has[place] if _is_dark(tier, state, grow=grow) else None for place, tier in enumerate(scene.tiers)]
    limited = [not _may_grow(tier, state, grow=grow) for tier in scene.tiers]
    found = spill_beside(counted, fixed, scene.settings.overprovisioning)
    while found is not None and any(map(_exceeds, limited, found, has)):
        fixed = [
            most if _exceeds(is_limited, share, most) else given
            for given, is_limited, share, most in zip(fixed, limited, found, has, strict=True)
        ]
        found = spill_beside(counted, fixed, scene.settings.overprovisioning)
    return from_tiers([tier.name for tier in scene.backups], found[1:]) if found is not None else None


def _is_dark(tier: Standing, state: FailoverState, *, grow: bool) -> bool:
    return tier.is_unknown and not (grow and _tests(state, tier))


def _may_grow(tier: Standing, state: FailoverState, *, grow: bool) -> bool:
    return (tier.receives and (grow or bool(tier.name))) or (grow and _tests(state, tier))


def _exceeds(is_limited: bool, share: int, most: int) -> bool:  # noqa: FBT001 - mapped over tiers
    return is_limited and share > most


def _tests(state: FailoverState, tier: Standing) -> bool:
    """Return whether the tier may get traffic for metrics to see how it does: where metrics had it taken away."""
    return not tier.name and tier.tries and Signal.METRICS in state.cause


def admits(state: FailoverState, scene: Scene, after: Shares) -> bool:
    """Return whether every tier that gets more by ``after`` than it has may receive it."""
    names = dict.fromkeys((PRIMARY, *(name for name, _ in after)))
    risers = [scene.standing(name) for name in names if share_of(after, name) > share_of(state.shares, name)]
    return all(tier.receives or _tests(state, tier) for tier in risers)


def destination(state: FailoverState, scene: Scene) -> Shares | None:
    """Return where traffic goes that is pressed away, or None when nobody may receive it."""
    if scene.spills:
        goal = spilled(state, scene, grow=False)
        if goal is None and scene.primary.receives:
            goal = spilled(state, scene, grow=True)
        return None if goal == state.shares else goal
    for backup in scene.backups:
        if backup.receives and backup.name != state.active:
            return ((backup.name, ALL),)
    return () if scene.primary.receives and state.active else None


def best_of(shares: Shares) -> str:
    """Return the backup with the largest share, the preferred one of equals; ``PRIMARY`` when there is none."""
    return max(shares, key=lambda share: share[1])[0] if shares else PRIMARY


def at_rest(state: FailoverState, scene: Scene) -> Shares:
    """Return the shares when nothing is wrong: all to tier 0, less the standby weight of the first backup."""
    if not state.standby or not scene.backups or not scene.settings.standby_weight:
        return ()
    return ((scene.backups[0].name, scene.settings.standby_weight),)


def home(state: FailoverState, scene: Scene, target: str) -> Shares | None:
    """Return what failback to ``target`` leads to at its end, or None while nobody can tell."""
    if target:
        return ((target, ALL),)
    if not scene.spills:
        return at_rest(state, scene)
    goal = spilled(state, scene, grow=True)
    if goal is None or share_of(goal, PRIMARY) < ALL:
        return goal
    return at_rest(state, scene)


def wants_back(state: FailoverState, scene: Scene, target: str) -> bool:
    """Return whether ``target`` is well enough for more than it has, so that its time of health counts."""
    tier = scene.standing(target)
    if not (tier.receives or _tests(state, tier)):
        return False
    if target or not scene.spills:
        return True
    goal = spilled(state, scene, grow=True)
    return goal is not None and share_of(goal, PRIMARY) > share_of(state.shares, PRIMARY)


def preferred(state: FailoverState, scene: Scene) -> tuple[str, ...]:
    """Return what is preferred to the active backup, the best first: tier 0, and for Switch the backups before it."""
    if scene.spills:
        return (PRIMARY,)
    names = [tier.name for tier in scene.tiers]
    return tuple(names[: names.index(state.active)] if state.active in names else names[:1])
