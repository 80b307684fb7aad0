"""The route of start hooks: a program without a token, as a CI system, starts an attempt with a signed call.

The signature after Standard Webhooks says who calls; the operator's file says what that hook may start. The call's id
is the command's id, so that a call which comes again, by a retry or by somebody who overheard it, does nothing again.
Who knows no secret learns nothing: an unknown hook and a wrong signature are answered alike, after the same work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import APIRouter, Request
from fastapi import Path as InPath
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook
from starlette.responses import Response

from rollout.api.bodies import too_large
from rollout.api.callers import CALLER
from rollout.api.commands import WAIT_SECONDS, outcome_response
from rollout.api.documents import question_of
from rollout.api.doorkeeper import Rates, too_many
from rollout.api.models import CommandId, CommandOutcome, CommandRequest, StartRequest
from rollout.api.operations import Operation, add
from rollout.api.outcomes import Outcomes
from rollout.api.parameters import ID_ALLOWED, Wait
from rollout.api.problems import Refused, malformed
from rollout.api.rates import network_of
from rollout.api.service import Service
from rollout.engine.table import Action
from rollout.errors import NotAllowedError, Unavailable
from rollout.ports import Caller, Key
from rollout.settings.hooks import StartHook
from rollout.spec.fields import printable
from rollout.webhooks import ID, SIGNATURE, TIMESTAMP, nobodys_secret, read_secrets, verify

log = structlog.get_logger(__name__)

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
        self._hooks = {hook.name: hook for hook in service.hooks}

    async def start(self, request: Request, hook: Named, wait: Wait = WAIT_SECONDS) -> Response:
        """Leave a start and wait for what becomes of it."""
        body = await _body_of(request)
        found = await self._verified(request, self._hooks.get(hook), body)
        caller = Caller(f"hook {found.name}")
        request.scope.setdefault("state", {})[CALLER] = caller
        wait_for = await self._rates.asked.take(caller.name)
        if wait_for:
            self._service.meters.rate_limited()
            raise too_many(f"{caller.name} calls", self._rates.asked, wait_for)
        asked = question_of(request, body, StartRequest)
        if not found.may_start(asked.namespace, asked.rollout):
            raise Refused(403, f"{caller.name} may not start Rollout {asked.namespace}/{asked.rollout}")
        command = CommandRequest(
            action=Action.START, revision=asked.revision, id=_id_of(request.headers), reason=asked.reason
        )
        key = Key(asked.namespace, asked.rollout)
        return outcome_response(key, await self._outcomes.leave(key, command, caller, wait_seconds=wait))

    async def _verified(self, request: Request, hook: StartHook | None, body: bytes) -> StartHook:
        """Return the hook whose call it is.

        Raises:
            Refused: it is nobody's, whether there is such a hook or not.
        """
        secrets = await self._secrets(hook)
        try:
            verify(secrets, request.headers, body)
            if hook is not None:
                return hook
        except NotAllowedError:
            log.debug("a start hook was called with a signature that is not right")
        raise await self._stranger(request)

    async def _secrets(self, hook: StartHook | None) -> Sequence[Webhook]:
        """Return the hook's secrets; for a hook that is not there somebody's file is read, and nobody's is returned."""
        example = hook or next(iter(self._hooks.values()), None)
        if example is None:
            return nobodys_secret()
        try:
            secrets = await asyncio.to_thread(read_secrets, Path(example.secret_file))
        except Unavailable as error:
            log.warning("a start hook cannot be used", hook=example.name, file=example.secret_file, why=str(error))
            return nobodys_secret()
        return secrets if hook is not None else nobodys_secret()

    async def _stranger(self, request: Request) -> Refused:
        address = request.client.host if request.client is not None else ""
        wait = await self._rates.failed.take(network_of(address))
        if wait:
            self._service.meters.rate_limited()
            return too_many("this address comes with signatures that are not right", self._rates.failed, wait)
        self._service.meters.authentication_failed()
        log.warning("a call of a start hook was not accepted", address=address)
        return Refused(401, "there is no such hook, or the signature is not right, or older than five minutes")


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
        " with the secret of this hook, and not older than five minutes. Its `webhook-id` is the command's id: the same"
        " call again has no second effect and answers what became of the first, whatever it says. An unknown hook and a"
        " wrong signature are answered alike. The body has at most 16 KiB."
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
        _header(ID, "The id of the call, which stays when it is made again; it becomes that of the command."),
        _header(TIMESTAMP, "When it is made, in whole Unix seconds."),
        _header(SIGNATURE, "`v1,` and the signature in base64; several with a space between them."),
    ),
)
