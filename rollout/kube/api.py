"""The API server, as few verbs over plain documents: every call has a time limit, a size limit and bounded retries.

The adapters of this room speak with the cluster through ``KubeApi`` and nothing else. It uses the asynchronous client
for what that is good at (addresses, certificates, tokens that expire, connections) and leaves its models and watches
alone: models cost ten times the parsing, and the watch reconnects thousands of times a second on an empty stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import aiohttp
from kubernetes.aio import client
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from rollout.errors import Unavailable
from rollout.kube.connections import Rest, cut, transport_of
from rollout.kube.faults import Busy, TooLong, fault
from rollout.kube.resources import MANAGER, Document, Resource
from rollout.meters import Count, timed, uncounted

CHUNK_BYTES = 256 * 1024
JSON_PATCH = "application/json-patch+json"
OUT_OF_PATIENCE = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How patient the client is.

    Seconds for one answer, for a connection, and until a watch begins to answer; how often a question is asked in all,
    seconds before the second time (twice that before the third, with jitter), and how many bytes are read of one answer
    or one event of a watch.
    """

    timeout_seconds: float = 12.0
    connect_seconds: float = 3.0
    open_seconds: float = 5.0
    attempts: int = 3
    first_wait_seconds: float = 0.1
    most_bytes: int = 64 * 1024 * 1024
    most_event_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, spelled out; ``content`` is the type of its ``body``."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: object = None
    content: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class KubeApi:
    """One cluster; made once and closed with ``aclose``.

    Connections are kept for the next question, where they may have died without a word meanwhile. So a question that
    failed is asked again on a new one, and every watch has its own.
    """

    def __init__(
        self,
        configuration: client.Configuration,
        chance: Callable[[], float],
        options: ApiOptions = ApiOptions(),
        count: Count = uncounted,
    ) -> None:
        """Remember how to reach the cluster; ``chance`` gives jitter from 0 to 1, ``count`` hears of every question."""
        self._client, self._fresh = (client.ApiClient(configuration) for _ in range(2))
        self._client.rest_client = Rest(configuration, reuse=True)
        self._fresh.rest_client = Rest(configuration, reuse=False)
        self._chance = chance
        self._options = options
        self._count = count

    async def aclose(self) -> None:
        """Close the connections; none is open any more then."""
        for each in (self._client, self._fresh):
            await each.close()  # type: ignore[no-untyped-call] # the client has no types here

    async def touch(self) -> None:
        """Ask the least that there is to ask, once, by a connection that is kept.

        Raises:
            Unavailable, Forbidden: as ``get``.
        """
        await timed(self._ask_once(_Request("GET", "/version"), self._client), self._count)

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Return the object.

        Raises:
            NotOursError: there is none.
            Unavailable: the API server cannot be reached, or cannot answer now.
            Forbidden: we may not.
        """
        return await self._ask(_Request("GET", resource.path(namespace, name)))

    async def list_page(
        self, resource: Resource, *, namespace: str = "", name: str = "", limit: int = 500, after: str = ""
    ) -> Document:
        """Return a page of the list (``items``, ``metadata.continue``, ``metadata.resourceVersion``).

        With a ``name``, it has the one object of that name, or none: so a right to that one is enough.

        Raises:
            Expired: the page ``after`` is too old; the list has to be begun again.
            TooLong: so many objects are more than what is read of one answer.
            Unavailable: as ``get``, or what came is no list.
            Forbidden: as ``get``.
        """
        query = [*_only(name), *([("limit", str(limit))] if limit else [])]
        path = resource.path(namespace)
        page = await self._ask(_Request("GET", path, [*query, *([("continue", after)] if after else [])]))
        return {**page, "items": _items(page, f"GET {path}")}

    async def create(self, resource: Resource, document: Document, *, namespace: str = "") -> Document:
        """Make the object; return it as it is then.

        Raises:
            ConflictError: there is one of this name.
            PermanentError: the API server refuses it.
            Unavailable, Forbidden: as ``get``.
        """
        return await self._ask(_Request("POST", resource.path(namespace), _MANAGED, document))

    async def replace(
        self, resource: Resource, namespace: str, name: str, document: Document, *, subresource: str = ""
    ) -> Document:
        """Put ``document`` in place of the object whose ``metadata.resourceVersion`` it names.

        Raises:
            ConflictError: the object is another version.
            NotOursError: it is gone.
            PermanentError: the API server refuses it.
            Unavailable, Forbidden: as ``get``.
        """
        return await self._ask(_Request("PUT", resource.path(namespace, name, subresource), _MANAGED, document))

    async def patch(
        self, resource: Resource, namespace: str, name: str, operations: Sequence[Document], *, subresource: str = ""
    ) -> Document:
        """Apply the operations of a JSON Patch (RFC 6902), all or none; return the object as it is then.

        Raises:
            ConflictError: a ``test`` failed, or the object is another version than it was to be.
            NotOursError: it is gone.
            PermanentError: the API server refuses it.
            Unavailable, Forbidden: as ``get``.
        """
        path = resource.path(namespace, name, subresource)
        return await self._ask(_Request("PATCH", path, _MANAGED, list(operations), JSON_PATCH))

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Ask for the object's deletion.

        Raises:
            NotOursError: it is gone.
            Unavailable, Forbidden: as ``get``.
        """
        await self._ask(_Request("DELETE", resource.path(namespace, name)))

    async def watch(
        self, resource: Resource, *, namespace: str = "", name: str = "", since: str, seconds: float
    ) -> AsyncGenerator[tuple[str, Document], None]:
        """Yield ``("OPENED", {})``, then (type, object) of every change after the resourceVersion ``since``.

        With a ``name``, only those of the one object of that name.

        Ends by itself after ``seconds``, or when the connection is closed. A silent connection is given up two seconds
        after the API server should have ended it. Its connection is closed when it ends, or with ``aclose``: whoever
        may leave it before its end has it in ``contextlib.aclosing``.

        Raises:
            Expired: ``since`` is too old.
            TooLong: an event is longer than what is read of one.
            Unavailable: the API server cannot be reached, falls silent, or says what is no event.
            Forbidden: we may not.
        """
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(max(1, int(seconds))))]
        query += [("resourceVersion", since), *_only(name)]
        what, limit = f"WATCH {resource.path(namespace)}", self._limit(int(seconds) + 2.0)
        try:
            async with asyncio.timeout(self._options.open_seconds):
                answer = await self._send(self._fresh, _Request("GET", resource.path(namespace), query), limit)
            transport = transport_of(answer)
            try:
                if answer.status != HTTPStatus.OK:
                    read, later = await _read(answer, self._options.most_event_bytes), _later(answer)
                    raise fault(answer.status, read, what=what, retry_after=later)
                yield "OPENED", {}
                async for line in _lines(answer, self._options.most_event_bytes):
                    yield _event(line, resource.kind, what)
            finally:
                await cut(answer, transport)
        except TimeoutError as error:
            raise Unavailable(f"{what}: nothing was heard in time") from error
        except OUT_OF_PATIENCE as error:
            raise Unavailable(f"{what}: {_cause(error)}") from error

    async def _ask(self, request: _Request) -> Document:
        """Ask, and ask again what failed for now; an answer that got lost is noticed by the version in a write."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                number = attempt.retry_state.attempt_number
                return await timed(self._ask_once(request, self._client if number == 1 else self._fresh), self._count)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        told = error.after_seconds if isinstance(error, Busy) else 0.0
        longer = self._options.first_wait_seconds * 2.0 ** (state.attempt_number - 1)
        return told + longer * (0.5 + self._chance())

    async def _ask_once(self, request: _Request, by: client.ApiClient) -> Document:
        try:
            status, read, later = await self._answer(request, by)
        except TimeoutError as error:
            raise Unavailable(f"{request}: no answer within {self._options.timeout_seconds:g} s") from error
        except OUT_OF_PATIENCE as error:
            raise Unavailable(f"{request}: {_cause(error)}") from error
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise fault(status, read, what=str(request), retry_after=later)
        return _object(read, str(request))

    async def _answer(self, request: _Request, by: client.ApiClient) -> tuple[int, bytes, str]:
        answer = await self._send(by, request, self._limit(self._options.timeout_seconds))
        try:
            return answer.status, await _read(answer, self._options.most_bytes), _later(answer)
        except BaseException:
            await cut(answer, transport_of(answer))
            raise

    async def _send(
        self, by: client.ApiClient, request: _Request, limit: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json"} | ({"Content-Type": request.content} if request.body else {})
        method, url, headers, _, _ = await by.param_serialize(
            request.method, request.path, None, list(request.query), headers, auth_settings=["BearerToken"]
        )
        # What is sent is JSON already: the client's own look through all of it takes longer than to write it down.
        answer = await by.call_api(method, url, headers, request.body, _request_timeout=limit)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _limit(self, seconds: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=seconds, sock_connect=self._options.connect_seconds)


_MANAGED = (("fieldManager", MANAGER),)
_CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


def _only(name: str) -> list[tuple[str, str]]:
    return [("fieldSelector", f"metadata.name={name}")] if name else []


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, TooLong)


def _later(answer: aiohttp.ClientResponse) -> str:
    told: str = answer.headers.get("Retry-After", "")
    return told


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        read += chunk
        if len(read) > most:
            raise TooLong(f"the API server's answer is longer than {most} bytes")
    return bytes(read)


async def _lines(answer: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield whole lines; aiohttp's own reader of lines gives up on long ones."""
    left = bytearray()
    async for chunk in answer.content.iter_any():
        left += chunk
        *whole, rest = left.split(b"\n") if b"\n" in chunk else [left]
        left = bytearray(rest)
        for line in (*whole, left):
            if len(line) > most:
                raise TooLong(f"an event of a watch is longer than {most} bytes")
        for line in whole:
            if line.strip():
                yield bytes(line)


def _event(line: bytes, kind_of_objects: str, what: str) -> tuple[str, Document]:
    event = _object(line, what)
    kind, told = event.get("type"), event.get("object")
    if kind == "ERROR" and isinstance(told, dict):
        code = told.get("code")
        raise fault(code if isinstance(code, int) else 500, line_of(told), what=what)
    if kind not in _CHANGES or not _is_object(told, named=kind != "BOOKMARK"):
        raise Unavailable(f"{what}: what came is no event")
    if isinstance(told, dict) and told.get("kind", kind_of_objects) != kind_of_objects:
        raise Unavailable(f"{what}: an event came of another kind of objects")
    return str(kind), cast("Document", told)


def _items(page: Document, what: str) -> list[Document]:
    """Return the objects of a page of a list (``null`` where there is none)."""
    items = page.get("items")
    items = [] if items is None else items
    if not _is_object(page, named=False) or not isinstance(items, list):
        raise Unavailable(f"{what}: what came is no list")
    if not all(_is_object(item, named=True) for item in items):
        raise Unavailable(f"{what}: the list has what is no object")
    return items


def _is_object(told: object, *, named: bool) -> bool:
    metadata = told.get("metadata") if isinstance(told, dict) else None
    if not isinstance(metadata, dict) or not metadata.get("resourceVersion"):
        return False
    return not named or bool(metadata.get("name"))


def line_of(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON."""
    return json.dumps(document).encode()


def _object(read: bytes, what: str) -> dict[str, Any]:
    try:
        told = json.loads(read)
    except ValueError as error:
        raise Unavailable(f"{what}: the answer is no JSON") from error
    if not isinstance(told, dict):
        raise Unavailable(f"{what}: the answer is no object")
    return told


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__
