"""A thin wrap of prometheus-api-client: bounded in time, threads, tries and bytes, with our own errors.

The client is synchronous and has no limits of its own; here each query runs in a small pool of
threads, has one time limit for its waiting, its tries and its reading, and is tried once more after a
temporary fault. Nothing that is raised holds a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from prometheus_api_client import PrometheusConnect
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from urllib3.util.retry import Retry

from rollout.errors import RolloutError, SourceTimeout, Unavailable
from rollout.meters import Count, timed, uncounted
from rollout.prometheus.faults import translated
from rollout.prometheus.session import BoundedSession

MOST_THREADS = 4
"""How many queries are asked at once."""

MOST_TRIES = 2
"""How often a query is asked in all, when the fault is a temporary one."""

TIMEOUT_SECONDS = 5.0

T = TypeVar("T")


class PrometheusClient:
    """Instant queries against one server; ``close`` ends the threads."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        token_file: Path | None = None,
        ca_file: Path | None = None,
        count: Count = uncounted,
    ) -> None:
        """Ask ``url``; nothing is sent yet. ``count`` hears of every query.

        ``timeout_seconds`` bounds a query with its second try. The bearer token is read from its file for
        each query, so that it may be renewed. ``ca_file`` (PEM) is trusted in place of the usual authorities.

        Raises:
            Unavailable: ``ca_file`` cannot be read.
        """
        if ca_file is not None and not ca_file.is_file():
            raise Unavailable(f"{ca_file}: the certificate authority for Prometheus cannot be read")
        parts = urlsplit(url)
        self._name = f"Prometheus at {parts.hostname}{f':{parts.port}' if parts.port else ''}"
        self._timeout = timeout_seconds
        self._token_file = token_file
        self._count = count
        session = BoundedSession(timeout_seconds, ca_file=None if ca_file is None else str(ca_file))
        self._client = PrometheusConnect(url=url.rstrip("/"), retry=Retry(0), session=session)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="prometheus")

    def close(self) -> None:
        """Start no more queries; those that run end by their time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    async def query(
        self, expression: str, *, at: float, read: Callable[[list[Any]], T], limit_seconds: float | None = None
    ) -> T:
        """Return what ``read`` makes of the result of an instant query at Unix time ``at``.

        ``read`` runs in the thread; what it raises on an odd result means that it is no answer. ``limit_seconds`` is a
        shorter time limit, which Prometheus is told of, too, so that the thread comes free as soon.

        Raises:
            SourceTimeout: no answer in time.
            Unavailable: no connection, or no complete answer of Prometheus.
            PermanentError: Prometheus refused the query.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(MOST_TRIES),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.2),
            retry=retry_if_exception_type(Unavailable),
            reraise=True,
        )
        params = {"time": f"{at:.3f}"} | ({} if limit_seconds is None else {"timeout": f"{limit_seconds:g}"})
        query: Awaitable[T] = retrying(self._once, expression, params, read)
        return await timed(self._within_time(query, limit_seconds or self._timeout), self._count)

    async def _within_time(self, query: Awaitable[T], seconds: float) -> T:
        try:
            async with asyncio.timeout(seconds):
                return await query
        except TimeoutError as error:
            raise SourceTimeout(f"{self._name} did not answer within {seconds:g} s") from error

    async def _once(self, expression: str, params: dict[str, str], read: Callable[[list[Any]], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, expression, params, read)
        except RuntimeError as error:  # what a pool that was shut down raises
            raise Unavailable(f"{self._name} is not asked any more") from error

    def _ask(self, expression: str, params: dict[str, str], read: Callable[[list[Any]], T]) -> T:
        """Ask and read, in a thread."""
        token = self._token()
        # The library sends what stands in ``headers`` at this moment; every thread would put the same there.
        self._client.headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            return read(self._client.custom_query(expression, params=params))
        except Exception as error:
            known = translated(error, self._name)
            if known is None:
                raise
            raise _without(token, known) from _without_cause(error, token)

    def _token(self) -> str:
        if self._token_file is None:
            return ""
        try:
            return self._token_file.read_text().strip()
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self._token_file}: the token for {self._name} cannot be read") from error


def _without(token: str, error: RolloutError) -> RolloutError:
    """Return ``error`` with the token, which a server may have sent back, blotted out."""
    return type(error)(str(error).replace(token, "***")) if token and token in str(error) else error


def _without_cause(error: Exception, token: str) -> Exception | None:
    """Return the cause to be told, or None where it would tell the token."""
    return None if token and token in repr(error) else error
