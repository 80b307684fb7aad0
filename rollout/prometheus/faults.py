"""What an error of the session or the library means to us; the words never hold a token."""

from __future__ import annotations

import re
from http import HTTPStatus

import requests
import urllib3

from rollout.errors import PermanentError, RolloutError, SourceTimeout, Unavailable
from rollout.prometheus.session import AnswerError, OverdueError, shown

_FINAL = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
}
"""Answers that will be the same when the question is."""

_CAUSE = re.compile(r"\[Errno -?\d+\] ([^')\"]+)|(certificate verify failed[^(\"]*)")


def translated(error: Exception, name: str) -> RolloutError | None:
    """Return what ``error`` means for the Prometheus called ``name``, or None when it is no fault of its."""
    match error:
        case AnswerError():
            return _refused(error, name)
        case OverdueError() | requests.Timeout() | urllib3.exceptions.TimeoutError():
            return SourceTimeout(f"{name} did not answer in time")
        case requests.JSONDecodeError():
            return Unavailable(f"{name} answered with something that is not JSON")
        case requests.RequestException() | urllib3.exceptions.HTTPError():
            return Unavailable(f"{name} cannot be reached: {_cause(error)}")
        case KeyError() | TypeError() | ValueError() | AttributeError() | IndexError():
            return Unavailable(f"{name} answered with something that is not of its query API")
        case _:
            return None


def _refused(error: AnswerError, name: str) -> RolloutError:
    if error.kind == "timeout":
        return SourceTimeout(f"{name} gave the query up: {error.said}")
    if error.status == HTTPStatus.OK:
        return Unavailable(f"{name} answered with {error.said}")
    told = f"HTTP {error.status}: {error.said}"
    if error.status in _FINAL:
        return PermanentError(f"{name} refused the query: {told}")
    return Unavailable(f"{name} failed: {told}")


def _cause(error: Exception) -> str:
    """Return the innermost reason in few words; the whole text of these errors repeats the URL with the query."""
    found = _CAUSE.search(str(error))
    return shown(next(filter(None, found.groups()))) if found is not None else type(error).__name__
