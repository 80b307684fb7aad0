"""Commands from acceptance to what became of them, once by id, and those who wait for it.

Called by the routes. It does not know which command is legal where: the engine says so, and what it says is told on.
One subscription to the controller serves all who wait.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from rollout.api.models import CommandOutcome, CommandRequest
from rollout.api.problems import Refused
from rollout.api.resources import key_text
from rollout.api.service import Service
from rollout.controller.passes import Told
from rollout.engine.observation import Command
from rollout.engine.state import Handled
from rollout.errors import ConflictError, NotOursError
from rollout.ports import Caller, Key, StoredRollout

ANOTHER_WAITS = "AnotherCommandWaits"
ID_TAKEN = "CommandIdTaken"
REPLACED = "ReplacedByAbort"
"""Reasons that the API itself gives; all others are the engine's."""

_ARGUMENTS = ("revision", "full", "step", "stable", "to", "epoch")


class Outcomes:
    """Leaves commands of one service, and tells what became of them."""

    def __init__(self, service: Service) -> None:
        """Listen to the controller from now on."""
        self._service = service
        self._waiters: defaultdict[tuple[Key, str], set[asyncio.Future[CommandOutcome]]] = defaultdict(set)
        service.controller.subscribe(self._hear, elsewhere=True)

    @property
    def waiting(self) -> int:
        """Return how many calls wait."""
        return sum(map(len, self._waiters.values()))

    async def leave(self, key: Key, request: CommandRequest, caller: Caller, *, wait_seconds: float) -> CommandOutcome:
        """Leave a command; return what became of it within this time, or that it waits.

        Raises:
            Refused: another command waits, or the id is another command's (409).
            NotOursError: there is no such Rollout.
            Unavailable: it cannot be left now.
        """
        command = self._command(request, caller)
        outcome = self.find(key, command.id)
        if outcome is None or outcome.state == "waiting":
            outcome = await self._leave(key, command, is_new=outcome is None, wait_seconds=wait_seconds)
        if outcome.action != command.action:
            raise _taken(command, outcome)
        return outcome

    def find(self, key: Key, command_id: str) -> CommandOutcome | None:
        """Return what became of a command, or that it waits; None when it is not known, or not any more.

        Raises:
            NotOursError: there is no such Rollout.
        """
        return next((outcome for outcome in self.known(key) if outcome.id == command_id), None)

    def known(self, key: Key) -> Iterator[CommandOutcome]:
        """Yield what became of the last commands, and then which one waits.

        Raises:
            NotOursError: there is no such Rollout.
        """
        stored = self._stored(key)
        yield from self._handled(stored)
        if stored.command is not None:
            yield outcome_of_waiting(stored.command)

    def _command(self, request: CommandRequest, caller: Caller) -> Command:
        given = request.model_dump(include=set(_ARGUMENTS), exclude_none=True)
        return Command(
            id=request.id or uuid.uuid4().hex,
            action=request.action.value,
            args=given,
            at=self._service.clock.now(),
            reason=request.reason or "",
            by=caller.name,
        )

    async def _leave(self, key: Key, command: Command, *, is_new: bool, wait_seconds: float) -> CommandOutcome:
        answer = asyncio.get_running_loop().create_future()
        waiters = self._waiters[key, command.id]
        waiters.add(answer)
        try:
            if is_new:
                await self._put(key, command)
            return await self._await(key, command, answer, wait_seconds)
        finally:
            waiters.discard(answer)
            if not waiters and self._waiters.get((key, command.id)) is waiters:
                del self._waiters[key, command.id]

    async def _put(self, key: Key, command: Command) -> None:
        before = self._stored(key).command
        try:
            await self._service.intents.command(key, command)
        except ConflictError as error:
            raise self._another(key, command) from error
        if before is not None and before.id != command.id:
            self._replace(key, before)

    def _another(self, key: Key, command: Command) -> Refused:
        waiting = self._stored(key).command
        if waiting is None:
            return Refused(409, f"another command to {key_text(key)} came first; try again", reason=ANOTHER_WAITS)
        detail = f"{waiting.action} ({waiting.id}) waits to be carried out; only abort takes its place"
        told = CommandOutcome(
            id=command.id, action=command.action, state="refused", reason=ANOTHER_WAITS, message=detail
        )
        return Refused(409, detail, reason=ANOTHER_WAITS, command=told)

    def _replace(self, key: Key, before: Command) -> None:
        """Tell those who wait for ``before`` that it will not be carried out, unless it has been."""
        stored = self._stored(key)
        waits = stored.command is not None and stored.command.id == before.id
        if not waits and all(outcome.id != before.id for outcome in self._handled(stored)):
            self._answer(key, _replaced(before))

    async def _await(
        self, key: Key, command: Command, answer: asyncio.Future[CommandOutcome], seconds: float
    ) -> CommandOutcome:
        """Return what became of the command, as heard or as stored, or after this time that it waits."""
        found = self.find(key, command.id)
        if (found is None or found.state == "waiting") and not answer.done():
            await asyncio.wait({answer}, timeout=seconds)
        if answer.done():
            return answer.result()
        return self.find(key, command.id) or _replaced(command)

    def _hear(self, told: Told) -> None:
        if told.handled is not None:
            self._answer(told.key, _told(told.handled))

    def _answer(self, key: Key, outcome: CommandOutcome) -> None:
        for answer in self._waiters.get((key, outcome.id), ()):
            if not answer.done():
                answer.set_result(outcome)

    def _stored(self, key: Key) -> StoredRollout:
        stored = self._service.store.read(key)
        if stored is None:
            raise NotOursError(f"there is no {key_text(key)}")
        return stored

    def _handled(self, stored: StoredRollout) -> Iterator[CommandOutcome]:
        """Yield what became of the last commands: as the controller knows it, and as it was recorded."""
        state = self._service.controller.state(stored.key)
        for done in state.handled if state is not None else ():
            yield _told(done)
        recorded = stored.status.get("handledCommands")
        for entry in recorded if isinstance(recorded, list) else ():
            if isinstance(entry, Mapping):
                yield _outcome(str(entry.get("id", "")), str(entry.get("action", "")), entry)


def _told(done: Handled) -> CommandOutcome:
    return _outcome(done.id, done.action, {"done": done.done, "reason": done.reason, "message": done.message})


def _outcome(command_id: str, action: str, entry: Mapping[str, Any]) -> CommandOutcome:
    return CommandOutcome(
        id=command_id,
        action=action,
        state="done" if entry.get("done") else "refused",
        reason=str(entry.get("reason", "")),
        message=str(entry.get("message", "")),
    )


def outcome_of_waiting(command: Command) -> CommandOutcome:
    """Return the outcome of a command that is not carried out yet."""
    message = f"{command.action} waits for the controller"
    return CommandOutcome(id=command.id, action=command.action, state="waiting", reason="", message=message)


def _replaced(command: Command) -> CommandOutcome:
    message = f"abort took the place of {command.action} before it was carried out"
    return CommandOutcome(id=command.id, action=command.action, state="refused", reason=REPLACED, message=message)


def _taken(command: Command, found: CommandOutcome) -> Refused:
    detail = f"the id {command.id} is that of a command {found.action}; another command needs another id"
    return Refused(409, detail, reason=ID_TAKEN, command=found)
