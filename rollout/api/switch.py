"""The routes of the operator's switch, which stops all automatic failover. Called by the application.

Whoever has a token may see how it stands; turning it needs the right to update Rollouts in all namespaces.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.callers import caller_of, permit
from rollout.api.documents import Reader
from rollout.api.models import SwitchRequest, SwitchView
from rollout.api.operations import Operation, add, answered
from rollout.api.service import Service
from rollout.controller.switch import Standing
from rollout.ports import Verb
from rollout.signals import Position


class Switch:
    """The operations."""

    def __init__(self, service: Service, reader: Reader) -> None:
        """Turn the switch of ``service``."""
        self._service = service
        self._reader = reader

    async def get(self, request: Request) -> Response:
        """Answer how it stands."""
        caller_of(request)
        return answered(view_of(self._service.switch.standing()))

    async def put(self, request: Request) -> Response:
        """Turn it."""
        caller = caller_of(request)
        await permit(self._service.access, caller, Verb.UPDATE, "")
        asked = await self._reader.question_in(request, SwitchRequest)
        standing = await self._service.switch.turn(stopped=asked.stopped, by=caller.name, reason=asked.reason or "")
        return answered(view_of(standing))


def view_of(standing: Standing) -> SwitchView:
    """Return how the switch stands as the API tells it."""
    position = standing.position or Position()
    return SwitchView(
        stopped=standing.stopped,
        message=standing.message,
        by=position.by,
        since=position.at or None,
        reason=position.reason,
        setting="stopped" if standing.by_setting else "auto",
    )


def switch_router(service: Service, reader: Reader) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1", tags=["failover"])
    switch = Switch(service, reader)
    add(router, "GET /failover", switch.get, _GET)
    add(router, "PUT /failover", switch.put, _PUT)
    return router


_GET = Operation(
    id="getSwitch",
    summary="Whether automatic failover is stopped",
    description=(
        "Answers how the operator's switch stands, for all Rollouts: stopped or not, and who turned it last, when and"
        " why. Before the switch was read for the first time after a start, failover counts as stopped."
    ),
    answers={200: ("How it stands.", SwitchView)},
)
_PUT = Operation(
    id="turnSwitch",
    summary="Stop all automatic failover, or let it be",
    description=(
        "Turns the operator's switch. While it stops failover, no traffic is moved by itself, neither away nor back, on"
        " any replica; what people command is carried out. Asks for the right to update Rollouts in all namespaces."
        " The same call again changes nothing. Where the setting `failover` stops it, too, the answer still says so."
    ),
    answers={200: ("How it stands now.", SwitchView)},
    body={"application/json": {"$ref": "#/components/schemas/SwitchRequest"}},
)
