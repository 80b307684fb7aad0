"""What an answer of the API server, or none at all, means: its errors as ours.

    404                          NotOursError
    409                          ConflictError
    422 without causes           ConflictError: a ``test`` of a JSON Patch that failed
    410                          Expired: list again
    422 with causes              Refused: it says which fields are wrong
    longer than we read          TooLong
    429, 5xx, no answer          Unavailable
    401, 403                     Forbidden
    other 4xx                    PermanentError

Called by ``rollout.kube.api``; nothing else in this room looks at a status code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from rollout.errors import (
    ConflictError,
    NotAllowedError,
    NotOursError,
    PermanentError,
    RolloutError,
    TemporaryError,
    Unavailable,
)

LONGEST_MESSAGE = 400
"""So many characters of what the API server says are passed on."""

MOST_CAUSES = 50
"""So many causes of a refusal are passed on."""

LONGEST_WAIT_SECONDS = 10.0
"""``Retry-After`` is obeyed up to this many seconds."""


class Expired(TemporaryError):
    """The resourceVersion is too old to go on from: everything has to be listed again."""


class TooLong(Unavailable):
    """The answer, or an event of a watch, is longer than what is read of one."""


class Forbidden(NotAllowedError):
    """The API server does not know us, or does not let us do this."""


class Refused(PermanentError):
    """The object is not as it must be; ``causes`` are pairs of a field's path and what is wrong with it."""

    def __init__(self, message: str, causes: tuple[tuple[str, str], ...]) -> None:
        """Keep what is wrong, at least one cause."""
        super().__init__(message)
        self.causes = causes


class Busy(Unavailable):
    """The API server asks to come again later, ``after_seconds`` from now (0: it did not say when)."""

    def __init__(self, message: str, after_seconds: float = 0.0) -> None:
        """Keep how long to wait."""
        super().__init__(message)
        self.after_seconds = min(max(0.0, after_seconds), LONGEST_WAIT_SECONDS)


def fault(status: int, body: bytes, *, what: str, retry_after: str = "") -> RolloutError:
    """Return what the answer ``status`` with ``body`` to ``what`` (``PATCH /apis/...``) means."""
    told = _told(body)
    said = str(told.get("message") or "").strip()[:LONGEST_MESSAGE]
    message = f"{what}: the API server answered {status}{f' ({said})' if said else ''}"
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotOursError(message)
        case HTTPStatus.CONFLICT:
            return ConflictError(message)
        case HTTPStatus.GONE:
            return Expired(message)
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return Forbidden(message)
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            causes = _causes(told)
            return Refused(message, causes) if causes else ConflictError(message)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Busy(message, _seconds(retry_after))
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Busy(message, _seconds(retry_after))
        case _:
            return PermanentError(message)


def _told(body: bytes) -> Mapping[str, Any]:
    with suppress(ValueError):
        told = json.loads(body)
        if isinstance(told, dict):
            return told
    return {}


def _causes(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    details = told.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return tuple(
        (str(cause.get("field") or "")[:LONGEST_MESSAGE], str(cause.get("message") or "")[:LONGEST_MESSAGE])
        for cause in (causes if isinstance(causes, list) else ())[:MOST_CAUSES]
        if isinstance(cause, dict)
    )


def _seconds(retry_after: str) -> float:
    return float(retry_after) if retry_after.isdecimal() else 0.0
