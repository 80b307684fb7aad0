"""The scene of one decision: settings, state of knowledge, time, and how each tier stands.

Tier 0 is judged by the backend in the stable role (Switch), or by all that carry a part of it (Spill).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rollout.failover.health import Health, Signal, Vote, aged, may_receive, may_try, vote
from rollout.failover.seen import BackendSeen, Seen
from rollout.failover.shares import ALL, PRIMARY, Tier
from rollout.spec.failover import Failover, Signals, Strategy

_NOBODY = Vote(Health.UNKNOWN, 0.0, (), (), "not seen")
_FINEST = 10**6


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tier stands.

    ``receives``: traffic may be moved in. ``tries``: it may be for a test of metrics. ``whole``: every
    target is well. ``part`` is the healthy part (0 to 1), ``failed_at`` when it last was Unhealthy. ``lost``: each
    backend of it that has a part is down.
    """

    name: str
    shown: str
    vote: Vote
    receives: bool = False
    tries: bool = False
    whole: bool = False
    part: Fraction = Fraction(0)
    failed_at: float = 0.0
    resting: bool = False
    lost: bool = False

    @property
    def is_down(self) -> bool:
        """Return whether it is Unhealthy for certain."""
        return self.vote.health is Health.UNHEALTHY

    @property
    def is_unknown(self) -> bool:
        """Return whether nobody can tell."""
        return self.vote.health is Health.UNKNOWN

    @property
    def tier(self) -> Tier:
        """Return its targets as the formula counts them."""
        return Tier(0, 1) if self.is_down else Tier(self.part.numerator, self.part.denominator)


def configured(signals: Signals) -> tuple[Signal, ...]:
    """Return which signals are listened to."""
    given = ((Signal.ENDPOINTS, signals.endpoints), (Signal.PROBE, signals.probe), (Signal.METRICS, signals.metrics))
    return tuple(name for name, signal in given if signal is not None)


def standing(seen: BackendSeen, signals: Signals, now: float) -> Standing:
    """Return how one backend stands at ``now``."""
    wanted = configured(signals)
    readings = tuple(reading for reading in seen.readings if reading.signal in wanted)
    said = vote(readings, signals.combine, now)
    fresh = [aged(reading, now) for reading in readings]
    parts = [Fraction(min(r.healthy, r.total), r.total) for r in fresh if r.health is Health.HEALTHY and r.total]
    tries = may_try(said, wanted)
    unseen = tries and not said.passing
    part = min(parts, default=Fraction(1)) if said.health is Health.HEALTHY or unseen else Fraction(0)
    return Standing(
        name=seen.name,
        shown=seen.name,
        vote=said,
        receives=may_receive(said),
        tries=tries,
        whole=may_receive(said) and part == 1,
        part=part,
        failed_at=max((reading.failed_at for reading in fresh), default=0.0),
        resting=seen.resting and all(r.total == 0 for r in fresh if r.signal is Signal.ENDPOINTS),
        lost=said.health is Health.UNHEALTHY,
    )


def _tier_0(members: list[tuple[Standing, Fraction]], lead: Standing, strategy: Strategy) -> Standing:
    """Return tier 0 from those that carry a part of it, each with that part, and the one that it is judged by."""
    all_ = [member for member, _ in members]
    said, part = lead.vote, lead.part
    if strategy is Strategy.SPILL:
        said = _joint([member.vote for member in all_])
        part = sum((member.part * weight for member, weight in members), Fraction(0))
        part = part.limit_denominator(_FINEST)
        if lead.is_down:
            # The split inside the tier stands: what the tier gets, the one that is down gets its part of.
            said, part = lead.vote, Fraction(0)
    return Standing(
        name=PRIMARY,
        shown=lead.name,
        vote=said,
        receives=all(member.receives for member in all_),
        tries=all(member.tries for member in all_),
        whole=all(member.whole for member in all_),
        part=part,
        failed_at=lead.failed_at,
        resting=lead.resting,
        lost=all(member.lost for member in all_),
    )


def _joint(votes: list[Vote]) -> Vote:
    """Return what members of one tier say together: down when all are, unknown when one is."""
    if len(votes) == 1:
        return votes[0]
    healths = {said.health for said in votes}
    health = Health.HEALTHY
    if healths == {Health.UNHEALTHY}:
        health = Health.UNHEALTHY
    elif Health.UNKNOWN in healths:
        health = Health.UNKNOWN
    return Vote(
        health=health,
        since=max(said.since for said in votes),
        failing=tuple(dict.fromkeys(signal for said in votes for signal in said.failing)),
        passing=tuple(dict.fromkeys(signal for said in votes for signal in said.passing)),
        evidence=" and ".join(said.evidence for said in votes),
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """What one decision is made from beside the state."""

    settings: Failover
    seen: Seen
    now: float
    primary: Standing
    backups: tuple[Standing, ...]

    @classmethod
    def of(cls, settings: Failover, seen: Seen, now: float) -> Scene:
        """Return the scene at ``now`` (Unix seconds)."""
        stable = standing(seen.stable, settings.signals, now)
        members, lead = [(stable, Fraction(1))], stable
        if seen.canary is not None and seen.split > 0:
            canary = standing(seen.canary, settings.signals, now)
            of_canary = Fraction(min(seen.split, float(ALL))).limit_denominator(_FINEST) / ALL
            members = [(stable, 1 - of_canary), (canary, of_canary)]
            # A stable that carries nothing may well be down on purpose: its pods are replaced.
            lead = canary if of_canary == 1 else stable
        carrying = [(member, weight) for member, weight in members if weight > 0]
        backups = tuple(standing(backup, settings.signals, now) for backup in seen.backups)
        return cls(settings, seen, now, _tier_0(carrying, lead, settings.strategy), backups)

    @property
    def tiers(self) -> tuple[Standing, ...]:
        """Return tier 0 and the backups in order of preference."""
        return (self.primary, *self.backups)

    @property
    def spills(self) -> bool:
        """Return whether Envoy's formula decides."""
        return self.settings.strategy is Strategy.SPILL

    @property
    def all_down(self) -> bool:
        """Return whether every backend is Unhealthy for certain."""
        return all(tier.lost for tier in self.tiers)

    def standing(self, name: str) -> Standing:
        """Return how the backend of this name stands (``PRIMARY``: tier 0); nobody knows of one that is not named."""
        return next((tier for tier in self.tiers if tier.name == name), Standing(name, name, _NOBODY))
