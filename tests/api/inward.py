"""Calling the application from within its own loop, without a server: in virtual time there are no sockets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message

from tests.api.world import Reply


@dataclass(frozen=True, slots=True)
class Inward:
    """A client inside; ``headers`` go with every request."""

    app: ASGIApp
    headers: Mapping[str, str] = field(default_factory=dict)

    async def ask(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """Return the answer to a request."""
        path, _, query = target.partition("?")
        sent = {**self.headers, **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {},
        }
        out: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            out.append(message)

        await self.app(scope, receive, send)
        answered = {name.decode(): value.decode() for name, value in out[0]["headers"]}
        return Reply(out[0]["status"], answered, b"".join(message.get("body", b"") for message in out[1:]))
