"""Every request: its id, its line in the log, and what becomes of errors that nobody expected."""

import json
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from rollout.api.arrivals import Arrivals
from rollout.meters import Meters
from tests.api.world import OPERATOR, VIEWER, manifest, world

Logs = list[MutableMapping[str, Any]]


async def _sent(app: ASGIApp, *, method: str = "GET", path: str = "/x") -> list[Message]:
    """Return what goes out for a request to ``app`` within ``Arrivals``."""
    out: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        out.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "state": {}}
    await Arrivals(app, Meters())(scope, receive, send)
    return out


def _fails(error: Callable[[], Exception], *, after: bool = False) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error()

    return app


async def test_an_id_that_is_given_is_answered_and_logged() -> None:
    """The id of the caller stands in the answer, in a problem, and in the log of the request."""
    async with world() as api:
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            reply = await api.ask("DELETE", "/api/v1/rollouts/shop/web", headers={"X-Request-ID": "pipeline-17.a_b"})

    assert reply.headers["X-Request-ID"] == "pipeline-17.a_b"
    assert reply.json["instance"] == "urn:rollout:request:pipeline-17.a_b"
    assert [entry["request_id"] for entry in logs if entry["event"] == "request"] == ["pipeline-17.a_b"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "\xfc", "a;b", "urn:x"])
async def test_an_id_of_another_form_is_replaced(given: str) -> None:
    """What is no id is not taken over into answer and log; one is made up."""
    async with world() as api:
        replies = [await api.ask("GET", "/healthz", headers={"X-Request-ID": given}) for _ in range(2)]

    assert len({reply.headers["X-Request-ID"] for reply in replies} | {given}) == 3
    assert all(len(reply.headers["X-Request-ID"]) == 32 for reply in replies)


async def test_a_change_is_one_line_and_a_read_none() -> None:
    """A change is told at info with who, what and how it ended; a read only at debug."""
    async with world() as api:
        with capture_logs() as logs:
            await api.ask("PUT", "/api/v1/rollouts/shop/web", json=manifest())
            await api.ask("GET", "/api/v1/rollouts/shop/web", token=VIEWER)
            await api.ask("PUT", "/api/v1/rollouts/shop/web", token="", json=manifest())
    told = [entry for entry in logs if entry["event"] == "request"]

    assert [(entry["log_level"], entry["method"], entry["status"], entry["by"]) for entry in told] == [
        ("info", "PUT", 201, "olga"),
        ("debug", "GET", 200, "victor"),
        ("debug", "PUT", 401, ""),
    ]


async def test_no_token_is_ever_logged_or_answered() -> None:
    """Neither a good token nor a bad one stands in any line or answer."""
    secret = "s3cret-token-of-somebody"
    async with world() as api:
        with capture_logs() as logs:
            replies = [
                await api.ask("GET", "/api/v1/rollouts", token=secret),
                await api.ask("PUT", "/api/v1/rollouts/shop/web", json=manifest()),
                await api.ask("GET", "/api/v1/nothing", headers={"Authorization": f"Bearer {secret} {secret}"}),
                await api.ask("GET", "/api/v1/rollouts?limit=none"),
            ]
    everything = json.dumps(logs, default=str) + "".join(f"{reply.headers}{reply.content!r}" for reply in replies)

    assert secret not in everything
    assert OPERATOR not in everything


async def test_a_path_is_logged_on_one_line() -> None:
    """What cannot be printed in a path is escaped in the log."""
    async with world() as api:
        with capture_logs() as logs:
            await api.ask("DELETE", "/api/v1/rollouts/shop/a%0ab%1b%5b31m")
    told = [entry["path"] for entry in logs if entry["event"] == "request"]

    assert told == ["/api/v1/rollouts/shop/a\\nb\\x1b[31m"]


async def test_what_nobody_expected_is_a_problem_and_logged() -> None:
    """An unexpected error is answered as 500 without its words, and logged with its traceback."""
    with capture_logs() as logs:
        out = await _sent(_fails(lambda: RuntimeError("the password is x")))

    assert out[0]["status"] == 500
    assert json.loads(out[1]["body"])["type"] == "urn:rollout:problem:internal"
    assert b"password" not in out[1]["body"]
    assert [entry["event"] for entry in logs if entry.get("exc_info")] == ["request failed"]


async def test_an_error_behind_the_beginning_of_an_answer_is_only_logged() -> None:
    """When the answer has begun, nothing else can be said; the error is in the log."""
    with capture_logs() as logs:
        out = await _sent(_fails(lambda: RuntimeError("late"), after=True))

    assert [message["type"] for message in out] == ["http.response.start"]
    assert any(entry["event"] == "request failed" for entry in logs)


async def test_a_client_that_goes_away_is_no_error() -> None:
    """A request that ends in the middle is told at debug only."""
    with capture_logs() as logs:
        await _sent(_fails(ClientDisconnect), method="PUT")

    assert {entry["log_level"] for entry in logs} == {"debug"}


async def test_answers_are_kept_by_nobody() -> None:
    """Every answer says that it is not to be stored, and is what it says it is; one that says otherwise may."""
    out = await _sent(PlainTextResponse("x", headers={"Cache-Control": "max-age=5"}))
    async with world() as api:
        reply = await api.ask("GET", "/api/v1/version")

    assert (reply.headers["Cache-Control"], reply.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert (b"cache-control", b"max-age=5") in out[0]["headers"]


async def test_what_is_no_request_goes_through() -> None:
    """Other kinds of messages are handed on as they are."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:  # noqa: ANN401 - never called
        raise AssertionError

    await Arrivals(app, Meters())({"type": "lifespan"}, nothing, nothing)

    assert seen == ["lifespan"]
