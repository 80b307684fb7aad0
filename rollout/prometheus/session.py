"""The HTTP session under prometheus-api-client: bounded in time and size, and frank about refusals.

The library has no limit on an answer, drops the warnings in it, and turns every refusal into one
text. Here an answer is read with a deadline and a limit, and what is no complete answer of
Prometheus is raised before the library looks at it. All of it blocks; it runs in the client's threads.
"""

from __future__ import annotations

import json
import re
import time
from http import HTTPStatus
from typing import Any

import requests
import urllib3

MOST_BYTES = 16 * 1024 * 1024
"""The largest answer that is read; it is also what one thread may have to take apart without a pause."""

_PART = 64 * 1024
_SHOWN = 300
_PARTIAL = re.compile(rb'"warnings":\[\s*("(?:[^"\\]|\\.)*")|"isPartial":\s*true')


class AnswerError(Exception):
    """An answer that is none: ``status`` is the HTTP status, ``kind`` Prometheus' errorType, ``said`` its words."""

    def __init__(self, status: int, said: str, kind: str = "") -> None:
        super().__init__(said)
        self.status, self.said, self.kind = status, said, kind


class OverdueError(Exception):
    """An answer that did not come to its end in time."""


class BoundedSession(requests.Session):
    """A session whose every answer is whole, within ``timeout_seconds``, and at most ``most_bytes`` long."""

    def __init__(self, timeout_seconds: float, *, ca_file: str | None = None, most_bytes: int = MOST_BYTES) -> None:
        """Trust ``ca_file`` (PEM) in place of the usual authorities when it is given; proxies are not used."""
        super().__init__()
        self._timeout = timeout_seconds
        self._most_bytes = most_bytes
        self.trust_env = False  # no proxy, and no password from a .netrc
        self.max_redirects = 2
        self.hooks["response"].append(self._read)
        if ca_file is not None:
            self.verify = ca_file

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - the library's own signature
        """Send with our time limit, whatever the caller says, and return an answer that is complete.

        Raises:
            AnswerError: it is an error, or only a part of the answer.
            OverdueError: it did not come in time.
            requests.RequestException, urllib3.exceptions.HTTPError: it did not come at all.
        """
        kwargs["timeout"] = self._timeout
        response: requests.Response = super().request(*args, **kwargs)
        if response.status_code != HTTPStatus.OK or b'"status":"error"' in response.content[:200]:
            raise _refusal(response)
        partial = _PARTIAL.search(response.content)
        if partial is not None:
            warning = json.loads(partial[1]) if partial[1] else "isPartial"
            raise AnswerError(HTTPStatus.OK, f"only a part of the answer: {shown(warning)}")
        return response

    def _read(self, response: requests.Response, *_: object, **__: object) -> None:
        """Read the body before the library does, so that neither a flood nor a trickle holds a thread."""
        deadline, size, parts = time.monotonic() + self._timeout, 0, []
        while part := response.raw.read1(_PART, decode_content=True):
            size += len(part)
            parts.append(part)
            if size > self._most_bytes:
                response.close()
                raise AnswerError(response.status_code, f"an answer of more than {self._most_bytes} bytes")
            if time.monotonic() > deadline:
                response.close()
                raise OverdueError
        response._content = b"".join(parts)  # noqa: SLF001 - what requests itself fills in when it reads the body


def _refusal(response: requests.Response) -> AnswerError:
    try:
        told = json.loads(response.content)
        return AnswerError(response.status_code, shown(str(told["error"])), str(told.get("errorType", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        text = response.content[:_SHOWN].decode(errors="replace")
        return AnswerError(response.status_code, shown(text) or response.reason or "nothing")


def shown(text: str) -> str:
    """Return ``text`` on one line, without what cannot be printed, cut to what fits into a sentence."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]


TransportError = (requests.RequestException, urllib3.exceptions.HTTPError)
"""What is raised when no answer came: requests' errors, and urllib3's where we read the body ourselves."""
