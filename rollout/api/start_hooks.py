"""The route of start hooks: a program without a token, as a CI system, starts an attempt with a signed call.

The signature after Standard Webhooks says who calls; the operator's file says what that hook may start. A call which
comes again, by a retry or by somebody who overheard it, does nothing again, and its id is good for one payload only.
Who knows no secret learns nothing: an unknown hook and a wrong signature are answered alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from rollout.api.bodies import too_large
from rollout.api.callers import CALLER
from rollout.api.commands import WAIT_SECONDS, outcome_response
from rollout.api.documents import question_of
from rollout.api.doorkeeper import Rates, too_many
from rollout.api.hook_calls import AcceptedCalls, HookCall, call_of
from rollout.api.hook_signatures import Signatures
from rollout.api.models import CommandId, CommandOutcome, CommandRequest, StartRequest
from rollout.api.operations import Operation, add
from rollout.api.outcomes import ID_TAKEN, Outcomes
from rollout.api.parameters import ID_ALLOWED, Wait
from rollout.api.problems import Refused, malformed
from rollout.api.rates import network_of
from rollout.api.service import Service
from rollout.engine.table import Action
from rollout.ports import Caller
from rollout.spec.fields import printable
from rollout.webhooks import ID, SIGNATURE, TIMESTAMP

MOST_BYTES = 16 * 1024
Named = Annotated[str, InPath(description="The hook.")]
_ID = TypeAdapter[str](CommandId)


class StartHookCalls:
    """The operation."""

    def __init__(self, service: Service, outcomes: Outcomes, rates: Rates) -> None:
        """Leave starts through ``outcomes``; who calls is counted in ``rates``."""
        self._service = service
        self._outcomes = outcomes
        self._rates = rates
        self._signatures = Signatures(service.hooks, service.clock)
        self._accepted = AcceptedCalls()

    async def start(self, request: Request, hook: Named, wait: Wait = WAIT_SECONDS) -> Response:
        """Leave a start and wait for what becomes of it."""
        await self._count(f"address {_network_of(request)}", "this address calls hooks")
        body = await _body_of(request)
        found = await self._signatures.hook_of(hook, request.headers, body)
        if found is None:
            raise await self._stranger(request, hook)
        caller = Caller(f"hook {found.name}")
        request.scope.setdefault("state", {})[CALLER] = caller
        await self._count(caller.name, f"{caller.name} calls")
        asked = question_of(request, body, StartRequest)
        if not found.may_start(asked.namespace, asked.rollout):
            raise Refused(403, f"{caller.name} may not start Rollout {asked.namespace}/{asked.rollout}")
        call = call_of(found.name, _id_of(request.headers), asked)
        command = CommandRequest(action=Action.START, revision=asked.revision, id=call.command_id, reason=asked.reason)
        return outcome_response(call.key, await self._once(call, command, caller, wait_seconds=wait))

    async def _count(self, name: str, who: str) -> None:
        """Count a call.

        Raises:
            Refused: there were too many.
        """
        wait_for = await self._rates.asked.take(name)
        if wait_for:
            self._service.meters.rate_limited()
            raise too_many(who, self._rates.asked, wait_for)

    async def _once(
        self, call: HookCall, command: CommandRequest, caller: Caller, *, wait_seconds: float
    ) -> CommandOutcome:
        """Leave the command of a call, unless the call was accepted before; return what became of it.

        Raises:
            Refused: under the call's id something else was asked for, or the command cannot be left (409).
        """
        kept = self._accepted.find(call, self._service.clock.monotonic())
        there = {one.id for one in self._outcomes.known(call.key) if one.id.startswith(call.family)}
        if (kept is not None and kept.payload != call.payload) or there - {call.command_id}:
            detail = "this webhook-id was used before, for another start; another start needs another id"
            raise Refused(409, detail, reason=ID_TAKEN)
        if kept is not None and not there:
            return _settled(kept.outcome)
        outcome = await self._outcomes.leave(call.key, command, caller, wait_seconds=wait_seconds)
        self._accepted.remember(call, outcome, self._service.clock.monotonic())
        return outcome

    async def _stranger(self, request: Request, hook: str) -> Refused:
        wait = await self._rates.failed.take(_network_of(request))
        if wait:
            self._service.meters.rate_limited()
            return too_many("this address comes with signatures that are not right", self._rates.failed, wait)
        self._service.meters.authentication_failed()
        self._signatures.tell_refused(hook, _address_of(request))
        detail = "there is no such hook, the signature is not right, or it is older than five minutes or ahead of time"
        return Refused(401, detail)


def _settled(outcome: CommandOutcome) -> CommandOutcome:
    """Return what a call was answered last, whose command is not known any more.

    Raises:
        Refused: then it waited still, so that nobody knows what became of it.
    """
    if outcome.state == "waiting":
        detail = (
            "this call was accepted before, and what became of it is not known any more; another start needs another id"
        )
        raise Refused(409, detail, reason=ID_TAKEN)
    return outcome


def _address_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _network_of(request: Request) -> str:
    return network_of(_address_of(request))


async def _body_of(request: Request) -> bytes:
    """Return the body, of which no more is taken than may come.

    Raises:
        Refused: it is larger.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise too_large(MOST_BYTES)
    return bytes(body)


def _id_of(headers: Mapping[str, str]) -> str:
    """Return the id of a call as that of a command.

    Raises:
        Refused: it cannot be one.
    """
    given = headers.get(ID, "")
    try:
        return _ID.validate_python(given)
    except ValidationError:
        raise malformed(ID, "cannot be the id of a command", given=printable(given), allowed=ID_ALLOWED) from None


def start_hooks_router(service: Service, outcomes: Outcomes, rates: Rates) -> APIRouter:
    """Return the route of start hooks."""
    router = APIRouter(prefix="/api/v1/hooks", tags=["hooks"])
    add(router, "POST /{hook}", StartHookCalls(service, outcomes, rates).start, _START)
    return router


def _header(name: str, meaning: str) -> dict[str, object]:
    return {"name": name, "in": "header", "required": True, "description": meaning, "schema": {"type": "string"}}


_START = Operation(
    id="startByHook",
    summary="Start an attempt with a signed call",
    description=(
        "Starts an attempt as a command does, for programs without a token: the call is signed after Standard Webhooks"
        " with the secret of this hook, not older than five minutes, and at most 30 s ahead. The command's id is made"
        " of the hook, the `webhook-id` and what is asked for: the same call again has no second effect and answers"
        " what became of the first, and the same id with another payload is refused (409). An unknown hook and a wrong"
        " signature are answered alike. The body has at most 16 KiB."
    ),
    answers={
        200: ("It was carried out.", CommandOutcome),
        202: ("It is on disk, and waits to be carried out.", CommandOutcome),
    },
    errors=(401, 403, 404, 409, 422, 429, 503),
    body={"application/json": {"$ref": "#/components/schemas/StartRequest"}},
    headers=("Location",),
    is_open=True,
    parameters=(
        _header(ID, "The id of the call, which stays when it is made again; another start has another one."),
        _header(TIMESTAMP, "When it is made, in whole Unix seconds."),
        _header(SIGNATURE, "`v1,` and the signature in base64; several with a space between them."),
    ),
)
