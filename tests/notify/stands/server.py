"""What all stand-ins have: a server on loopback that keeps what it got, and has the faults that a test gives it."""

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from aiohttp import web

Json = dict[str, object]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""What happens to a request instead of the usual; None: the usual."""

MOST_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        """Return the object that the body is, an empty one when it is none."""
        try:
            found: object = json.loads(self.body)
        except ValueError:
            return {}
        return cast("Json", found) if isinstance(found, dict) else {}

    @property
    def id(self) -> str:
        """Return the id of the message, which each sink is told."""
        return self.headers.get("Idempotency-Key", "")


class Stand:
    """A stand-in that takes everything; ``received`` are all requests, ``taken`` those that were answered with yes.

    ``faults`` are had by the next requests, in turn; after them ``now_and_then`` are, by ``rate`` (0 to 1).
    """

    path = "/hook/T0PSECRETPATH"

    def __init__(self, *, seed: int = 1) -> None:
        self.origin = ""
        self.received: list[Received] = []
        self.taken: list[Received] = []
        self.faults: list[Fault] = []
        self.now_and_then: Sequence[Fault] = ()
        self.rate = 0.0
        self._chance = random.Random(seed)

    @property
    def url(self) -> str:
        """Return where messages go."""
        return f"{self.origin}{self.path}"

    @property
    def ids(self) -> list[str]:
        """Return the ids of the messages taken, in order."""
        return [one.id for one in self.taken]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Keep the request, and answer it."""
        received = Received(request.path, dict(request.query), request.headers.copy(), await request.read())
        self.received.append(received)
        fault = self._fault()
        spoiled = await fault(request) if fault is not None else None
        if spoiled is not None:
            return spoiled
        answer = self.judge(received)
        if answer.status < 300 and self.is_taken(received, answer):
            self.taken.append(received)
        return answer

    def judge(self, received: Received) -> web.Response:
        """Return what the real one would answer."""
        return web.Response(text="ok")

    def is_taken(self, received: Received, answer: web.Response) -> bool:
        """Return whether a good answer means that there is a new message."""
        return True

    def _fault(self) -> Fault | None:
        if self.faults:
            return self.faults.pop(0)
        if self.now_and_then and self._chance.random() < self.rate:
            return self._chance.choice(self.now_and_then)
        return None


S = TypeVar("S", bound=Stand)


@asynccontextmanager
async def standing(stand: S) -> AsyncIterator[S]:
    """Run a stand-in on a free port of this machine; it logs nothing, so that what is logged is ours."""
    app = web.Application(client_max_size=MOST_BODY)
    app.router.add_route("*", "/{path:.*}", stand.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stand.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield stand
    finally:
        await runner.cleanup()


def says(body: Mapping[str, object] | str, status: int = 200, **headers: str) -> web.Response:
    """Return an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, str):
        return web.Response(text=body, status=status, headers=named)
    return web.json_response(body, status=status, headers=named)
