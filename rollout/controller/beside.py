"""What runs beside the passes of a Rollout: measurements, gates and hooks, orders to workloads.

None of it delays a pass; each lets one be due when it has come to an end. Called by the controller after each pass.
"""

from __future__ import annotations

import structlog

from rollout.analysis.reasons import Reason as Verdicts
from rollout.controller import measure
from rollout.controller.calls import Calls
from rollout.controller.entry import NEVER, Entry
from rollout.controller.measure import UNEXPECTED
from rollout.controller.orders import Orders
from rollout.controller.outside import Counts, Options, Ports
from rollout.controller.turns import Turns
from rollout.engine.decide import Decision, Wants
from rollout.engine.orders import WorkloadOrder
from rollout.ports import Ask

log = structlog.get_logger(__name__)


class Beside:
    """Runs what Rollouts need between two passes."""

    def __init__(self, ports: Ports, options: Options, counts: Counts, turns: Turns) -> None:
        """Ask and order through ``ports``; failures are counted in ``counts``."""
        self._ports = ports
        self._options = options
        self._counts = counts
        self._turns = turns
        self._calls = Calls(ports, options.cadence_seconds, turns)
        self._orders = Orders(ports.workloads, ports.clock, chance=options.chance, may=turns.may)

    def plan(self, entry: Entry, wanted: Wants, decision: Decision) -> None:
        """Begin what is wanted now, and let the rest be due when it should."""
        self._plan_measurement(entry, wanted=wanted.measurement)
        self._calls.plan(entry, wanted, moved=bool(decision.transitions))
        self._plan_orders(entry, decision.orders)

    def begin_measuring(self, entry: Entry) -> None:
        """Ask for counters now."""
        entry.measure_at = NEVER
        resolved, state = entry.resolved, entry.state
        if entry.measuring is None and resolved is not None and resolved.rollout is not None and state is not None:
            stored = self._ports.store.read(entry.key)
            checkpoint = stored.samples if stored is not None and entry.ask is None else {}
            ask = measure.ask_for(resolved.rollout, state, checkpoint)
            entry.measuring = self._turns.spawn(self._measure(entry, ask))

    def _plan_measurement(self, entry: Entry, *, wanted: bool) -> None:
        if not wanted:
            entry.measure_at = NEVER
        elif entry.measure_at == NEVER and entry.measuring is None:
            entry.measure_at = self._ports.clock.monotonic()

    def _plan_orders(self, entry: Entry, orders: tuple[WorkloadOrder, ...]) -> None:
        wait = self._orders.due_in(entry, orders)
        if wait is not None and wait > 0:
            self._turns.due_in(entry, wait)
        elif wait is not None:
            entry.ordering = self._turns.spawn(self._order(entry, orders))

    async def _measure(self, entry: Entry, ask: Ask) -> None:
        try:
            await measure.measure(self._ports.measurements, entry, ask)
        except Exception:
            log.exception("measurement failed", rollout=str(entry.key))
            self._counts.failures += 1
            entry.source_problem = (Verdicts.SOURCE_DOWN, UNEXPECTED)
        finally:
            entry.measuring = None
        cadence = self._options.cadence_seconds
        aligned = self._ports.measurements.replays and entry.source_problem is None
        again, now = cadence, self._ports.clock.now()
        if aligned:
            later = measure.spread_of(entry.key, cadence, rollouts=self._turns.rollouts())
            again = measure.next_look_after(entry.batch, now, cadence, later)
        entry.measure_at = self._ports.clock.monotonic() + again
        self._turns.wake(entry.key)

    async def _order(self, entry: Entry, orders: tuple[WorkloadOrder, ...]) -> None:
        try:
            await self._orders.carry_out(entry, orders)
        finally:
            entry.ordering = None
        self._turns.wake(entry.key)
