"""The description of the API after OpenAPI 3.1: what FastAPI finds in the routes, and what it cannot know.

Called by the application, once. Examples come from ``examples.json``, which a test writes from what the real
application answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic.json_schema import models_json_schema

from rollout.api.models import CommandRequest, ProblemView, StartRequest, SwitchRequest, TransitionEvent
from rollout.api.problems import MEDIA_TYPE
from rollout.spec.resource import Rollout, RolloutPolicy

TITLE = "rollout"
SUMMARY = "Shifts traffic from stable to canary, step by step"
ABOUT = (
    "Every call but `/healthz`, `/readyz` and those of hooks, which are signed, needs a bearer token. Times are Unix"
    " seconds, durations seconds. Errors are problems after RFC 9457. `X-Request-ID` is taken and answered, and stands"
    " in the log."
)
TAGS = (
    {"name": "rollouts", "description": "Rollouts as resources, their history and where they stand right now."},
    {"name": "commands", "description": "What people and programs ask of a Rollout, once by id."},
    {"name": "hooks", "description": "Signed calls by which programs without a token start attempts."},
    {"name": "policies", "description": "Defaults for many Rollouts."},
    {"name": "failover", "description": "The operator's switch, which stops all automatic failover at once."},
    {"name": "notifications", "description": "The sinks that are told of transitions."},
    {"name": "events", "description": "Transitions as they are recorded."},
    {"name": "service", "description": "The service itself."},
)
_TAKEN = (CommandRequest, StartRequest, SwitchRequest, Rollout, RolloutPolicy, ProblemView, TransitionEvent)
_PROBLEM = {"$ref": "#/components/schemas/ProblemView"}
_FIRST_ERROR = 400
_NOT_OURS = ("HTTPValidationError", "ValidationError")


def complete(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description with schemas, security, problems and examples in it."""
    components = description.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(_schemas())
    for name in _NOT_OURS:
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of this service: `Bearer <token>`."}
    }
    description["security"] = [{"token": []}]
    for operation in operations_in(description):
        _complete_operation(operation)
    return description


def operations_in(description: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every operation."""
    for path in description["paths"].values():
        yield from (operation for operation in path.values() if isinstance(operation, dict))


def _complete_operation(operation: dict[str, Any]) -> None:
    examples = _examples().get(operation.get("operationId", ""), {})
    for status, response in operation["responses"].items():
        if status.isdigit() and int(status) >= _FIRST_ERROR:
            response["content"] = {MEDIA_TYPE: {"schema": _PROBLEM}}
        for content in response.get("content", {}).values():
            _show(content, examples.get("answers", {}).get(status))
    for content in operation.get("requestBody", {}).get("content", {}).values():
        _show(content, examples.get("body"))


def _show(content: dict[str, Any], example: object) -> None:
    if example is not None:
        content["examples"] = {"example": {"value": example}}


def _schemas() -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "validation") for model in _TAKEN], ref_template="#/components/schemas/{model}"
    )
    defined: dict[str, Any] = found["$defs"]
    return defined


@cache
def _examples() -> Mapping[str, Any]:
    text = files("rollout.api").joinpath("examples.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found
