"""What stands in paths, queries and headers, with its limits; an unknown query parameter is an error.

Used by the routes. A misspelt ``dryrun`` that is silently let through would change what was only to be tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query as QueryParameter
from fastapi.routing import APIRoute

from rollout.api.models import CommandId as CommandIdText
from rollout.api.problems import Refused, invalid, malformed
from rollout.engine.table import Phase
from rollout.errors import Problem
from rollout.failover.table import Stage
from rollout.ports import StoredRollout
from rollout.spec.base import Name, ShortText, Text
from rollout.spec.fields import printable

MOST_NUMBER = 2**63 - 1
ID_ALLOWED = "letters, digits, ., _ and -, at most 64, a letter or digit first"
TEXT_ALLOWED = "text of one line"
CONTINUE_ALLOWED = "what the page before gave as next"

Namespace = Annotated[Name, Path(description="The namespace.")]
RolloutName = Annotated[Name, Path(description="The Rollout's name.")]
SinkName = Annotated[Name, Path(description="The sink's name.")]
PolicyName = Annotated[Name, Path(description="The policy's name.")]
CommandId = Annotated[
    CommandIdText, Path(alias="commandId", description="The command's id.", json_schema_extra={"allowed": ID_ALLOWED})
]
NewCommandId = Annotated[
    CommandIdText | None,
    Query(alias="commandId", description="The id of that start.", json_schema_extra={"allowed": ID_ALLOWED}),
]
OfNamespace = Annotated[Name | None, Query(description="Only those of this namespace.")]
OfPhase = Annotated[list[Phase] | None, Query(description="Only those in this phase; may be repeated.", max_length=7)]
OfFailover = Annotated[
    list[Stage] | None, Query(description="Only those with failover in this phase; may be repeated.", max_length=6)
]
OfLabel = Annotated[
    list[str] | None,
    Query(description="Only those with this label, as name=value; may be repeated.", max_length=20),
]
PageSize = Annotated[int, Query(ge=1, le=500, description="How many of them at most.")]
Continue = Annotated[
    str | None,
    Query(
        alias="continue",
        max_length=1024,
        description="The `next` of the page before.",
        json_schema_extra={"allowed": CONTINUE_ALLOWED},
    ),
]
Full = Annotated[bool, Query(description="Whole resources instead of summaries.")]
HistorySize = Annotated[int, Query(ge=1, le=1000, description="How many of them at most.")]
Before = Annotated[
    int | None,
    Query(
        ge=1,
        le=MOST_NUMBER,
        description="Only those with a smaller number: the `next` of the page before.",
        json_schema_extra={"allowed": "a whole number from 1 on, of at most 64 bits"},
    ),
]
DryRun = Annotated[bool, Query(alias="dryRun", description="Check and answer, and change nothing.")]
Start = Annotated[
    ShortText | None,
    Query(
        description="Start this revision afterwards.",
        json_schema_extra={"allowed": f"{TEXT_ALLOWED}, at most 253 characters"},
    ),
]
Why = Annotated[
    Text | None,
    Query(
        alias="reason",
        description="Why it is started.",
        json_schema_extra={"allowed": f"{TEXT_ALLOWED}, at most 1024 characters"},
    ),
]
Wait = Annotated[float, Query(ge=0, le=30, description="Seconds to wait for what becomes of it.")]
IfMatch = Annotated[
    list[str] | None, Header(alias="If-Match", description="The version (ETag) that is meant, or `*` for any.")
]
IfNoneMatch = Annotated[list[str] | None, Header(alias="If-None-Match", description="`*`: only if there is none yet.")]


@dataclass(frozen=True, slots=True)
class Conditions:
    """For which version a change is meant, as the headers have it."""

    if_match: list[str] | None = None
    if_none_match: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What an apply is to do beside: only try, or start a revision afterwards, why, and under which id."""

    dry_run: bool = False
    start: str | None = None
    why: str | None = None
    command_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which Rollouts a list is to have."""

    namespace: str | None = None
    phase: list[Phase] | None = None
    failover: list[Stage] | None = None
    label: list[str] | None = None


# FastAPI runs what is not a coroutine in a thread, which takes longer than all else.


async def _conditions(*, if_match: IfMatch = None, if_none_match: IfNoneMatch = None) -> Conditions:
    return Conditions(if_match, if_none_match)


async def _wish(
    *, dry_run: DryRun = False, start: Start = None, why: Why = None, command_id: NewCommandId = None
) -> Wish:
    return Wish(dry_run=dry_run, start=start, why=why, command_id=command_id)


async def _sieve(
    *, namespace: OfNamespace = None, phase: OfPhase = None, failover: OfFailover = None, label: OfLabel = None
) -> Sieve:
    return Sieve(namespace, phase, failover, label)


GivenConditions = Annotated[Conditions, Depends(_conditions)]
GivenWish = Annotated[Wish, Depends(_wish)]
GivenSieve = Annotated[Sieve, Depends(_sieve)]

_TAG = re.compile(r'\s*(W/)?(?:"([\x21\x23-\x7e]*)"|([A-Za-z0-9._-]+))\s*')
_MOST_TAGS = 20


async def known_query(request: Request) -> None:
    """Refuse what is asked for and not known here.

    Raises:
        Refused: the query has a parameter that the operation does not have.
    """
    route = request.scope.get("route")
    known = _names(route) if isinstance(route, APIRoute) else frozenset()
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        allowed = ", ".join(sorted(known)) or "none"
        raise invalid(*(Problem(printable(name), "is not a known parameter", allowed=allowed) for name in unknown))


def _names(route: APIRoute) -> frozenset[str]:
    return frozenset(
        field.alias for field in get_flat_params(route.dependant) if isinstance(field.field_info, QueryParameter)
    )


def expected_version(stored: StoredRollout | None, conditions: Conditions) -> str | None:
    """Return the version that a change is meant for (empty: there must be none; None: whatever it is).

    Raises:
        Refused: the conditions cannot be read (400), or do not hold (412).
    """
    if_match, if_none_match = conditions.if_match, conditions.if_none_match
    if if_match is not None and if_none_match is not None:
        raise malformed("If-None-Match", "cannot stand beside If-Match", allowed="one of the two")
    if if_none_match is not None:
        if ",".join(if_none_match).strip() != "*":
            raise malformed("If-None-Match", "is not *", given=printable(",".join(if_none_match)), allowed="*")
        if stored is not None:
            raise Refused(412, f"Rollout {stored.key} exists already: version {stored.version}")
        return ""
    return None if if_match is None else _matching(stored, if_match)


def _matching(stored: StoredRollout | None, if_match: list[str]) -> str:
    given = ",".join(if_match)
    wanted = ["*"] if given.strip() == "*" else _tags(given)
    if stored is None:
        raise Refused(412, "there is no such Rollout, so it has no version that If-Match could mean")
    if stored.version not in wanted and wanted != ["*"]:
        raise Refused(412, f"Rollout {stored.key} has changed since: version {stored.version}")
    return stored.version


def _tags(given: str) -> list[str]:
    """Return the versions in a list of entity tags; weak ones match nothing."""
    parts = given.split(",")
    if len(parts) > _MOST_TAGS:
        raise malformed("If-Match", "has too many versions", allowed=f"at most {_MOST_TAGS}")
    matches = [match for part in parts if (match := _TAG.fullmatch(part)) is not None]
    if len(matches) < len(parts):
        allowed = 'an ETag such as "17", or *'
        raise malformed("If-Match", "is no version", given=printable(given), allowed=allowed)
    return ["" if match[1] else match[2] or match[3] or "" for match in matches]


def schemas_of(operation: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the schema of each parameter of an operation of the description, by its name."""
    return {given["name"]: given.get("schema", {}) for given in operation.get("parameters", ())}
