"""Envoy's admin endpoint: filtered questions, small answers, values instead of JSON.

Shared by the route table, the health source and the measurements of this room. Every question is
filtered on Envoy's side, has a time limit and a size limit, and is asked again only a bounded
number of times. Answers become values here; what is not in the expected form counts as not said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from rollout.errors import PermanentError, SourceTimeout, TemporaryError, Unavailable
from rollout.meters import Count, timed, uncounted

_CHUNK_BYTES = 256 * 1024
_UNREADY = (
    "failed_active_health_check",
    "failed_outlier_check",
    "pending_dynamic_removal",
    "pending_active_hc",
    "excluded_via_immediate_hc_fail",
    "active_hc_timeout",
)


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics that matched: counters, gauges and texts by name, and histograms.

    A histogram maps the upper bound of each bucket (in the histogram's unit) to the number of
    values up to it, and ``inf`` to the number of all.
    """

    numbers: Mapping[str, int] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    histograms: Mapping[str, Mapping[float, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """One endpoint of a cluster: its address, whether Envoy may send to it, and its own counters."""

    address: str
    ready: bool
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One cluster: what its statistics are called after (``alt_stat_name``, else its name), and its hosts."""

    stat_name: str
    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True)
class AdminOptions:
    """How patient the client is: seconds for one question, how often it is asked in all, and how much it reads.

    ``most_bytes`` is some 30 times what 1,000 clusters need.
    """

    timeout_seconds: float = 1.0
    attempts: int = 2
    most_bytes: int = 32 * 1024 * 1024


class AdminClient:
    """Asks one Envoy; made once and closed with ``aclose``."""

    def __init__(self, address: str, options: AdminOptions | None = None, count: Count = uncounted) -> None:
        """Remember the address (``127.0.0.1:9901``, with or without ``http://``); ``count`` hears of every question."""
        self.address = (address if "://" in address else f"http://{address}").rstrip("/")
        self._options = options or AdminOptions()
        self._count = count
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def stats(self, pattern: str, *, histograms: bool = False, attempts: int | None = None) -> Stats:
        """Return the statistics whose whole or part name matches the RE2 ``pattern``.

        Raises:
            Unavailable: Envoy cannot be reached, or what answers is no admin endpoint.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question, or the answer is too large.
        """
        query = {"format": "json", "filter": pattern}
        if histograms:
            query["histogram_buckets"] = "cumulative"
        answer = await self._ask("/stats", query, attempts=attempts)
        return _parse_stats(_list(answer, "stats"))

    async def clusters(self, names: Sequence[str], *, attempts: int | None = None) -> Mapping[str, ClusterStatus]:
        """Return those of the named clusters that Envoy knows.

        Raises:
            Unavailable: Envoy cannot be reached, or what answers is no admin endpoint.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question, or the answer is too large.
        """
        answer = await self._ask("/clusters", {"format": "json", "filter": any_of(names)}, attempts=attempts)
        wanted = set(names)
        found = {str(one.get("name", "")): _parse_cluster(one) for one in _list(answer, "cluster_statuses")}
        return {name: status for name, status in found.items() if name in wanted}

    async def listeners(self) -> Mapping[str, int]:
        """Return the port of each listener by its name.

        Raises:
            Unavailable: Envoy cannot be reached, or what answers is no admin endpoint.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question.
        """
        answer = await self._ask("/listeners", {"format": "json"})
        return {str(one.get("name", "")): _port(one.get("local_address")) for one in _list(answer, "listener_statuses")}

    async def ready(self) -> bool:
        """Return whether Envoy answers and says that it is live; never raises for an Envoy that is away."""
        try:
            status, body = await self._get("/ready", {})
        except TemporaryError:
            return False
        return status == HTTPStatus.OK and body.startswith(b"LIVE")

    async def _ask(self, path: str, query: Mapping[str, str], *, attempts: int | None = None) -> Mapping[str, object]:
        """Return the JSON answer, asking again a bounded number of times; it is counted as what it came to."""
        return await timed(self._answered(path, query, attempts), self._count)

    async def _answered(self, path: str, query: Mapping[str, str], attempts: int | None) -> Mapping[str, object]:
        """Return the JSON answer."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(attempts or self._options.attempts),
            wait=wait_random(0.02, 0.1),
            retry=retry_if_exception_type(TemporaryError),
            reraise=True,
        )
        answer: tuple[int, bytes] = await retrying(self._get, path, query)
        status, body = answer
        if status != HTTPStatus.OK:
            said = body[:200].decode("utf-8", "replace").strip()
            raise PermanentError(f"Envoy's admin endpoint {self.address} refused {path} with {status}: {said}")
        return self._json(path, body)

    async def _get(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Ask once; return the status (below 500) and the answer."""
        timeout = aiohttp.ClientTimeout(total=self._options.timeout_seconds)
        try:
            async with self._open_session().get(self.address + path, params=query, timeout=timeout) as response:
                status, body = response.status, await self._bounded(response)
        except TimeoutError as error:
            limit = f"{self._options.timeout_seconds:g} s"
            raise SourceTimeout(
                f"Envoy's admin endpoint {self.address} did not answer {path} within {limit}"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"Envoy's admin endpoint {self.address} cannot be reached: {error}") from error
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"Envoy's admin endpoint {self.address} answered {path} with {status}")
        return status, body

    async def _bounded(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body, if it is not too large."""
        pieces = bytearray()
        async for piece in response.content.iter_chunked(_CHUNK_BYTES):
            pieces += piece
            if len(pieces) > self._options.most_bytes:
                raise PermanentError(
                    f"Envoy's admin endpoint {self.address} sent more than {self._options.most_bytes} bytes"
                )
        return bytes(pieces)

    def _json(self, path: str, body: bytes) -> Mapping[str, object]:
        """Return the answer as a mapping."""
        try:
            answer = json.loads(body)
        except ValueError as error:
            raise Unavailable(f"{self.address}{path} answered no JSON; is it Envoy's admin endpoint?") from error
        if not isinstance(answer, dict):
            raise Unavailable(f"{self.address}{path} answered another JSON than Envoy's admin endpoint does")
        return answer

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the session, opened at the first question (it belongs to the running loop)."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8))
        return self._session


def any_of(names: Sequence[str]) -> str:
    """Return the RE2 pattern that matches exactly these names."""
    return "^(" + "|".join(re.escape(name) for name in names) + ")$"


def _list(answer: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    """Return the mappings in the list ``key`` of an answer."""
    entries = answer.get(key)
    return [one for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []


def _parse_stats(entries: list[Mapping[str, object]]) -> Stats:
    """Sort the entries by their kind."""
    numbers: dict[str, int] = {}
    texts: dict[str, str] = {}
    histograms: dict[str, Mapping[float, int]] = {}
    for one in entries:
        name, value = one.get("name"), one.get("value")
        if isinstance(name, str) and isinstance(value, str):
            texts[name] = value
        elif isinstance(name, str) and isinstance(value, int):
            numbers[name] = value
        for histogram in _list(one, "histograms") if isinstance(one.get("histograms"), list) else []:
            histograms[str(histogram.get("name", ""))] = _parse_buckets(histogram)
    return Stats(numbers, texts, histograms)


def _parse_buckets(histogram: Mapping[str, object]) -> Mapping[float, int]:
    """Return the cumulative counts by upper bound."""
    return {_number(one.get("upper_bound")): int(_number(one.get("cumulative"))) for one in _list(histogram, "buckets")}


def stat_name(name: str) -> str:
    """Return a name as Envoy spells it in statistics, where a colon would be a separator.

    >>> stat_name("local:8080")
    'local_8080'
    """
    return name.replace("://", "_").replace(":/", "_").replace(":", "_")


def _parse_cluster(cluster: Mapping[str, object]) -> ClusterStatus:
    """Return one cluster with its hosts."""
    name = str(cluster.get("observability_name") or cluster.get("name", ""))
    return ClusterStatus(stat_name(name), tuple(_parse_host(one) for one in _list(cluster, "host_statuses")))


def _parse_host(one: Mapping[str, object]) -> Host:
    """Return one host; it is ready unless a flag or the discovery service says otherwise."""
    health = one.get("health_status")
    flags: Mapping[str, object] = health if isinstance(health, dict) else {}
    told = flags.get("eds_health_status", "HEALTHY") in ("HEALTHY", "UNKNOWN", "DEGRADED")
    ready = told and not any(flags.get(flag) is True for flag in _UNREADY)
    counters = {str(stat.get("name", "")): int(_number(stat.get("value"))) for stat in _list(one, "stats")}
    return Host(_address(one.get("address")), ready, counters)


def _address(address: object) -> str:
    """Return ``ip:port``, or the path of a pipe."""
    if not isinstance(address, dict):
        return ""
    pipe, socket = address.get("pipe"), address.get("socket_address")
    if isinstance(pipe, dict):
        return str(pipe.get("path", ""))
    return f"{socket.get('address', '')}:{_port(address)}" if isinstance(socket, dict) else ""


def _port(address: object) -> int:
    """Return the port of a socket address, 0 where it has none."""
    socket = address.get("socket_address") if isinstance(address, dict) else None
    return int(_number(socket.get("port_value"))) if isinstance(socket, dict) else 0


def _number(value: object) -> float:
    """Return a number that stands as number or as text (64-bit counters do); absent is 0, as in protobuf."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        return float(value)
    except ValueError:
        return 0.0
