"""The route of the service's own metrics, for Prometheus.

Called by the application. What is counted stands in ``rollout.meters``.
"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from rollout.api.callers import caller_of, permit
from rollout.api.operations import Operation, add
from rollout.api.service import Service
from rollout.ports import Verb

MOST_ACCEPT = 1024
"""So many characters of the Accept header are looked at."""


class Metrics:
    """The operation."""

    def __init__(self, service: Service) -> None:
        """Answer the metrics of ``service``."""
        self._service = service
        self._turn = asyncio.Semaphore(1)

    async def metrics(self, request: Request) -> Response:
        """Answer all metrics in the form that the reader prefers; written in a thread, one answer at a time."""
        await permit(self._service.access, caller_of(request), Verb.LIST, "")
        encode, content_type = choose_encoder(request.headers.get("accept", "")[:MOST_ACCEPT])
        async with self._turn:
            text = await asyncio.to_thread(encode, self._service.meters.registry)
        return Response(text, headers={"Content-Type": content_type})


def metrics_router(service: Service) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["service"])
    add(router, "GET /metrics", Metrics(service).metrics, _METRICS)
    return router


_METRICS = Operation(
    id="getMetrics",
    summary="The service's own metrics",
    description="Answers all metrics, for Prometheus. What each means stands in the reference.",
    answers={200: ("The metrics.", None)},
    texts=("text/plain", "application/openmetrics-text"),
)
