"""Calls of start hooks as commands: the id of each, and which were accepted for as long as their signatures are good.

A command's id is made of the hook's name, the call's id and what it asks for, so that two hooks never mean the same
command, and an id that comes back with another payload is seen, also after a restart, as long as the Rollout has it
among its handled commands. The memory here is for what is forgotten there: within it a call has no second effect,
however many commands came after it. Called by ``rollout.api.start_hooks``, which verifies.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass

from rollout.api.models import CommandOutcome, StartRequest
from rollout.ports import Key

KEPT_SECONDS = 600.0
"""Longer than a signature is good, with room for a clock that is set back."""

MOST_CALLS = 1000
"""Of each hook so many are remembered; of more the oldest are forgotten."""

_SHOWN, _ID_DIGITS, _PAYLOAD_DIGITS = 20, 20, 12
"""Characters of the hook's name, of the call's id and of what it asks for in a command's id, which has at most 64."""


@dataclass(frozen=True, slots=True)
class HookCall:
    """One call that was verified: of which hook, for which Rollout, and digests of its id and of what it asks for."""

    hook: str
    key: Key
    id: str
    payload: str

    @property
    def family(self) -> str:
        """Return how the id of each command begins that came by this hook under this id."""
        return f"hook-{self.hook[:_SHOWN]}-{self.id}-"

    @property
    def command_id(self) -> str:
        """Return the id of its command."""
        return self.family + self.payload


def call_of(hook: str, call_id: str, asked: StartRequest) -> HookCall:
    """Return the call that has this id and asks this."""
    payload = _digest(asked.revision, asked.reason or "", digits=_PAYLOAD_DIGITS)
    return HookCall(hook, Key(asked.namespace, asked.rollout), _digest(hook, call_id, digits=_ID_DIGITS), payload)


def _digest(*texts: str, digits: int) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:digits]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is remembered of a call: what it asked for, what it was answered last, and when (monotonic seconds)."""

    payload: str
    outcome: CommandOutcome
    at: float


class AcceptedCalls:
    """The memory, which ends with the service."""

    def __init__(self, most: int = MOST_CALLS) -> None:
        """Begin with none; keep ``most`` of each hook."""
        self._most = most
        self._calls: dict[str, OrderedDict[tuple[Key, str], Accepted]] = {}

    def find(self, call: HookCall, now: float) -> Accepted | None:
        """Return what is remembered under the id of a call."""
        kept = self._calls.get(call.hook, OrderedDict()).get((call.key, call.id))
        return kept if kept is not None and now - kept.at <= KEPT_SECONDS else None

    def remember(self, call: HookCall, outcome: CommandOutcome, now: float) -> None:
        """Keep what a call was answered; the time runs on from the first answer."""
        first = self.find(call, now)
        calls = self._calls.setdefault(call.hook, OrderedDict())
        calls[call.key, call.id] = Accepted(call.payload, outcome, now if first is None else first.at)
        if first is None:
            calls.move_to_end((call.key, call.id))
        while len(calls) > self._most or now - next(iter(calls.values())).at > KEPT_SECONDS:
            calls.popitem(last=False)
