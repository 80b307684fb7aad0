"""The description of the API: complete, in one style, and with examples of what is really answered."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from rollout import __version__
from rollout.api.app import create_app
from rollout.api.models import ProblemView
from tests.api.world import VIEWER, World, world

CAMEL = re.compile(r"[a-z]+([A-Z][a-z]*)*")
OPEN = {"getHealth", "getReadiness", "startByHook"}
OF_ANOTHER_FORM = {"streamEvents", "streamEventsOfRollout", "getMetrics", "getDescription"}


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            yield path, operation


async def _described() -> dict[str, Any]:
    async with world(controlling=False) as api:
        described: dict[str, Any] = (await api.ask("GET", "/openapi.json", token=VIEWER)).json
    return described


async def test_every_operation_says_what_it_does() -> None:
    """Each has an id of its own in camelCase, a summary, a description, and a tag that is described, too."""
    described = await _described()
    operations = [operation for _, operation in _operations(described)]
    tags = {tag["name"] for tag in described["tags"]}

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(CAMEL.fullmatch(operation["operationId"]) for operation in operations)
    assert all(operation["summary"] and operation["description"] for operation in operations)
    assert all(len(operation["tags"]) == 1 and set(operation["tags"]) <= tags for operation in operations)


async def test_every_error_is_a_problem() -> None:
    """What is an error is described as application/problem+json, in one form; FastAPI's own is nowhere."""
    described = await _described()
    errors = [
        response["content"]
        for _, operation in _operations(described)
        for status, response in operation["responses"].items()
        if status >= "400"
    ]

    assert len(errors) > 100
    assert all(set(content) == {"application/problem+json"} for content in errors)
    assert all(
        content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/ProblemView"}
        for content in errors
    )
    assert "HTTPValidationError" not in json.dumps(described)


async def test_the_token_is_described() -> None:
    """The scheme holds for every operation but the two that need none, and that which is signed."""
    described = await _described()
    without = {op["operationId"] for _, op in _operations(described) if op.get("security") == []}

    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert without == OPEN


async def test_every_reference_leads_somewhere() -> None:
    """Schemas that are referred to are there."""
    described = await _described()
    text = json.dumps(described)
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', text))

    assert named <= set(described["components"]["schemas"])
    assert "#/$defs/" not in text


async def test_every_link_leads_to_an_operation() -> None:
    """A link names an operation that exists and parameters that it has; list, read and apply lead to commands."""
    described = await _described()
    parameters = {
        op["operationId"]: {given["name"] for given in op.get("parameters", ()) if given["in"] == "path"}
        for _, op in _operations(described)
    }
    links = [
        (op["operationId"], link)
        for _, op in _operations(described)
        for response in op["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert all(set(link["parameters"]) == parameters[link["operationId"]] for _, link in links)
    assert {
        ("listRollouts", "leaveCommand"),
        ("getRollout", "leaveCommand"),
        ("applyRollout", "leaveCommand"),
        ("leaveCommand", "findCommand"),
    } <= {(source, link["operationId"]) for source, link in links}


async def test_every_operation_has_an_example() -> None:
    """Each answer in JSON and each body is shown; examples of problems are problems."""
    described = await _described()
    lacking, problems = [], []
    for _, operation in _operations(described):
        contents = [*operation["responses"].items(), ("body", operation.get("requestBody", {"content": {}}))]
        for status, response in contents:
            for media, content in response.get("content", {}).items():
                shown = content.get("examples", {}).get("example", {}).get("value")
                if status < "400" or status == "body":
                    lacking += [] if shown is not None else [(operation["operationId"], status, media)]
                elif shown is not None:
                    problems.append(ProblemView.model_validate(shown))

    assert not [place for place in lacking if place[0] not in OF_ANOTHER_FORM]
    assert len(problems) > 10


async def test_the_description_names_the_version() -> None:
    """The version of the description is that of the package."""
    described = await _described()

    assert described["info"]["version"] == __version__
    assert described["openapi"].startswith("3.1")


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


async def test_no_request_needs_a_thread() -> None:
    """All that a route calls is a coroutine: anything else would wait for a thread with every request."""
    async with world(controlling=False) as api:
        routes = [context.original_route for context in iter_route_contexts(_app(api).routes)]
    slow = [
        route.path
        for route in routes
        if isinstance(route, APIRoute)
        and not all(inspect.iscoroutinefunction(call) for call in _calls(route.dependant))
    ]

    assert len(routes) > 15
    assert not slow


def _app(api: World) -> Any:  # noqa: ANN401 - the application, whatever serves it
    return create_app(api.service)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json/", "/docs/oauth2-redirect"])
async def test_there_are_no_pages(path: str) -> None:
    """The API has no pages for people, which would need scripts from elsewhere."""
    async with world(controlling=False) as api:
        reply = await api.ask("GET", path)

    assert reply.status == 404
