"""The reference of the API, written from its own description.

Called by ``tests.house.generate``. Manifests have a page of their own, so only the models of ``rollout.api`` are told
field by field.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from rollout.api import failover_models, models, sink_models
from rollout.api.app import create_app
from rollout.api.description import ABOUT, TAGS
from rollout.api.outcomes import ANOTHER_WAITS, ID_TAKEN, REPLACED
from rollout.api.problems import KINDS
from rollout.api.service import Service
from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Options, Ports
from rollout.controller.switch import OperatorSwitch
from rollout.meters import Meters
from tests.fakes.access import FakeAccess
from tests.fakes.gates import FakeGates
from tests.fakes.health import FakeBackendHealth
from tests.fakes.measurements import FakeMeasurements
from tests.fakes.routes import FakeRouteTable
from tests.fakes.store import FakeStore
from tests.fakes.switch import FakeSwitch

FIRST_ERROR = 400
REASONS: Mapping[str, str] = {
    ANOTHER_WAITS: "Another command waits to be carried out; only `abort` takes its place.",
    ID_TAKEN: "The id is that of a command with another action; nothing was changed.",
    REPLACED: "An abort came before the command was carried out, and took its place; it had no effect.",
}
PAGES = {"Rollout": "rollout.md", "RolloutPolicy": "rollout.md"}


def description() -> dict[str, Any]:
    """Return the description that ``GET /openapi.json`` answers."""
    clock, meters = SystemClock(), Meters()
    store = FakeStore(clock)
    ports = Ports(store, FakeRouteTable(), FakeBackendHealth(), FakeMeasurements(), FakeGates(), clock)
    controller = Controller(ports, Options(), meters)
    service = Service(
        store,
        store,
        store,
        controller,
        FakeAccess(clock),
        clock,
        meters,
        "envoy",
        str,
        OperatorSwitch(FakeSwitch(), clock),
    )
    return create_app(service).openapi()


def reference(note: str) -> str:
    """Return the page: operations by tag, problems, reasons, and the fields of what is taken and answered."""
    described = description()
    problems = "".join(
        f"| {status} | `urn:rollout:problem:{kind}` | {title} |\n" for status, (kind, title) in KINDS.items()
    )
    reasons = "".join(f"| `{reason}` | {meaning} |\n" for reason, meaning in REASONS.items())
    return (
        f"{note}\n\n# The API\n\n{ABOUT}\n\n`GET /openapi.json` answers the same for programs, with examples. How to"
        " use it: [the API and the command line](../how-to/api.md).\n\n"
        f"{''.join(_operations(described))}"
        "## Problems\n\nEvery call may also be answered with 405 (another method), 406 or 500.\n\n"
        f"| status | type | title |\n|---|---|---|\n{problems}\n"
        "## Reasons that the API gives\n\nOf a refused command; all other reasons are those of the controller:"
        f" [reasons](phases.md#reasons).\n\n| reason | what it means |\n|---|---|\n{reasons}\n"
        "## Models\n\nAn answer may grow fields: let unknown ones through. One in what is sent is an error.\n\n"
        f"{chr(10).join(_model(name, described['components']['schemas'][name]) for name in _model_names(described))}"
    )


def _operations(described: Mapping[str, Any]) -> Iterator[str]:
    for tag in TAGS:
        yield f"## {tag['name'].capitalize()}\n\n{tag['description']}\n\n"
        for path, methods in described["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    yield f"### {method.upper()} {path}\n\n{_operation(operation)}\n"


def _operation(operation: Mapping[str, Any]) -> str:
    rows = "".join(
        f"| `{given['name']}` | {given['in']} | {_type(given['schema'])} | {given['description']} |\n"
        for given in operation.get("parameters", ())
        if given["in"] != "path"
    )
    parameters = f"| parameter | in | type | meaning |\n|---|---|---|---|\n{rows}\n" if rows else ""
    body = operation.get("requestBody", {}).get("content", {})
    takes = f"- Body: {' or '.join(f'`{kind}`' for kind in body)}, {_first_type(body)}\n" if body else ""
    good = "".join(
        f"- {status}: {answer['description']}{_told(answer)}\n"
        for status, answer in operation["responses"].items()
        if int(status) < FIRST_ERROR
    )
    bad = ", ".join(status for status in operation["responses"] if int(status) >= FIRST_ERROR)
    token = "" if "security" not in operation else "- No token is needed.\n"
    return f"{operation['description']}\n\n{parameters}{takes}{good}- Problems: {bad or 'none'}\n{token}"


def _told(answer: Mapping[str, Any]) -> str:
    kinds = [kind for kind in answer.get("content", {}) if kind != "application/json"]
    shown = ", ".join(f"`{kind}`" for kind in kinds) or _first_type(answer.get("content", {}))
    headers = "".join(f", `{name}`" for name in answer.get("headers", {}))
    return f" ({shown}{headers})" if shown or headers else ""


def _first_type(content: Mapping[str, Any]) -> str:
    return next((_type(kind["schema"]) for kind in content.values()), "")


def _model_names(described: Mapping[str, Any]) -> list[str]:
    schemas = described["components"]["schemas"]
    told = {**vars(models), **vars(failover_models), **vars(sink_models)}
    return [name for name in told if "properties" in schemas.get(name, {})]


def _model(name: str, schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"| `{field}` | {_type(shape)} | {_described(shape.get('description', ''))} |\n"
        for field, shape in schema["properties"].items()
    )
    return f"### {name}\n\n{_described(schema['description'])}\n\n| field | type | meaning |\n|---|---|---|\n{rows}"


def _described(text: str) -> str:
    return re.sub(r"\bNone\b", "`null`", text.replace("``", "`")).replace("\n", " ")


def _type(schema: Mapping[str, Any]) -> str:
    """Return how a schema is named in one cell: a link to a model, a choice, a list, or the type and its range."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}]({PAGES[name]})" if name in PAGES else _link(name)
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"{_type(schema['additionalProperties'])} by name"
    return f"{schema.get('type', 'anything')}{_range(schema)}"


def _link(name: str) -> str:
    here = {"Action": "phases.md#which-command-is-legal-where", "Phase": "phases.md", "Stage": "failover.md"}
    return f"[{name}]({here.get(name, f'#{name.lower()}')})"


def _range(schema: Mapping[str, Any]) -> str:
    ends = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    default = schema.get("default")
    shown = [] if default in {None, ""} else [f"else {str(default).lower()}"]
    return "".join(f", {part}" for part in chain([" ".join(ends)] if ends else [], shown))
