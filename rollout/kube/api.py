"""The API server, as few verbs over plain documents: every call has a time limit, a size limit and bounded retries.

The adapters of this room speak with the cluster through ``KubeApi`` and nothing else. It uses the asynchronous client
for what that is good at (addresses, certificates, tokens that expire, connections) and leaves its models and watches
alone: models cost ten times the parsing, and the watch reconnects thousands of times a second on an empty stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio import client
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from rollout.errors import Unavailable
from rollout.kube.faults import Busy, Expired, fault
from rollout.kube.resources import MANAGER, Document, Resource
from rollout.meters import Count, timed, uncounted

CHUNK_BYTES = 256 * 1024
JSON_PATCH = "application/json-patch+json"
OUT_OF_PATIENCE = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """How patient the client is.

    Seconds for one answer and for a connection, how often a question is asked in all, seconds before the second time
    (twice that before the third, with jitter), and how many bytes are read of one answer or one event of a watch.
    """

    timeout_seconds: float = 12.0
    connect_seconds: float = 3.0
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
    """One cluster; made once and closed with ``aclose``."""

    def __init__(
        self,
        configuration: client.Configuration,
        chance: Callable[[], float],
        options: ApiOptions = ApiOptions(),
        count: Count = uncounted,
    ) -> None:
        """Remember how to reach the cluster; ``chance`` gives jitter from 0 to 1, ``count`` hears of every question."""
        self._client = client.ApiClient(configuration)
        self._chance = chance
        self._options = options
        self._count = count

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call] # the client has no types here

    async def get(self, resource: Resource, namespace: str, name: str) -> Document:
        """Return the object.

        Raises:
            NotOursError: there is none.
            Unavailable: the API server cannot be reached, or cannot answer now.
            Forbidden: we may not.
        """
        return await self._ask(_Request("GET", resource.path(namespace, name)))

    async def list_page(
        self, resource: Resource, *, namespace: str = "", limit: int = 500, after: str = ""
    ) -> Document:
        """Return a page of the list (``items``, ``metadata.continue``, ``metadata.resourceVersion``).

        Raises:
            Expired: the page ``after`` is too old; the list has to be begun again.
            Unavailable, Forbidden: as ``get``.
        """
        query = [("limit", str(limit))] if limit else []
        return await self._ask(
            _Request("GET", resource.path(namespace), [*query, *([("continue", after)] if after else [])])
        )

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
        self, resource: Resource, *, namespace: str = "", since: str, seconds: float
    ) -> AsyncGenerator[tuple[str, Document], None]:
        """Yield ``("OPENED", {})``, then (type, object) of every change after the resourceVersion ``since``.

        Ends by itself after ``seconds``, or when the connection is closed. A silent connection is given up two seconds
        after the API server should have ended it.

        Raises:
            Expired: ``since`` is too old.
            Unavailable: the API server cannot be reached, falls silent, or says what is no event.
            Forbidden: we may not.
        """
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(max(1, int(seconds))))]
        query += [("resourceVersion", since)]
        what, limit = f"WATCH {resource.path(namespace)}", self._limit(int(seconds) + 2.0)
        try:
            answer = await self._send(_Request("GET", resource.path(namespace), query), limit)
            try:
                if answer.status != HTTPStatus.OK:
                    raise fault(answer.status, await _read(answer, self._options.most_event_bytes), what=what)
                yield "OPENED", {}
                async for line in _lines(answer, self._options.most_event_bytes):
                    yield _event(line, what)
            finally:
                answer.close()
        except TimeoutError as error:
            raise Unavailable(f"{what}: nothing was heard in time") from error
        except OUT_OF_PATIENCE as error:
            raise Unavailable(f"{what}: {_cause(error)}") from error

    async def _ask(self, request: _Request) -> Document:
        """Ask, and ask again what failed for now; an answer that got lost is noticed by the version in a write."""
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=stop_after_attempt(self._options.attempts),
            wait=self._wait,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await timed(self._ask_once(request), self._count)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        told = error.after_seconds if isinstance(error, Busy) else 0.0
        longer = self._options.first_wait_seconds * 2.0 ** (state.attempt_number - 1)
        return told + longer * (0.5 + self._chance())

    async def _ask_once(self, request: _Request) -> Document:
        try:
            answer = await self._send(request, self._limit(self._options.timeout_seconds))
            try:
                read = await _read(answer, self._options.most_bytes)
            finally:
                answer.release()
        except TimeoutError as error:
            raise Unavailable(f"{request}: no answer within {self._options.timeout_seconds:g} s") from error
        except OUT_OF_PATIENCE as error:
            raise Unavailable(f"{request}: {_cause(error)}") from error
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            raise fault(answer.status, read, what=str(request), retry_after=answer.headers.get("Retry-After", ""))
        return _object(read, str(request))

    async def _send(self, request: _Request, limit: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json"} | ({"Content-Type": request.content} if request.body else {})
        spelled = await self._client.param_serialize(
            request.method,
            request.path,
            None,
            list(request.query),
            headers,
            request.body,
            auth_settings=["BearerToken"],
        )
        answer = await self._client.call_api(*spelled, _request_timeout=limit)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _limit(self, seconds: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=seconds, sock_connect=self._options.connect_seconds)


_MANAGED = (("fieldManager", MANAGER),)


async def _read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    read = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
        read += chunk
        if len(read) > most:
            raise Unavailable(f"the API server's answer is longer than {most} bytes")
    return bytes(read)


async def _lines(answer: aiohttp.ClientResponse, most: int) -> AsyncIterator[bytes]:
    """Yield whole lines; aiohttp's own reader of lines gives up on long ones."""
    left = bytearray()
    async for chunk in answer.content.iter_any():
        left += chunk
        *whole, rest = left.split(b"\n") if b"\n" in chunk else [left]
        left = bytearray(rest)
        if len(left) > most:
            raise Unavailable(f"an event of a watch is longer than {most} bytes")
        for line in whole:
            if line.strip():
                yield bytes(line)


def _event(line: bytes, what: str) -> tuple[str, Document]:
    event = _object(line, what)
    kind, told = event.get("type"), event.get("object")
    if not isinstance(kind, str) or not isinstance(told, dict):
        raise Unavailable(f"{what}: what came is no event")
    if kind == "ERROR":
        code = told.get("code")
        raise fault(code if isinstance(code, int) else 500, line_of(told), what=what)
    return kind, told


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


__all__ = ["ApiOptions", "Expired", "KubeApi"]
