"""Who asks, and whether they may: for every route that answers more than whether the service lives.

The doorkeeper identifies the caller before any route is looked for; routes say what must be allowed. What was not
identified is refused here once more, so that a route outside the doorkeeper's reach stays closed.
"""

from __future__ import annotations

import re

from starlette.requests import HTTPConnection

from rollout.api.problems import Refused
from rollout.ports import Access, Caller, Verb

CALLER = "rollout.caller"
"""The name of the caller in the request's state."""

LONGEST_TOKEN = 8192
_BEARER = re.compile(rf"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]{{1,{LONGEST_TOKEN}}}=*)")


def bearer_of(connection: HTTPConnection) -> str | None:
    """Return the bearer token of a request; None when it has none, several, or one that cannot be one."""
    given = connection.headers.getlist("authorization")
    match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    return match[1] if match is not None else None


def unauthenticated(*, given: bool) -> Refused:
    """Return the refusal of a caller without a token, or with one that is not known."""
    detail = "the token is not known, or not valid any more" if given else "a token is needed: Authorization: Bearer …"
    challenge = 'Bearer realm="rollout"' + (', error="invalid_token"' if given else "")
    return Refused(401, detail, headers={"WWW-Authenticate": challenge})


def caller_of(connection: HTTPConnection) -> Caller:
    """Return whom the doorkeeper has identified.

    Raises:
        Refused: nobody.
    """
    found = connection.scope.get("state", {}).get(CALLER)
    if not isinstance(found, Caller):
        raise unauthenticated(given=False)
    return found


async def permit(access: Access, caller: Caller, verb: Verb, namespace: str) -> None:
    """Return when the caller may do this in the namespace (empty: in all).

    Raises:
        Refused: the caller may not.
        Unavailable: it cannot be found out now.
    """
    if not await access.may(caller, verb, namespace):
        where = f"in namespace {namespace}" if namespace else "in all namespaces"
        raise Refused(403, f"{caller.name} may not {verb} Rollouts {where}")
