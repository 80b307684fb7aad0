"""Problems after RFC 9457: what the API answers instead of what was asked for.

``Refused`` is raised by whoever answers a request; ``answer_of`` turns it into the response. Called by everything in
``rollout.api``; knows no route and no store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from rollout.api.models import CommandOutcome, ProblemItem, ProblemView
from rollout.errors import Problem

MEDIA_TYPE = "application/problem+json"

KINDS: Mapping[int, tuple[str, str]] = {
    400: ("malformed", "The request cannot be read"),
    401: ("unauthenticated", "A token is needed"),
    403: ("forbidden", "The caller may not do this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "This cannot be done here"),
    406: ("not-acceptable", "There is no such form of the answer"),
    409: ("conflict", "It is refused as things stand"),
    412: ("precondition-failed", "Somebody else has changed it"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "The form of the body is not known"),
    422: ("invalid", "The input is wrong"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "An unexpected error"),
    502: ("not-taken", "Another service did not take it"),
    503: ("unavailable", "It cannot be done now"),
}
"""Status -> the last word of ``type``, and the title."""

UNEXPECTED = "something unexpected went wrong; the log has it under the id of this request"
MOST_PROBLEMS = 100
"""So many problems of one input are told at most."""

RETRY_SECONDS = 1
"""When to come back to what is not available now."""


@dataclass(eq=False)
class Refused(Exception):
    """A request is answered with this problem; ``detail`` is one sentence."""

    status: int
    detail: str
    reason: str | None = None
    problems: tuple[ProblemItem, ...] = ()
    command: CommandOutcome | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.detail


def answer_of(refused: Refused, request_id: str) -> Response:
    """Return the response of a problem."""
    kind, title = KINDS.get(refused.status, KINDS[400 if refused.status < 500 else 500])  # noqa: PLR2004 - as HTTP has it
    view = ProblemView(
        type=f"urn:rollout:problem:{kind}",
        title=title,
        status=refused.status,
        detail=refused.detail,
        instance=f"urn:rollout:request:{request_id}",
        reason=refused.reason,
        problems=list(refused.problems),
        command=refused.command,
    )
    content = view.model_dump_json(by_alias=True, exclude_none=True)
    return Response(content, refused.status, headers=dict(refused.headers), media_type=MEDIA_TYPE)


def items_of(problems: Sequence[Problem]) -> tuple[ProblemItem, ...]:
    """Return problems of an input as the API tells them, the first of many; one of another document says so."""
    return tuple(
        ProblemItem(
            field=f"{problem.source}: {problem.field}" if problem.source else problem.field,
            message=problem.message,
            given=problem.given,
            allowed=problem.allowed,
        )
        for problem in problems[:MOST_PROBLEMS]
    )


def invalid(*problems: Problem) -> Refused:
    """Return the refusal of an input with everything that is wrong with it."""
    return Refused(422, sentence_of(problems), problems=items_of(problems))


def sentence_of(problems: Sequence[Problem]) -> str:
    """Return one sentence for all problems (at least one)."""
    first = str(problems[0])
    return first if len(problems) == 1 else f"{len(problems)} things are wrong, the first: {first}"


def malformed(field_name: str, message: str, *, given: str = "", allowed: str = "") -> Refused:
    """Return the refusal of what cannot be read at all."""
    problem = Problem(field_name, message, given=given, allowed=allowed)
    return Refused(400, str(problem), problems=items_of([problem]))
