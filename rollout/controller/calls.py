"""Calls of gates and hooks, beside the passes: each by itself, so that a slow one keeps nobody waiting.

An answer lets a pass be due; an error of our own is none, but says so with its reason. A gate is asked again after a
cadence, as long as its answer is wanted. What is told of the Rollout, and the id by which the other side knows a
repeated call, is made here. Called by ``rollout.controller.beside``.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import blake2b

import structlog

from rollout.controller.entry import Entry
from rollout.controller.measure import UNEXPECTED
from rollout.controller.outside import Ports
from rollout.controller.turns import Turns
from rollout.engine.decide import Wants
from rollout.engine.gates import Call, is_once_and_now
from rollout.engine.hooks import Fault, GateAnswer, GateKey, Hook
from rollout.engine.moves import intended
from rollout.engine.state import State
from rollout.errors import RolloutError
from rollout.ports import GateCall, Key

log = structlog.get_logger(__name__)

CALLED_ONCE = (Hook.ON_STEP, Hook.ON_ROLLBACK)
_ID_BYTES = 12


class Calls:
    """Calls what Rollouts want to be called."""

    def __init__(self, ports: Ports, cadence_seconds: float, turns: Turns) -> None:
        """Call through ``ports``, each gate again after ``cadence_seconds``."""
        self._ports = ports
        self._cadence_seconds = cadence_seconds
        self._turns = turns

    def plan(self, entry: Entry, wanted: Wants, *, moved: bool) -> None:
        """Call those whose time has come; forget answers that nobody wants, and agreements after a transition.

        An answer of who is called once stays until a pass has taken it in: it may have come in the middle of this one.
        A call ends whose question is no more: its gate was edited, or the attempt is elsewhere or paused.
        """
        keys, now = {call.key for call in wanted.gates}, self._ports.clock.monotonic()
        for key in [key for key in entry.asking if key not in keys | wanted.under_way]:
            if key.hook is not Hook.ON_ROLLBACK:
                entry.asking.pop(key).cancel()
        kept = keys if not moved else {key for key in keys if key.hook in CALLED_ONCE}
        entry.gates = {key: said for key, said in entry.gates.items() if key in kept or _is_new(entry, key, said)}
        entry.gates_at = {key: at for key, at in entry.gates_at.items() if at > now}
        for call in wanted.gates:
            if call.key in entry.asking:
                continue
            if (again_at := entry.gates_at.get(call.key, now)) > now:
                self._turns.due_in(entry, again_at - now)
            else:
                entry.asking[call.key] = self._turns.spawn(self._ask(entry, call))

    async def _ask(self, entry: Entry, call: Call) -> None:
        key, at = call.key, self._ports.clock.now()
        try:
            said = replace(await self._said(call_of(entry, call, self._life(entry)), entry), at=at)
        finally:
            if entry.asking.get(key) is asyncio.current_task():
                del entry.asking[key]
        _tell(entry, key, said)
        entry.gates[key] = said
        entry.gates_at[key] = self._ports.clock.monotonic() + self._cadence_seconds
        self._turns.wake(entry.key)

    def _life(self, entry: Entry) -> str:
        """Return what tells this life of the Rollout's name from others: the platform's word, or when it was made."""
        stored = self._ports.store.read(entry.key)
        return entry.uid or (repr(stored.created_at) if stored is not None else "")

    async def _said(self, call: GateCall, entry: Entry) -> GateAnswer:
        try:
            return await self._ports.gates.ask(call)
        except RolloutError as error:
            return GateAnswer(agrees=False, message=str(error), fault=Fault.OURS)
        except Exception:
            log.exception("gate failed", rollout=str(entry.key))
            return GateAnswer(agrees=False, message=UNEXPECTED, fault=Fault.OURS)


def _is_new(entry: Entry, key: GateKey, said: GateAnswer) -> bool:
    """Return whether the answer is of who is called once, and no pass has seen it yet."""
    state = entry.state
    if state is None or key.attempt != state.attempt or not is_once_and_now(key, state):
        return False
    return all(seen.key != key or seen.at < said.at for seen in state.gates)


def _tell(entry: Entry, key: GateKey, said: GateAnswer) -> None:
    """Log an answer; one that only comes again does not stand out."""
    known = entry.state.gates if entry.state is not None else ()
    again = any(seen.key == key and seen.agrees == said.agrees for seen in known)
    what = {"hook": key.hook.value, "gate": key.name, "attempt": key.attempt, "step": key.step}
    tell = log.debug if again else log.info
    tell("gate called", rollout=str(entry.key), **what, agrees=said.agrees, tries=said.tries, answer=said.message)


def call_of(entry: Entry, call: Call, life: str) -> GateCall:
    """Return the call with its id and what is told of the Rollout, whose ``life`` is told from others of its name."""
    state = entry.state or State()
    call_id = id_of(entry.key, f"{life} {state.started_at!r} {state.revision}", call.key)
    body: dict[str, object] = {
        "id": call_id,
        "hook": call.key.hook.value,
        "gate": call.key.name,
        "namespace": entry.key.namespace,
        "name": entry.key.name,
        "phase": state.phase.value,
        "attempt": call.key.attempt,
        "step": call.key.step,
        "revision": state.revision,
        "weight": state.share,
        "weights": dict(intended(state)),
        "stable": state.stable,
        "canary": state.canary,
        "reason": state.reason,
        "message": state.message,
    }
    return GateCall(call_id, call.gate, body)


def id_of(key: Key, life: str, call: GateKey) -> str:
    """Return the id of a call: the same for each try, and after any restart; another for anything else.

    ``life`` tells this attempt from any other of its number, as after a status was lost.
    """
    parts = (life, key.namespace, key.name, call.attempt, call.step, call.hook.value, call.name, call.asked)
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=_ID_BYTES)
    return f"gt_{digest.hexdigest()}"
