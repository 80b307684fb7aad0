"""The routes of Rollouts: list, read, apply, delete. Called by the application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.applying import Application, Applying, check_wish, refuse_of_file
from rollout.api.callers import caller_of, permit
from rollout.api.documents import Form, Reader
from rollout.api.examination import named
from rollout.api.listing import Filters, Listing, cursor_of, labels_in, place_of
from rollout.api.models import Applied, Deleted, RolloutPage
from rollout.api.operations import Operation, add, answered
from rollout.api.outcomes import Outcomes
from rollout.api.parameters import (
    Continue,
    Full,
    GivenConditions,
    GivenSieve,
    GivenWish,
    Namespace,
    PageSize,
    RolloutName,
    expected_version,
)
from rollout.api.resources import etag_of, resource_of, summary_of
from rollout.api.service import Service
from rollout.errors import NotOursError
from rollout.ports import Key, StoredRollout, Verb

AT_ONCE = 20
"""So many whole resources are made before others have their turn."""


class Rollouts:
    """The operations."""

    def __init__(self, service: Service, reader: Reader, outcomes: Outcomes) -> None:
        """Answer for ``service``; starts are left through ``outcomes``."""
        self._service = service
        self._reader = reader
        self._listing = Listing(service)
        self._applying = Applying(service, outcomes)

    async def list(
        self, request: Request, sieve: GivenSieve, *, limit: PageSize = 100, after: Continue = None, full: Full = False
    ) -> Response:
        """Answer a page of Rollouts."""
        await permit(self._service.access, caller_of(request), Verb.LIST, sieve.namespace or "")
        phases = frozenset(phase.value for phase in sieve.phase or ())
        failover = frozenset(stage.value for stage in sieve.failover or ())
        filters = Filters(sieve.namespace or "", phases, failover, labels_in(sieve.label or ()))
        page = self._listing.page(filters, after=place_of(after) if after is not None else None, limit=limit)
        place = cursor_of(page.last) if page.last is not None else None
        if full:
            return await self._whole(page.found, page.total, place)
        items = [summary_of(stored, self._service.controller) for stored in page.found]
        return answered(RolloutPage(items=items, total=page.total, next=place))

    async def _whole(self, found: Sequence[StoredRollout], total: int, place: str | None) -> Response:
        """Answer whole resources, which take so long to make that others have their turns between."""
        items: list[str] = []
        for index, stored in enumerate(found):
            items.append(json.dumps(resource_of(stored, self._service.controller)))
            if index % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
        rest = json.dumps({"total": total, "next": place})
        return Response(f'{{"items":[{",".join(items)}],{rest[1:]}', media_type="application/json")

    async def get(self, request: Request, namespace: Namespace, name: RolloutName) -> Response:
        """Answer a whole resource."""
        await permit(self._service.access, caller_of(request), Verb.GET, namespace)
        stored = self._stored(Key(namespace, name))
        content = json.dumps(resource_of(stored, self._service.controller))
        return Response(content, media_type="application/json", headers={"ETag": etag_of(stored)})

    async def put(
        self,
        request: Request,
        namespace: Namespace,
        name: RolloutName,
        *,
        wish: GivenWish,
        conditions: GivenConditions,
    ) -> Response:
        """Apply a manifest."""
        caller = caller_of(request)
        await permit(self._service.access, caller, Verb.UPDATE, namespace)
        check_wish(wish)
        key = Key(namespace, name)
        document = named(await self._reader.document_in(request, Form.JSON, Form.YAML), "Rollout", key)
        policy = self._applying.policy_of(document)
        sound = await self._reader.aside(request, lambda: self._applying.examine(document, policy))
        applied = await self._applying.apply(Application(key, document, conditions, wish, caller), sound)
        made = applied.outcome == "created" and not applied.dry_run
        stored = self._service.store.read(key)
        return answered(applied, 201 if made else 200, {"ETag": etag_of(stored)} if stored is not None else {})

    async def delete(
        self, request: Request, namespace: Namespace, name: RolloutName, conditions: GivenConditions
    ) -> Response:
        """Let a Rollout go."""
        await permit(self._service.access, caller_of(request), Verb.UPDATE, namespace)
        key = Key(namespace, name)
        expected_version(self._stored(key), conditions)
        refuse_of_file(self._service.intents.source_of(key), f"Rollout {key}")
        await self._service.intents.mark_deleting(key)
        message = "the controller gives stable all weight first; then the Rollout is gone"
        return answered(Deleted(namespace=namespace, name=name, message=message), 202)

    def _stored(self, key: Key) -> StoredRollout:
        stored = self._service.store.read(key)
        if stored is None:
            raise NotOursError(f"there is no Rollout {key}")
        return stored


def rollouts_router(service: Service, reader: Reader, outcomes: Outcomes) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1/rollouts", tags=["rollouts"])
    rollouts = Rollouts(service, reader, outcomes)
    add(router, "GET ", rollouts.list, _LIST)
    add(router, "GET /{namespace}/{name}", rollouts.get, _GET)
    add(router, "PUT /{namespace}/{name}", rollouts.put, _PUT)
    add(router, "DELETE /{namespace}/{name}", rollouts.delete, _DELETE)
    return router


_HERE = {"namespace": "$request.path.namespace", "name": "$request.path.name"}
_FIRST = {"namespace": "$response.body#/items/0/namespace", "name": "$response.body#/items/0/name"}
_OF_FIRST = {
    "getFirst": {"operationId": "getRollout", "parameters": _FIRST, "description": "The first Rollout of the page."},
    "commandFirst": {"operationId": "leaveCommand", "parameters": _FIRST, "description": "Give it a command."},
}
_OF_ONE = {
    "leaveCommand": {"operationId": "leaveCommand", "parameters": _HERE, "description": "Give it a command."},
    "getHistory": {"operationId": "getHistory", "parameters": _HERE, "description": "Its transitions."},
    "getLive": {"operationId": "getLive", "parameters": _HERE, "description": "Where it stands right now."},
    "getRollout": {"operationId": "getRollout", "parameters": _HERE, "description": "The Rollout as it is then."},
    "deleteRollout": {"operationId": "deleteRollout", "parameters": _HERE, "description": "Let it go."},
}
_MANIFEST = {"$ref": "#/components/schemas/Rollout"}

_LIST = Operation(
    id="listRollouts",
    summary="A page of Rollouts",
    description=(
        "Answers Rollouts in order of namespace and name. All filters must hold; of several phases, one. `next`, given"
        " as `continue`, leads to the next page; what comes and goes meanwhile is neither skipped nor told twice."
    ),
    answers={200: ("A page.", RolloutPage)},
    links=_OF_FIRST,
)
_GET = Operation(
    id="getRollout",
    summary="A Rollout",
    description="Answers the manifest as it was written, what the service knows of it, and its live status.",
    answers={200: ("The resource.", None)},
    errors=(404,),
    links=_OF_ONE,
    headers=("ETag",),
)
_PUT = Operation(
    id="applyRollout",
    summary="Make or change a Rollout",
    description=(
        "Takes the whole manifest, as JSON or YAML. It is checked with its policy first; with any error nothing is"
        " stored, and every error is told. A policy that is not there yet is only warned of. A Rollout that a manifest"
        " file speaks for is changed in that file. `start` starts a revision afterwards; if that is refused, what was"
        " applied stays, and `command` says why. With `dryRun` nothing is written, and the answer is the effective"
        " Rollout, policy and defaults merged in."
    ),
    answers={
        200: ("It is there already, and changed or not; or it was only tried.", Applied),
        201: ("It is new.", Applied),
    },
    errors=(404, 409, 412),
    body={"application/json": _MANIFEST, "application/yaml": _MANIFEST},
    links=_OF_ONE,
    headers=("ETag",),
)
_DELETE = Operation(
    id="deleteRollout",
    summary="Let a Rollout go",
    description=(
        "Marks the Rollout: the controller finishes it (stable gets all weight, unless the manifest says otherwise) and"
        " takes it away. A Rollout that a manifest file speaks for goes with that file."
    ),
    answers={202: ("It is marked.", Deleted)},
    errors=(400, 404, 409, 412),
)
