"""The routes that tell of the service itself: whether it lives and is ready, what it is, who asks, and its description.

Called by the application. ``/healthz`` and ``/readyz`` are the only ones that need no token.
"""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from rollout import __version__
from rollout.api.callers import caller_of, permit
from rollout.api.models import Version, WhoAmI
from rollout.api.operations import Operation, add, answered
from rollout.api.problems import RETRY_SECONDS, Refused
from rollout.api.service import Service
from rollout.ports import Verb


class About:
    """The operations."""

    def __init__(self, service: Service) -> None:
        """Tell of ``service``."""
        self._service = service

    async def health(self) -> Response:
        """Answer that the process answers."""
        return JSONResponse({"status": "alive"})

    async def readiness(self) -> Response:
        """Answer whether requests can be served."""
        why = self._service.ready()
        if why:
            raise Refused(503, why, headers={"Retry-After": str(RETRY_SECONDS)})
        return JSONResponse({"status": "ready"})

    async def version(self, request: Request) -> Response:
        """Answer what answers."""
        caller_of(request)
        return answered(Version(version=__version__, runtime=self._service.runtime))

    async def who_am_i(self, request: Request) -> Response:
        """Answer whose token it is."""
        caller = caller_of(request)
        return answered(WhoAmI(name=caller.name, roles=list(caller.roles)))

    async def description(self, request: Request) -> Response:
        """Answer the description of the API."""
        await permit(self._service.access, caller_of(request), Verb.GET, "")
        return Response(json.dumps(request.app.openapi()), media_type="application/json")


def about_router(service: Service) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["service"])
    about = About(service)
    add(router, "GET /healthz", about.health, _HEALTH)
    add(router, "GET /readyz", about.readiness, _READINESS)
    add(router, "GET /openapi.json", about.description, _DESCRIPTION)
    add(router, "GET /api/v1/version", about.version, _VERSION)
    add(router, "GET /api/v1/whoami", about.who_am_i, _WHO_AM_I)
    return router


_HEALTH = Operation(
    id="getHealth",
    summary="Whether the service lives",
    description="Answers as long as the process answers at all.",
    answers={200: ("It lives.", None)},
    errors=(422,),
    is_open=True,
)
_READINESS = Operation(
    id="getReadiness",
    summary="Whether the service is ready",
    description="Answers whether requests can be served, and if not, why not.",
    answers={200: ("It is ready.", None)},
    errors=(422, 503),
    is_open=True,
)
_DESCRIPTION = Operation(
    id="getDescription",
    summary="This description",
    description="Answers the description of the API after OpenAPI 3.1.",
    answers={200: ("The description.", None)},
)
_VERSION = Operation(
    id="getVersion",
    summary="What answers",
    description="Answers the version of the service and the runtime that it serves.",
    answers={200: ("The version.", Version)},
)
_WHO_AM_I = Operation(
    id="whoAmI",
    summary="Whose token it is",
    description="Answers the name that stands in history and logs, and the roles that the token has.",
    answers={200: ("Name and roles.", WhoAmI)},
)
