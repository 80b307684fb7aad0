"""The application: every route of the API, behind one door, with one way to say what is wrong.

Called by ``rollout.bootstrap``; served by ``rollout.api.server``.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from rollout import __version__
from rollout.api.about import about_router
from rollout.api.answers import handle_errors
from rollout.api.arrivals import Arrivals
from rollout.api.bodies import Bodies
from rollout.api.commands import commands_router
from rollout.api.description import ABOUT, SUMMARY, TAGS, TITLE, complete
from rollout.api.documents import Reader
from rollout.api.doorkeeper import Doorkeeper, Rates
from rollout.api.history import history_router
from rollout.api.live import live_router
from rollout.api.metrics import metrics_router
from rollout.api.outcomes import Outcomes
from rollout.api.policies import policies_router
from rollout.api.rates import Rate
from rollout.api.rollouts import rollouts_router
from rollout.api.service import Service
from rollout.api.sinks import sinks_router
from rollout.api.start_hooks import start_hooks_router
from rollout.api.streams import StreamOptions, stream_router
from rollout.api.switch import switch_router


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """Limits: requests a second of one caller, and how many at once; refused tokens of one address in a minute.

    ``streams`` say how event streams work, and end.
    """

    rate_per_second: int = 50
    burst: int = 200
    failures_per_minute: int = 30
    body_bytes: int = 1024 * 1024
    streams: StreamOptions = field(default_factory=lambda: StreamOptions(asyncio.Event()))


class Api(FastAPI):
    """FastAPI with a description that is complete."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, which is made once."""
        if not self.openapi_schema:
            made = get_openapi(
                title=TITLE,
                version=__version__,
                summary=SUMMARY,
                description=ABOUT,
                tags=list(TAGS),
                routes=self.routes,
                license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            )
            self.openapi_schema = complete(made)
        return self.openapi_schema


def create_app(service: Service, options: ApiOptions | None = None) -> FastAPI:
    """Return the application of one service; it listens to the controller from now on."""
    limits = options or ApiOptions()
    app = Api(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
    )
    rates = _rates(limits)
    for router in _routers(service, limits, rates):
        app.include_router(router)
    handle_errors(app)
    # The one that is added last is the outermost.
    app.add_middleware(Doorkeeper, access=service.access, rates=rates, meters=service.meters)
    app.add_middleware(Bodies, most_bytes=limits.body_bytes)
    app.add_middleware(Arrivals, meters=service.meters)
    return app


def _routers(service: Service, options: ApiOptions, rates: Rates) -> tuple[APIRouter, ...]:
    outcomes, reader = Outcomes(service), Reader()
    return (
        rollouts_router(service, reader, outcomes),
        commands_router(service, reader, outcomes),
        start_hooks_router(service, outcomes, rates),
        history_router(service),
        live_router(service),
        policies_router(service, reader),
        switch_router(service, reader),
        sinks_router(service),
        stream_router(service, options.streams),
        about_router(service),
        metrics_router(service),
    )


def _rates(options: ApiOptions) -> Rates:
    """Return the rates: a burst, in as many whole seconds as it takes to earn it again."""
    seconds = max(1, math.ceil(options.burst / options.rate_per_second))
    return Rates(Rate(options.burst, seconds), Rate(options.failures_per_minute, 60))


def _operation_id(route: APIRoute) -> str:
    return to_camel(route.name)
