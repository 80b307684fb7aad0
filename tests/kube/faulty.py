"""An API server that answers lists and watches as a test tells it: for faults that a real one makes on no demand."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio import client

from rollout.clock import SystemClock
from rollout.kube.api import ApiOptions, KubeApi
from rollout.kube.cache import Keep, Listener
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import LEASES
from tests.prometheus.liar import Answer, Liar, lying, says

HASTY = ApiOptions(1.0, 0.5, 0.5, first_wait_seconds=0.01, most_bytes=100_000, most_event_bytes=5_000)
QUICK = ReflectorOptions(renew_seconds=3.0, first_gap_seconds=0.02, longest_gap_seconds=0.1)


def lease(name: str, version: int, word: str = "", **fields: object) -> dict[str, Any]:
    """Return a small object."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"holderIdentity": word}, **fields}


def page(*objects: object, version: int, after: str = "") -> Answer:
    """Return an answer with a page of a list."""
    metadata = {"resourceVersion": str(version), **({"continue": after} if after else {})}
    return says(json.dumps({"metadata": metadata, "items": objects}))


def event(kind: str, told: object) -> bytes:
    """Return a line of a watch."""
    return json.dumps({"type": kind, "object": told}).encode() + b"\n"


def status(code: int, message: str = "no") -> dict[str, Any]:
    """Return what the API server says of an error."""
    return {"kind": "Status", "code": code, "message": message}


def busy(seconds: int) -> Answer:
    """Return an answer of a server that has too much to do."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": str(seconds)})

    return answer


def stream(*pieces: bytes, stays: bool = False, seconds: float = 0.0) -> Answer:
    """Return an answer with these pieces of a watch; it then ends after so many ``seconds``, or stays open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        await asyncio.sleep(seconds)
        while stays and request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        return response

    return answer


@dataclass(slots=True)
class Faulty:
    """The server: ``lists`` and ``watches`` are given in turn, the last of each for ever; ``asked`` has all queries.

    ``at`` has the monotonic time of each.
    """

    liar: Liar
    lists: list[Answer] = field(default_factory=list)
    watches: list[Answer] = field(default_factory=lambda: [stream(stays=True)])
    asked: list[dict[str, str]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with what is next of its kind."""
        self.asked.append(dict(request.query))
        self.at.append(time.monotonic())
        answers = self.watches if "watch" in request.query else self.lists
        return await (answers.pop(0) if len(answers) > 1 else answers[0])(request)

    def watched(self) -> list[str]:
        """Return from which versions watches were asked for."""
        return [query["resourceVersion"] for query in self.asked if "watch" in query]

    def watched_at(self) -> list[float]:
        """Return when watches were asked for, in monotonic seconds."""
        return [at for at, query in zip(self.at, self.asked, strict=True) if "watch" in query]

    def listed(self) -> list[str]:
        """Return which pages were asked for, by their ``continue``; those of one object are looks and left out."""
        pages = (query for query in self.asked if "watch" not in query and query.get("limit") != "1")
        return [query.get("continue", "") for query in pages]

    @asynccontextmanager
    async def door(self, options: ApiOptions = HASTY) -> AsyncIterator[KubeApi]:
        """Open a door to it."""
        api = KubeApi(client.Configuration(host=self.liar.url), random.random, options)
        try:
            yield api
        finally:
            await api.aclose()

    def made(
        self,
        api: KubeApi,
        options: ReflectorOptions = QUICK,
        *,
        keep: Keep = lambda document: document,
        chance: Callable[[], float] = random.random,
    ) -> Reflector:
        """Return a reflector of it, not yet started."""
        return Reflector(api, LEASES, keep, SystemClock(), chance=chance, options=options)

    @asynccontextmanager
    async def reflector(
        self,
        options: ReflectorOptions = QUICK,
        *listeners: Listener,
        keep: Keep = lambda document: document,
        chance: Callable[[], float] = random.random,
        patience_seconds: float = 0.3,
    ) -> AsyncIterator[Reflector]:
        """Run a reflector of it."""
        async with self.door() as api:
            made = self.made(api, options, keep=keep, chance=chance)
            for listener in listeners:
                made.subscribe(listener)
            try:
                await made.start(patience_seconds=patience_seconds)
                yield made
            finally:
                await made.aclose()


@asynccontextmanager
async def faulty() -> AsyncIterator[Faulty]:
    """Run one on a free port."""
    async with lying() as liar:
        made = Faulty(liar)
        liar.answers = [made.answer]
        yield made


def words(reflector: Reflector) -> dict[str, str]:
    """Return the word of every object that the reflector has, by name."""
    return {document["metadata"]["name"]: document["spec"]["holderIdentity"] for document in reflector}
