"""What a controller is made of: the outside world, how it works, and what it counts of itself.

``rollout.bootstrap`` fills these in, one runtime at a time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rollout.controller.alone import Always, NeverStopped, NoNotices, NoProbes, NoWorkloads, no_calendar
from rollout.controller.catalog import Abilities
from rollout.ports import Clock, Elector, Gates, Measurements, RolloutStore, RouteTable, Workloads
from rollout.signals import BackendHealth, CalendarOf, Notices, Probes, Switch
from rollout.spec.built_in import built_in_policy


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world of one controller; without an ``elector`` it is the only one and acts for all Rollouts.

    A platform without workloads has none of the ``workloads`` that are asked for. Without ``probes`` whatever a probe
    would tell is Unknown; without a ``switch`` nobody can stop automatic failover; without
    ``notices`` nobody is told of transitions.
    """

    store: RolloutStore
    routes: RouteTable
    health: BackendHealth
    measurements: Measurements
    gates: Gates
    clock: Clock
    workloads: Workloads = field(default_factory=NoWorkloads)
    elector: Elector = field(default_factory=Always)
    probes: Probes = field(default_factory=NoProbes)
    switch: Switch = field(default_factory=NeverStopped)
    notices: Notices = field(default_factory=NoNotices)


@dataclass(frozen=True, slots=True)
class Options:
    """How the controller works: how often it looks at counters, and what the runtime brings along.

    ``chance`` gives numbers from 0 to 1, for the jitter of waits after a failure. ``calendar_of`` says what failover's
    cron expressions come to.
    """

    cadence_seconds: float = 10.0
    built_in_policy: Mapping[str, object] = field(default_factory=built_in_policy)
    abilities: Abilities = field(default_factory=Abilities)
    chance: Callable[[], float] = random.random
    calendar_of: CalendarOf = no_calendar


@dataclass(slots=True)
class Counts:
    """What the controller counts of itself: passes, failures, and how late passes began (seconds)."""

    passes: int = 0
    failures: int = 0
    latest_seconds: float = 0.0
