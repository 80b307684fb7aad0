"""Applying a Rollout: the whole manifest is checked, then stored, then perhaps a start is left.

Called by the route. Applies to the same Rollout take turns, so that each says what came of it.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from rollout.api.examination import Policy, Sound, examine_rollout, policy_of
from rollout.api.models import Applied, CommandOutcome, CommandRequest, Document
from rollout.api.outcomes import Outcomes
from rollout.api.parameters import Conditions, Wish, expected_version
from rollout.api.problems import Refused, invalid
from rollout.api.resources import resource_of
from rollout.api.service import Service
from rollout.engine.table import Action
from rollout.errors import NotOursError, Problem, Unavailable
from rollout.ports import Caller, Key, StoredRollout
from rollout.spec.sink_advice import sink_warnings

START_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Application:
    """What somebody wants to apply: the manifest of this Rollout, for which version, and what beside."""

    key: Key
    document: Document
    conditions: Conditions
    wish: Wish
    caller: Caller


class Applying:
    """Applies Rollouts to one service."""

    def __init__(self, service: Service, outcomes: Outcomes) -> None:
        """Leave starts through ``outcomes``."""
        self._service = service
        self._outcomes = outcomes
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def policy_of(self, document: Document) -> Policy | None:
        """Return the policy that the manifest names."""
        return policy_of(document, self._service.store)

    def examine(self, document: Document, policy: Policy | None) -> Sound:
        """Return what is sound about the manifest; looks at nothing that changes, so that a thread may do it.

        Raises:
            Refused: it would be invalid.
        """
        sound = examine_rollout(document, policy, self._service.controller)
        sinks = sink_warnings(document, {one.name for one in self._service.sinks.standings()})
        return replace(sound, warnings=(*sound.warnings, *map(str, sinks)))

    async def apply(self, asked: Application, sound: Sound) -> Applied:
        """Store the manifest, unless it is only to be tried, and start what is to be started.

        Raises:
            Refused: a file speaks for the Rollout (409), or its version is another one (412).
            ConflictError: its version changed at this moment.
            Unavailable: it cannot be stored now.
        """
        async with self._turns.setdefault(asked.key, asyncio.Lock()):
            before = self._service.store.read(asked.key)
            expected = expected_version(before, asked.conditions)
            refuse_of_file(self._service.intents.source_of(asked.key), f"Rollout {asked.key}")
            if asked.wish.dry_run:
                return _tried(asked, sound, before)
            await self._service.intents.apply(asked.document, expected=expected)
            after = self._service.store.read(asked.key)
        if after is None:
            raise NotOursError(f"Rollout {asked.key} was taken away right after it was applied")
        command = await self._start(asked)
        return Applied(
            outcome="created" if before is None else "unchanged" if _is_same(before, after) else "changed",
            dry_run=False,
            resource=resource_of(self._service.store.read(asked.key) or after, self._service.controller),
            warnings=list(sound.warnings),
            command=command,
        )

    async def _start(self, asked: Application) -> CommandOutcome | None:
        """Leave the start that is asked for; what was applied stays, whatever comes of it."""
        wish = asked.wish
        if wish.start is None:
            return None
        command_id = wish.command_id or uuid.uuid4().hex
        start = CommandRequest(action=Action.START, revision=wish.start, id=command_id, reason=wish.why)
        try:
            return await self._outcomes.leave(asked.key, start, asked.caller, wait_seconds=START_WAIT_SECONDS)
        except Refused as refused:
            told = {"id": command_id, "action": start.action.value, "state": "refused"}
            return CommandOutcome.model_validate({**told, "reason": refused.reason or "", "message": refused.detail})
        except Unavailable as error:
            told_so = (
                f"Rollout {asked.key} was applied; whether its start ({command_id}) was left is not known: {error}"
            )
            raise Unavailable(told_so) from error


def _tried(asked: Application, sound: Sound, before: StoredRollout | None) -> Applied:
    effective = dict(asked.document)
    if sound.rollout is not None:
        merged = sound.rollout.model_dump(mode="json", by_alias=True, exclude_none=True)
        effective = {**merged, "metadata": asked.document["metadata"]}
    same = before is not None and not before.deleting and _wanted(before.document) == _wanted(asked.document)
    return Applied(
        outcome="created" if before is None else "unchanged" if same else "changed",
        dry_run=True,
        resource=effective,
        warnings=list(sound.warnings),
    )


def _is_same(before: StoredRollout, after: StoredRollout) -> bool:
    return before.generation == after.generation and not before.deleting


def _wanted(document: object) -> object:
    """Return what counts as a change: all but the status and what the server gives, labels and annotations included."""
    if not isinstance(document, dict):
        return document
    metadata = document.get("metadata")
    read = metadata if isinstance(metadata, dict) else {}
    rest = {name: value for name, value in document.items() if name not in {"metadata", "status"}}
    return rest, read.get("labels"), read.get("annotations")


def check_wish(wish: Wish) -> None:
    """Return when what is asked for beside the apply goes together.

    Raises:
        Refused: it does not.
    """
    problems = []
    if wish.start is not None and wish.dry_run:
        problems.append(Problem("start", "cannot stand beside dryRun", given=wish.start, allowed="one of the two"))
    for name, value in (("reason", wish.why), ("commandId", wish.command_id)):
        if value is not None and wish.start is None:
            problems.append(Problem(name, "has no meaning without start", given=value, allowed="start beside it"))
    if problems:
        raise invalid(*problems)


def refuse_of_file(source: str, what: str) -> None:
    """Return when no file speaks for a thing.

    Raises:
        Refused: one does, and it would take any other change back.
    """
    if source:
        raise Refused(409, f"{what} is described by the file {source}; change it there")
