"""The routes of commands: leave one, and ask what became of one.

Called by the application. What is legal is the engine's to say; see ``rollout.api.outcomes``.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.callers import caller_of, permit
from rollout.api.documents import Reader
from rollout.api.models import CommandOutcome, CommandRequest
from rollout.api.operations import Operation, add, answered
from rollout.api.outcomes import Outcomes
from rollout.api.parameters import CommandId, Namespace, RolloutName, Wait
from rollout.api.problems import Refused
from rollout.api.service import Service
from rollout.ports import Key, Verb

WAIT_SECONDS = 5.0
_HERE = {"namespace": "$request.path.namespace", "name": "$request.path.name"}
_FIND = {
    "findCommand": {
        "operationId": "findCommand",
        "parameters": {**_HERE, "commandId": "$response.body#/id"},
        "description": "What became of it.",
    }
}


class Commands:
    """The operations."""

    def __init__(self, service: Service, reader: Reader, outcomes: Outcomes) -> None:
        """Leave commands through ``outcomes``."""
        self._service = service
        self._reader = reader
        self._outcomes = outcomes

    async def leave(
        self, request: Request, namespace: Namespace, name: RolloutName, wait: Wait = WAIT_SECONDS
    ) -> Response:
        """Leave a command and wait for what becomes of it."""
        caller = caller_of(request)
        await permit(self._service.access, caller, Verb.UPDATE, namespace)
        asked = await self._reader.question_in(request, CommandRequest)
        key = Key(namespace, name)
        return outcome_response(key, await self._outcomes.leave(key, asked, caller, wait_seconds=wait))

    async def find(self, request: Request, namespace: Namespace, name: RolloutName, command_id: CommandId) -> Response:
        """Answer what became of a command."""
        await permit(self._service.access, caller_of(request), Verb.GET, namespace)
        outcome = self._outcomes.find(Key(namespace, name), command_id)
        if outcome is None:
            raise Refused(404, f"Rollout {namespace}/{name} knows no command {command_id}; the last 20 are kept")
        return answered(outcome)


def outcome_response(key: Key, outcome: CommandOutcome) -> Response:
    """Return the answer to whoever left a command.

    Raises:
        Refused: the command was.
    """
    if outcome.state == "refused":
        raise Refused(409, outcome.message, reason=outcome.reason, command=outcome)
    place = {"Location": f"/api/v1/rollouts/{key.namespace}/{key.name}/commands/{outcome.id}"}
    return answered(outcome, 200 if outcome.state == "done" else 202, place)


def commands_router(service: Service, reader: Reader, outcomes: Outcomes) -> APIRouter:
    """Return the routes of commands."""
    router = APIRouter(prefix="/api/v1/rollouts/{namespace}/{name}/commands", tags=["commands"])
    commands = Commands(service, reader, outcomes)
    add(router, "POST ", commands.leave, _LEAVE)
    add(router, "GET /{commandId}", commands.find, _FIND_ONE)
    return router


_LEAVE = Operation(
    id="leaveCommand",
    summary="Give a Rollout a command",
    description=(
        "Leaves the command for the controller and waits for what becomes of it. A command that is not legal as the"
        " Rollout stands is refused with its reason. With an id, the same call again has no second effect and answers"
        " what became of the first. While a command waits, only abort takes its place."
    ),
    answers={
        200: ("It was carried out.", CommandOutcome),
        202: ("It is on disk, and waits to be carried out.", CommandOutcome),
    },
    errors=(404, 409),
    body={"application/json": {"$ref": "#/components/schemas/CommandRequest"}},
    links=_FIND,
    headers=("Location",),
)
_FIND_ONE = Operation(
    id="findCommand",
    summary="What became of a command",
    description="Answers what became of one of the last 20 commands, or that it waits.",
    answers={200: ("What became of it.", CommandOutcome)},
    errors=(404,),
)
