"""The client of the API: asks, tries again where that is safe, and reads answers with the models of ``rollout.api``.

Called inside ``rollout.cli.running.ask``. A problem that the server tells becomes ``ApiProblem``, a server that is not
there ``ServerAway``. Knows nothing of the terminal.
"""

from __future__ import annotations

import json
import os
import ssl
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from yarl import URL

from rollout import __version__
from rollout.api.models import (
    Applied,
    CommandOutcome,
    CommandRequest,
    Deleted,
    Document,
    HistoryPage,
    Live,
    PolicyItem,
    PolicyList,
    ProblemView,
    RolloutPage,
    Summary,
    Version,
    WhoAmI,
)
from rollout.cli.connection import Connection
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway, TimedOut
from rollout.cli.retries import USUAL, Limits, is_safe_again, wait_before_again
from rollout.errors import ConfigurationError, Problem

A = TypeVar("A", bound=BaseModel)

PREFIX = "/api/v1"
MOST_BYTES = 64 * 1024 * 1024
"""No answer is read beyond this size."""
MOST_CONNECTIONS = 32
"""At once; each event stream holds one."""
PAGE = 100
PAGE_OF_SUMMARIES = 500
COMMAND_WAIT_SECONDS = 30.0
"""The longest time for which the server itself waits for a command."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question. ``again``: asking twice does no more than asking once, even when the first was carried out."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    seconds: float = 0.0
    """How long the server may wait by itself, beyond the usual time limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no problem."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True)
class Filters:
    """Which Rollouts a list has; an empty ``namespace`` stands for all."""

    namespace: str = ""
    phases: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def query(self) -> list[tuple[str, str]]:
        """Return the filters as a query."""
        namespaces = [("namespace", self.namespace)] if self.namespace else []
        phases, labels = [("phase", phase) for phase in self.phases], [("label", label) for label in self.labels]
        return [*namespaces, *phases, *labels]


class ApiClient:
    """Asks one server. To be used as an async context; every method may raise what ``_ask`` raises."""

    def __init__(self, connection: Connection, limits: Limits = USUAL) -> None:
        """Ask as ``connection`` says; nothing is opened yet."""
        self.connection = connection
        self.limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session.

        Raises:
            ConfigurationError: the file with certificates cannot be used.
        """
        token = {"Authorization": f"Bearer {self.connection.token}"} if self.connection.token else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls(), limit=MOST_CONNECTIONS),
            headers={"User-Agent": f"rollout/{__version__}", "Accept": "application/json", **token},
            middlewares=(self._unrepeated,),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    # ------------------------------------------------------------ Rollouts

    async def page(self, filters: Filters, *, full: bool = False, after: str | None = None) -> RolloutPage:
        """Return one page of the list."""
        query = [*filters.query(), ("limit", str(PAGE if full else PAGE_OF_SUMMARIES))]
        query += [("full", "true")] if full else []
        query += [("continue", after)] if after is not None else []
        return _read(RolloutPage, await self._ask(Call("GET", f"{PREFIX}/rollouts", query, again=True)))

    async def summaries(self, filters: Filters) -> AsyncIterator[Summary]:
        """Give the summaries of all Rollouts that the filters let through."""
        after: str | None = None
        while True:
            page = await self.page(filters, after=after)
            for item in page.items:
                yield item if isinstance(item, Summary) else Summary.model_validate(item)
            if (after := page.next) is None:
                return

    async def resources(self, filters: Filters) -> AsyncIterator[Document]:
        """Give the whole resources of all Rollouts that the filters let through."""
        after: str | None = None
        while True:
            page = await self.page(filters, full=True, after=after)
            for item in page.items:
                yield item.model_dump(by_alias=True) if isinstance(item, Summary) else item
            if (after := page.next) is None:
                return

    async def rollout(self, namespace: str, name: str) -> Document:
        """Return the resource."""
        return _document(await self._ask(Call("GET", _path(namespace, name), again=True)))

    async def live(self, namespace: str, name: str) -> Live:
        """Return where it stands, with live numbers."""
        return _read(Live, await self._ask(Call("GET", f"{_path(namespace, name)}/live", again=True)))

    async def history(self, namespace: str, name: str, *, limit: int, before: int | None = None) -> HistoryPage:
        """Return transitions, newest first."""
        query = [("limit", str(limit)), *([("before", str(before))] if before is not None else [])]
        return _read(HistoryPage, await self._ask(Call("GET", f"{_path(namespace, name)}/history", query, again=True)))

    async def apply(self, key: tuple[str, str], document: bytes, query: Sequence[tuple[str, str]] = ()) -> Applied:
        """Make or change a Rollout; ``document`` is JSON."""
        call = Call("PUT", _path(*key), query, document, {"Content-Type": "application/json"})
        return _read(Applied, await self._ask(call))

    async def delete(self, namespace: str, name: str) -> Deleted:
        """Ask that a Rollout goes."""
        return _read(Deleted, await self._ask(Call("DELETE", _path(namespace, name))))

    # ------------------------------------------------------------ commands

    async def command(
        self, namespace: str, name: str, request: CommandRequest, *, wait_seconds: float = 5.0
    ) -> CommandOutcome:
        """Leave a command and wait for what becomes of it; an id is made up where there is none.

        Raises:
            ApiProblem: it was refused (409, with reason), or could not be left.
        """
        with_id = request if request.id else request.model_copy(update={"id": new_id()})
        wait = min(max(0.0, wait_seconds), COMMAND_WAIT_SECONDS)
        body = with_id.model_dump_json(by_alias=True, exclude_none=True).encode()
        call = Call(
            "POST",
            f"{_path(namespace, name)}/commands",
            [("wait", f"{wait:g}")],
            body,
            {"Content-Type": "application/json"},
            again=True,
            seconds=wait,
        )
        return _read(CommandOutcome, await self._ask(call))

    async def outcome(self, namespace: str, name: str, command_id: str) -> CommandOutcome:
        """Return what became of a command."""
        path = f"{_path(namespace, name)}/commands/{quote(command_id, safe='')}"
        return _read(CommandOutcome, await self._ask(Call("GET", path, again=True)))

    # ------------------------------------------------------------ policies

    async def policies(self) -> PolicyList:
        """Return all policies."""
        return _read(PolicyList, await self._ask(Call("GET", f"{PREFIX}/policies", again=True)))

    async def policy(self, namespace: str, name: str) -> PolicyItem:
        """Return a policy; an empty namespace stands for a ClusterRolloutPolicy."""
        return _read(PolicyItem, await self._ask(Call("GET", policy_path(namespace, name), again=True)))

    async def apply_policy(
        self, namespace: str, name: str, document: bytes, query: Sequence[tuple[str, str]] = ()
    ) -> Applied:
        """Make or change a policy; ``document`` is JSON."""
        headers = {"Content-Type": "application/json"}
        return _read(Applied, await self._ask(Call("PUT", policy_path(namespace, name), query, document, headers)))

    async def delete_policy(self, namespace: str, name: str) -> PolicyItem:
        """Take a policy away; return what it was."""
        return _read(PolicyItem, await self._ask(Call("DELETE", policy_path(namespace, name))))

    # ------------------------------------------------------------ the service

    async def version(self) -> Version:
        """Return what answers."""
        return _read(Version, await self._ask(Call("GET", f"{PREFIX}/version", again=True)))

    async def whoami(self) -> WhoAmI:
        """Return whose token it is."""
        return _read(WhoAmI, await self._ask(Call("GET", f"{PREFIX}/whoami", again=True)))

    # ------------------------------------------------------------ asking

    async def stream(
        self, path: str, query: Sequence[tuple[str, str]] = (), *, last: str = ""
    ) -> AsyncGenerator[bytes]:
        """Give the parts of an event stream as they come, from after the event ``last`` (empty: from now on).

        Raises:
            RolloutError: as ``_ask``; nothing is tried again.
        """
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        call = Call("GET", path, query, headers=headers)
        within = aiohttp.ClientTimeout(
            total=None, sock_connect=self.limits.connect_seconds, sock_read=self.limits.silence_seconds
        )
        with self._translated():
            async with await self._send(call, within) as response:
                if response.status != 200:  # noqa: PLR2004 - as HTTP numbers it
                    raise self._problem(response, await _content(response))
                async for part in response.content.iter_any():
                    yield part

    async def _ask(self, call: Call) -> Reply:
        """Return the answer, after trying again where that is safe.

        Raises:
            ApiProblem: the server answers with a problem.
            ServerAway: it could not be reached, or the connection broke.
            TimedOut: it did not answer in time.
            NotUnderstood: what answers is not rollout.
        """
        tries = AsyncRetrying(
            stop=stop_after_attempt(self.limits.tries),
            retry=retry_if_exception(lambda error: is_safe_again(error, again=call.again)),
            wait=self._wait,
            reraise=True,
        )
        reply: Reply = await tries(self._ask_once, call)
        return reply

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        return wait_before_again(error, state.attempt_number, self.limits)

    async def _ask_once(self, call: Call) -> Reply:
        within = aiohttp.ClientTimeout(
            total=self.limits.seconds + call.seconds, sock_connect=self.limits.connect_seconds
        )
        with self._translated():
            async with await self._send(call, within) as response:
                content = await _content(response)
                if response.ok and response.status < 300:  # noqa: PLR2004 - as HTTP numbers it
                    return Reply(response.status, response.headers, content)
                raise self._problem(response, content)

    async def _send(self, call: Call, within: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is used outside its context")
        query = f"?{urlencode(call.query)}" if call.query else ""
        url = URL(f"{self.connection.server}{call.path}{query}", encoded=True)
        headers = {"X-Request-ID": new_id(), **call.headers}
        return await self._session.request(
            call.method, url, data=call.body, headers=headers, timeout=within, allow_redirects=False
        )

    async def _unrepeated(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send a request; what fails becomes ours here already, or else the library itself would send PUTs again."""
        with self._translated():
            return await handler(request)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the errors of the library into ours."""
        server = self.connection.server
        try:
            yield
        except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError, aiohttp.ClientSSLError) as error:
            raise ServerAway(f"cannot reach {server}: {_why(error)}", sent=False) from error
        except TimeoutError as error:
            raise TimedOut(f"{server} did not answer in time") from error
        except aiohttp.ClientError as error:
            raise ServerAway(f"cannot reach {server}: {_why(error)}", sent=True) from error

    def _problem(self, response: aiohttp.ClientResponse, content: bytes) -> ApiProblem | NotUnderstood:
        if 300 <= response.status < 400:  # noqa: PLR2004 - as HTTP numbers it
            return NotUnderstood(
                f"{self.connection.server} answers {response.status}, which rollout does not; is it its address?"
            )
        try:
            view = ProblemView.model_validate_json(content)
        except ValidationError:
            text = content[:200].decode("utf-8", "replace")
            title = response.reason or str(response.status)
            view = ProblemView(
                type="about:blank", title=title, status=response.status, detail=text or title, instance=""
            )
        return ApiProblem(view, retry_after=response.headers.get("Retry-After", ""))

    def _tls(self) -> ssl.SSLContext | bool:
        if self.connection.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.connection.ca_file)
        except (OSError, ssl.SSLError) as error:
            given, allowed = str(self.connection.ca_file), "a file with PEM certificates"
            message = f"cannot be used: {error.strerror or error}"
            raise ConfigurationError((Problem("--ca-file", message, given=given, allowed=allowed),)) from error


def new_id() -> str:
    """Return an id that nobody else has made."""
    return uuid.uuid4().hex


def policy_path(namespace: str, name: str) -> str:
    """Return the path of a policy; an empty namespace stands for a ClusterRolloutPolicy."""
    if not namespace:
        return f"{PREFIX}/cluster-policies/{quote(name, safe='')}"
    return f"{PREFIX}/policies/{quote(namespace, safe='')}/{quote(name, safe='')}"


def _path(namespace: str, name: str) -> str:
    return f"{PREFIX}/rollouts/{quote(namespace, safe='')}/{quote(name, safe='')}"


def _why(error: aiohttp.ClientError) -> str:
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {cause.verify_message}"
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    if number is not None and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", "") or cause) or type(error).__name__


async def _content(response: aiohttp.ClientResponse) -> bytes:
    parts, size = list[bytes](), 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise NotUnderstood(f"the answer is larger than {MOST_BYTES} bytes")
    return b"".join(parts)


def _read(model: type[A], reply: Reply) -> A:
    try:
        return model.model_validate_json(reply.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NotUnderstood(
            f"the answer is no {model.__name__} ({where}: {first['msg']}); is it rollout that answers?"
        ) from error


def _document(reply: Reply) -> Document:
    try:
        value = json.loads(reply.content)
    except ValueError as error:
        raise NotUnderstood("the answer is no JSON; is it rollout that answers?") from error
    if not isinstance(value, dict):
        raise NotUnderstood("the answer is no resource; is it rollout that answers?")
    return value
