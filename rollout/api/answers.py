"""Errors as answers: what any error means to the caller, and the problems of parameters in our words.

Given to the application, which calls the right one for each error that leaves a route. What was not expected at all is
left to ``arrivals``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from rollout.api.arrivals import request_id_of
from rollout.api.feed import TooManyReaders
from rollout.api.parameters import schemas_of
from rollout.api.problems import RETRY_SECONDS, Refused, answer_of, invalid
from rollout.errors import (
    ConfigurationError,
    ConflictError,
    NotAllowedError,
    NotOursError,
    Problem,
    RolloutError,
    TemporaryError,
)
from rollout.spec.fields import Location, Node, allowed_by, path_of, printable, resolve

log = structlog.get_logger(__name__)

LOW, HIGH = "is too small", "is too large"
_SENTENCES = {
    "missing": "is required",
    "int_parsing": "must be a whole number",
    "int_parsing_size": HIGH,
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "enum": "is not one of the known values",
    "string_pattern_mismatch": "does not have the right form",
    "string_too_long": "is too long",
    "string_too_short": "must not be empty",
    "too_long": "is given too often",
    "greater_than_equal": LOW,
    "less_than_equal": HIGH,
}
_HTTP = {404: "there is nothing here", 405: "this cannot be done here"}


def handle_errors(app: FastAPI) -> None:
    """Let ``app`` answer every error that we know as a problem."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RolloutError, _ours)
    app.add_exception_handler(RequestValidationError, _parameters)
    app.add_exception_handler(HTTPException, _of_http)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - registered for nothing else
    return answer_of(error, request_id_of(request.scope))


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, RolloutError)  # noqa: S101 - registered for nothing else
    conditional = "if-match" in request.headers or "if-none-match" in request.headers
    return answer_of(refusal_of(error, conditional=conditional), request_id_of(request.scope))


def refusal_of(error: RolloutError, *, conditional: bool = False) -> Refused:
    """Return what an error of ours means to the caller; ``conditional``: a version was named."""
    match error:
        case ConfigurationError():
            return invalid(*error.problems)
        case ConflictError():
            return Refused(412 if conditional else 409, str(error))
        case NotOursError():
            return Refused(404, str(error))
        case NotAllowedError():
            return Refused(403, str(error))
        case TooManyReaders():
            return Refused(429, str(error), headers={"Retry-After": str(RETRY_SECONDS)})
        case TemporaryError():
            return Refused(503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})
        case _:
            log.error("a request could not be carried out", why=str(error))
            return Refused(500, str(error))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    headers = dict(error.headers or {})
    if error.status_code == 405:  # noqa: PLR2004 - as HTTP numbers it
        headers["Allow"] = ", ".join(_allowed_methods(request))
    detail = _HTTP.get(error.status_code, error.detail)
    return answer_of(Refused(error.status_code, detail, headers=headers), request_id_of(request.scope))


def _allowed_methods(request: Request) -> Sequence[str]:
    path = request.scope["path"]
    found = {method for pattern, methods in _paths(request.app) if pattern.match(path) for method in methods}
    return sorted(found)


def _paths(app: FastAPI) -> Iterator[tuple[re.Pattern[str], set[str]]]:
    for context in iter_route_contexts(app.routes):
        if context.path is not None and context.methods:
            yield compile_path(context.path)[0], context.methods


async def _parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    description = request.app.openapi()
    schemas = schemas_of(_operation(description, request))
    root = {"$defs": description["components"]["schemas"]}
    problems = [_problem(detail, schemas, root) for detail in error.errors()]
    return answer_of(invalid(*dict.fromkeys(problems)), request_id_of(request.scope))


def _operation(description: Mapping[str, Any], request: Request) -> Mapping[str, Any]:
    route = request.scope.get("route")
    path = getattr(route, "path_format", "")
    found: Mapping[str, Any] = description["paths"].get(path, {}).get(request.method.lower(), {})
    return found


def _problem(detail: Mapping[str, Any], schemas: Mapping[str, Node], root: Node) -> Problem:
    place: Location = tuple(detail["loc"][1:])
    name = str(place[0]) if place else ""
    kind = str(detail["type"])
    message = _SENTENCES.get(kind, str(detail["msg"]).lower())
    given = "nothing" if kind == "missing" else printable(str(detail["input"]))
    return Problem(path_of(place[:1]), message, given=given, allowed=_allowed(schemas.get(name, {}), root))


def _allowed(schema: Node, root: Node) -> str:
    node = resolve(root, schema, kind=None)
    if node.get("type") == "array":
        node = resolve(root, node.get("items", {}), kind=None)
    return allowed_by(node)
