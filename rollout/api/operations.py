"""What an operation says of itself in the description: its words, its answers, its errors, where it leads.

Used by the routes, so that each names in one place what a client may rely on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from rollout.api.parameters import known_query
from rollout.api.problems import KINDS

ALWAYS = (401, 403, 422, 429, 503)
"""Problems that every operation behind the door may answer with."""

WITH_BODY = (400, 413, 415)

_RESOURCE = {"type": "object", "additionalProperties": True}

Endpoint = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: ``answers`` are its statuses, each with a sentence and the model (None: a whole resource).

    ``errors`` are those beside ``ALWAYS``. ``body`` is the schema of what it takes, by media type. ``links`` are those
    of OpenAPI, for every answer; so are ``headers``.
    """

    id: str
    summary: str
    description: str
    answers: Mapping[int, tuple[str, type[BaseModel] | None]]
    errors: tuple[int, ...] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    is_open: bool = False
    """Whether it needs no token."""
    texts: tuple[str, ...] = ()
    """The media types of an answer that is text and no JSON."""
    parameters: tuple[Mapping[str, Any], ...] = ()
    """Parameters that the endpoint reads by itself."""

    def responses(self) -> dict[int | str, dict[str, Any]]:
        """Return the answers as FastAPI wants them."""
        found: dict[int | str, dict[str, Any]] = {}
        for status, (sentence, model) in self.answers.items():
            shape: dict[str, Any] = {"model": model} if model is not None else {"content": self._content()}
            headers = {"headers": {name: HEADERS[name] for name in self.headers}} if self.headers else {}
            links = {"links": self.links} if self.links else {}
            found[status] = {"description": sentence, **shape, **headers, **links}
        body_errors = WITH_BODY if self.body else ()
        always = () if self.is_open else ALWAYS
        for status in sorted({*always, *body_errors, *self.errors}):
            found[status] = {"description": f"{KINDS[status][1]}."}  # its content is the same for all: `complete`
        return found

    def _content(self) -> dict[str, Any]:
        """Return what an answer without a model has in it."""
        texts: dict[str, Any] = {media: {"schema": {"type": "string"}} for media in self.texts}
        return texts or {"application/json": {"schema": _RESOURCE}}

    def extra(self) -> dict[str, Any]:
        """Return what FastAPI does not know of."""
        security: dict[str, Any] = {"security": []} if self.is_open else {}
        if self.parameters:
            security["parameters"] = list(self.parameters)
        if not self.body:
            return security
        content = {media: {"schema": schema} for media, schema in self.body.items()}
        return {**security, "requestBody": {"required": True, "content": content}}


HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}},
    "Location": {"description": "Where what becomes of it stands.", "schema": {"type": "string"}},
}


def add(router: APIRouter, call: str, endpoint: Endpoint, operation: Operation) -> None:
    """Add an operation to ``router``; ``call`` is method and path."""
    method, path = call.split(" ")
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        status_code=next(iter(operation.answers)),
        operation_id=operation.id,
        name=operation.id,
        summary=operation.summary,
        description=operation.description,
        responses=operation.responses(),
        openapi_extra=operation.extra() or None,
        response_model=None,
        response_class=Response,
        dependencies=[Depends(known_query)],
    )


def answered(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a model as a response."""
    content = model.model_dump_json(by_alias=True)
    return Response(content, status, headers=dict(headers or {}), media_type="application/json")
