"""What the controller keeps of one Rollout between passes; all of it can be made again from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.analysis.samples import Batch
from rollout.controller.catalog import Resolved
from rollout.engine.hooks import GateAnswer, GateKey
from rollout.engine.observation import BackendKey, RouteKey, WorkloadKey
from rollout.engine.orders import WorkloadOrder
from rollout.engine.state import State
from rollout.engine.tiers import is_frozen
from rollout.failover.table import Stage
from rollout.ports import Ask, Key, RolloutStore

NEVER = float("inf")


@dataclass(slots=True)
class Entry:
    """The mutable part: where the Rollout stands, what was measured for the next pass, what is due.

    Times are monotonic seconds. ``pressing``: what is due may take weight away, and goes before the rest; a pass
    that is under way then is told by ``hurry``.
    ``recorded`` is the number of the last transition that the store
    has; ``unrecorded`` is how often in a row the status could not be written although the weights were,
    ``refused`` says that the last time it was for good.
    ``session`` is since when this replica acts for the Rollout (Unix seconds). ``proven``: a record
    has succeeded since then, so what the state was read from was the newest. ``given`` are the orders
    to workloads that were carried out last, without the versions that they were for. ``gates`` are answers that came,
    ``asking`` the calls under way, ``gates_at`` when each may be called again. ``uid`` is that of the
    Rollout of which all this is (empty: not known yet, or there are none); another life of the name has another entry.
    """

    key: Key
    session: float = 0.0
    uid: str = ""
    proven: bool = False
    state: State | None = None
    recorded: int = 0
    resolved: Resolved | None = None
    routes: tuple[RouteKey, ...] = ()
    backends: tuple[BackendKey, ...] = ()
    workloads: tuple[WorkloadKey, ...] = ()
    unrecorded: int = 0
    refused: bool = False
    batch: Batch | None = None
    source_problem: tuple[str, str] | None = None
    gates: dict[GateKey, GateAnswer] = field(default_factory=dict)
    write_problem: str = ""
    order_problem: str = ""
    given: tuple[WorkloadOrder, ...] = ()
    order_failures: int = 0
    order_at: float = 0.0
    ask: Ask | None = None
    pass_at: float = 0.0
    measure_at: float = NEVER
    gates_at: dict[GateKey, float] = field(default_factory=dict)
    failures: int = 0
    busy: bool = False
    again: bool = False
    pressing: bool = False
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    passing: asyncio.Task[None] | None = None
    measuring: asyncio.Task[None] | None = None
    asking: dict[GateKey, asyncio.Task[None]] = field(default_factory=dict)
    ordering: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End whatever is under way beside the passes."""
        for task in (self.measuring, *self.asking.values(), self.ordering):
            if task is not None:
                task.cancel()


def number_of(status: Mapping[str, object]) -> int:
    """Return the number of the last transition that the status has, 0 without one."""
    transitions = status.get("transitions")
    last = transitions[-1] if isinstance(transitions, list) and transitions else None
    number = last.get("number") if isinstance(last, Mapping) else None
    return number if isinstance(number, int) else 0


def is_lost(status: Mapping[str, object], recorded: int) -> bool:
    """Return whether the status was taken away, or is older than transition ``recorded``, which it had before."""
    return not status or number_of(status) < recorded


def failover_rank(status: Mapping[str, object]) -> int:
    """Return how soon to look at a Rollout of which only the status is known: 0 while traffic is away or about to be.

    1: it has failover. 2: it has none.
    """
    failover = status.get("failover")
    if not isinstance(failover, Mapping):
        return 2
    return 1 if failover.get("phase") in {None, Stage.NORMAL.value} else 0


def is_pressing(entry: Entry, store: RolloutStore) -> bool:
    """Return whether the next pass may take weight away from a bad backend, so that it goes before the rest."""
    if entry.pressing:
        return True
    if entry.state is not None:
        return entry.state.share > 0 or is_frozen(entry.state)
    stored = store.read(entry.key)
    return stored is not None and failover_rank(stored.status) == 0


def answers_more(status: Mapping[str, object], state: State) -> bool:
    """Return whether the status has an answer to a command that ``state`` lacks: its record landed after all."""
    handled = status.get("handledCommands")
    last = handled[-1] if isinstance(handled, list) and handled else None
    return isinstance(last, Mapping) and all(done.id != last.get("id") for done in state.handled)
