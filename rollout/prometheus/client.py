"""A thin wrap of prometheus-api-client: bounded in time, threads, tries and bytes, with our own errors.

The client is synchronous, has no time limit and hidden retries of its own; here each query runs in
a small pool of threads, gives up in time, is tried once more after a temporary fault, and never
reads more than a bounded answer. Nothing that it raises holds a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import PrometheusApiClientException
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from urllib3.util.retry import Retry

from rollout.errors import PermanentError, RolloutError, SourceTimeout, Unavailable

MOST_BYTES = 32 * 1024 * 1024
MOST_THREADS = 4
MOST_TRIES = 2
_SAID = 200


class _Bounded(requests.Session):
    """A session that refuses answers of more than ``MOST_BYTES``, and redirects to other hosts."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._timeout = timeout_seconds
        self.trust_env = False
        self.max_redirects = 2
        self.hooks["response"].append(_read_bounded)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the library's own signature
        """Send with our time limit, whatever the library says."""
        kwargs["timeout"] = (self._timeout, self._timeout)
        response: requests.Response = super().request(*args, **kwargs)
        return response


def _read_bounded(response: requests.Response, *_: object, **__: object) -> None:
    parts, size = [], 0
    for part in response.iter_content(64 * 1024):
        size += len(part)
        if size > MOST_BYTES:
            response.close()
            raise requests.exceptions.ContentDecodingError(f"the answer is larger than {MOST_BYTES} bytes")
        parts.append(part)
    response._content = b"".join(parts)  # noqa: SLF001 - what requests itself fills in when it reads the body


class PrometheusClient:
    """Instant queries against one server; ``close`` ends the threads."""

    def __init__(self, url: str, *, timeout_seconds: float = 5.0, token_file: Path | None = None) -> None:
        """Ask ``url``; ``timeout_seconds`` bounds one query with its second try; the token is read for each query."""
        self._timeout = timeout_seconds
        self._token_file = token_file
        session = _Bounded(timeout_seconds)
        self._client = PrometheusConnect(url=url.rstrip("/"), retry=Retry(0), session=session)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="prometheus")

    def close(self) -> None:
        """Let running queries end by their time limit, start no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def query(self, expression: str, *, at: float) -> list[Mapping[str, Any]]:
        """Return the result of an instant query at Unix time ``at``.

        Raises:
            SourceTimeout: no answer in time.
            Unavailable: no connection, or an answer that is not Prometheus'.
            PermanentError: Prometheus refused the query.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(MOST_TRIES),
            wait=wait_exponential_jitter(multiplier=0.05, max=0.2),
            retry=retry_if_exception_type(Unavailable),
            reraise=True,
        )
        try:
            async with asyncio.timeout(self._timeout):
                return await retrying(self._once, expression, at)
        except TimeoutError as error:
            raise SourceTimeout(f"Prometheus did not answer within {self._timeout:g} s") from error

    async def _once(self, expression: str, at: float) -> list[Mapping[str, Any]]:
        self._client.headers = self._headers()
        ask = partial(self._client.custom_query, expression, params={"time": f"{at:.3f}"})
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except Exception as error:
            raise translated(error) from error
        if not isinstance(result, list):
            raise Unavailable("the answer of Prometheus has no list of results")
        return result

    def _headers(self) -> dict[str, str]:
        if self._token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text().strip()}"}
        except OSError as error:
            raise Unavailable(f"the token file of Prometheus cannot be read: {error.strerror}") from error


def translated(error: Exception) -> RolloutError | Exception:
    """Return what ``error`` means to us; what is none of the library's faults comes back as it is."""
    match error:
        case requests.exceptions.Timeout():
            return SourceTimeout("Prometheus did not answer in time")
        case requests.exceptions.JSONDecodeError():
            return Unavailable("the answer of Prometheus is not JSON")
        case requests.exceptions.RequestException():
            return Unavailable(f"Prometheus cannot be reached: {type(error).__name__}")
        case PrometheusApiClientException():
            return _refusal(str(error))
        case KeyError() | TypeError() | ValueError():
            return Unavailable("the answer of Prometheus is not one of its API")
        case _:
            return error


def _refusal(text: str) -> RolloutError:
    said = "".join(c if c.isprintable() else " " for c in text)[:_SAID]
    refused = any(f"HTTP Status Code {code}" in text for code in (400, 401, 403, 404, 422))
    return (
        PermanentError(f"Prometheus refused the query: {said}")
        if refused
        else Unavailable(f"Prometheus failed: {said}")
    )
