"""One pass after it has observed: decide, record, act, tell. Record before act, so that a crash repeats at worst.

What is urgent is written before anybody hears of it: to tell costs work, and so do those who then look or send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog
from pydantic import TypeAdapter

from rollout.analysis.judge import JudgeState
from rollout.controller import act
from rollout.controller.entry import Entry, is_lost
from rollout.controller.hurry import unless_pressed
from rollout.engine.decide import Decision, acknowledge, decide
from rollout.engine.drift import RouteWrite
from rollout.engine.observation import Observation
from rollout.engine.reasons import Reason
from rollout.engine.state import Handled, State, Transition
from rollout.engine.status import to_status
from rollout.engine.table import Phase
from rollout.errors import (
    ConflictError,
    LeaseLost,
    NotOursError,
    PermanentError,
    RolloutError,
    TemporaryError,
    Unavailable,
)
from rollout.ports import Clock, Key, Measurements, RolloutStore, RouteTable, StoredRollout
from rollout.spec.resource import Rollout

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.1
"""How long an urgent record that failed waits for its one retry (at most 200 ms are allowed)."""

URGENT_RECORD_SECONDS = 1.0
"""How long weights wait for their record, its retry included, that take traffic from a bad canary."""

TELL_SECONDS = 0.25
"""So long at most those who listen wait for weights that are urgent."""

_JUDGE = TypeAdapter(JudgeState)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a Rollout: a transition, or what became of a command.

    ``cause`` are the signals by which failover has traffic where it is, joined by ``+``; empty: none.
    """

    key: Key
    transition: Transition | None = None
    handled: Handled | None = None
    at: float = 0.0
    cause: str = ""


def _nobody(_entry: Entry, _decision: Decision) -> None:
    """Take no note."""


class Passes:
    """Carries out passes against a store and a route table."""

    def __init__(
        self,
        store: RolloutStore,
        routes: RouteTable,
        source: Measurements,
        clock: Clock,
        *,
        may: Callable[[Entry], bool] = lambda _: True,
        decided: Callable[[Entry, Decision], None] = _nobody,
    ) -> None:
        """Record in ``store``, act on ``routes``, while we ``may``; ``source`` may need checkpoints of what it said.

        ``decided`` hears of a decision before anything else happens, the entry being as it was.
        """
        self._store = store
        self._routes = routes
        self._source = source
        self._clock = clock
        self._may = may
        self._decided = decided
        self.listeners: list[Callable[[Told], None]] = []

    async def run(
        self, entry: Entry, stored: StoredRollout, rollout: Rollout | None, seen: Observation
    ) -> tuple[Decision, BaseException | None]:
        """Decide, record, act and tell; the entry then has the new state. Return also why a write failed, if one did.

        Raises:
            LeaseLost: another replica may act by now; what was not done yet is left to it.
            ConflictError: somebody else wrote the status first.
            TemporaryError, PermanentError: it could not be recorded; to be tried again.
        """
        decision = decide(rollout, entry.state or State(), seen)
        if entry.write_problem and not decision.writes:
            # The routes say what they should: the write has landed and only its answer was lost, or others mended it.
            entry.write_problem = ""
            decision = decide(rollout, entry.state or State(), replace(seen, write_problem=""))
        self._decided(entry, decision)
        unproven = bool(decision.writes or decision.orders) and not entry.proven
        if decision.significant or entry.unrecorded or unproven or is_lost(stored.status, entry.recorded):
            await self._record(entry, stored, decision)
        if entry.unrecorded and _is_for_now(decision):
            return decision, await self._act_or_forget(entry, decision, seen.now)
        before, entry.state = entry.state, decision.state
        tell = partial(self._tell_all, entry.key, before, decision, now=seen.now)
        if decision.urgent and decision.writes:
            return decision, await self._act_then_tell(entry, decision, tell)
        tell()
        if seen.batch is not None and not decision.urgent:
            # Before the write, which takes longest: a crash between record and checkpoint loses one tick.
            await self._checkpoint(entry)
        return decision, await self._act(entry, decision) if decision.writes else None

    async def _act_then_tell(self, entry: Entry, decision: Decision, tell: Callable[[], None]) -> BaseException | None:
        """Act, and tell once that has ended, however it did; a write that takes long is not waited for."""
        told = False

        def tell_once() -> None:
            nonlocal told
            if not told:
                told = True
                tell()

        late = asyncio.get_running_loop().call_later(TELL_SECONDS, tell_once)
        try:
            return await self._act(entry, decision)
        finally:
            late.cancel()
            tell_once()

    async def _act_or_forget(self, entry: Entry, decision: Decision, now: float) -> BaseException | None:
        """Act on what could not be recorded; what is not written either is forgotten, to be decided on anew."""
        before = entry.state  # stays until it is certain what becomes of it: what nobody knows is not told to anybody
        failure = await self._act(entry, decision)
        if entry.state is before:
            entry.unrecorded = 0
            return failure
        self._tell_all(entry.key, before, decision, now=now)
        return failure

    def check(self, entry: Entry) -> None:
        """Return when this replica may act for the Rollout.

        Raises:
            LeaseLost: another one may do so by now.
        """
        if not self._may(entry):
            raise LeaseLost(f"{entry.key} is for another replica to act for")

    async def _record(self, entry: Entry, stored: StoredRollout, decision: Decision) -> None:
        status = to_status(decision.state)
        self.check(entry)
        try:
            if decision.pressing or (decision.urgent and decision.writes):
                await self._record_soon(entry, stored, status)
            else:
                record = partial(self._store.record, entry.key, status=status, expected=stored.version)
                await unless_pressed(entry, record)
        except (ConflictError, NotOursError):
            raise
        except RolloutError as error:
            if not (decision.urgent or decision.pressing):
                raise
            _leave_unrecorded(entry, error)
        else:
            entry.unrecorded = 0
            entry.recorded, entry.proven = decision.state.number, True

    async def _record_soon(self, entry: Entry, stored: StoredRollout, status: dict[str, object]) -> None:
        """Try twice, within a second in all: what lands later is seen when it does.

        Raises:
            ConflictError, NotOursError: as the store says.
            TemporaryError, PermanentError: it failed twice, or took too long.
        """
        try:
            async with asyncio.timeout(URGENT_RECORD_SECONDS):
                try:
                    await self._store.record(entry.key, status=status, expected=stored.version)
                except (TemporaryError, PermanentError):
                    await asyncio.sleep(RETRY_SECONDS)
                    now = self._store.read(entry.key)
                    self.check(entry)
                    await self._store.record(entry.key, status=status, expected=now.version if now else "")
        except TimeoutError as error:
            raise Unavailable(f"the status was not written within {URGENT_RECORD_SECONDS:g} s") from error

    async def _act(self, entry: Entry, decision: Decision) -> BaseException | None:
        may = partial(self._may, entry)
        tries = (
            unless_pressed(entry, partial(act.write, self._routes, write, urgent=decision.urgent, may=may))
            for write in decision.writes
        )
        results = await asyncio.gather(*tries, return_exceptions=True)
        for result in results:
            if isinstance(result, LeaseLost):
                raise result
        written = tuple(
            w for w, result in zip(decision.writes, results, strict=True) if not isinstance(result, BaseException)
        )
        entry.state = acknowledge(decision.state, written, self._clock.now()) if written else entry.state
        for write in written:
            log.debug("weights written", rollout=str(entry.key), route=str(write.route), weights=dict(write.weights))
        return self._first_failure(entry, decision.writes, results)

    def _first_failure(
        self, entry: Entry, writes: tuple[RouteWrite, ...], results: Sequence[object]
    ) -> BaseException | None:
        entry.write_problem = ""
        for write, result in zip(writes, results, strict=True):
            if isinstance(result, BaseException):
                entry.write_problem = f"{write.route}: {result}"
                if not isinstance(result, NotOursError):
                    return result
        return None

    def _tell_all(self, key: Key, before: State | None, decision: Decision, *, now: float) -> None:
        self._tell(key, decision, now)
        _tell_reason(key, before, decision)

    def _tell(self, key: Key, decision: Decision, now: float) -> None:
        cause = "+".join(decision.state.failover.cause)
        for transition in decision.transitions:
            facts = {"phase": transition.phase.value, "step": transition.step, "weights": dict(transition.weights)}
            log.info(transition.message, rollout=str(key), reason=transition.reason, number=transition.number, **facts)
            self._call(Told(key, transition=transition, at=transition.at, cause=cause))
        for handled in decision.handled:
            what = {"command": handled.action, "id": handled.id, "done": handled.done}
            log.info(handled.message, rollout=str(key), reason=handled.reason, **what)
            self._call(Told(key, handled=handled, at=now))

    def _call(self, told: Told) -> None:
        for listener in self.listeners:
            listener(told)

    async def _checkpoint(self, entry: Entry) -> None:
        """Keep the judge's state for a source that cannot be asked again; a failure is only told."""
        source = self._source
        if source.replays or entry.ask is None or entry.state is None or entry.state.judge is None:
            return
        self.check(entry)
        judge = _JUDGE.dump_python(entry.state.judge, mode="json", by_alias=True)
        try:
            await self._store.checkpoint(entry.key, judge=judge, samples=source.checkpoint(entry.ask))
        except RolloutError as error:
            log.warning("checkpoint failed", rollout=str(entry.key), why=str(error))


def _is_for_now(decision: Decision) -> bool:
    """Return whether its writes are right only as long as what was seen is: a failover is, an abort always."""
    return bool(decision.writes) and decision.state.phase not in {Phase.ABORTING, Phase.ABORTED}


def _tell_reason(key: Key, before: State | None, decision: Decision) -> None:
    """Log why it stays where it is, when that is another reason than before: once, not with every pass."""
    after = decision.state
    if after.reason and not decision.transitions and before is not None and before.reason != after.reason:
        log.info(after.message, rollout=str(key), reason=after.reason, phase=after.phase.value, step=after.step)


def _leave_unrecorded(entry: Entry, error: RolloutError) -> None:
    """Note that the weights go before their record; told less and less often as long as that lasts."""
    entry.unrecorded += 1
    entry.refused = isinstance(error, PermanentError)
    if entry.unrecorded & (entry.unrecorded - 1) == 0:
        tries, why = entry.unrecorded, str(error)
        log.critical("acting without a record", rollout=str(entry.key), reason=Reason.UNRECORDED, why=why, tries=tries)
