"""The route of a Rollout's history: its transitions, newest first, a page at a time. Called by the application."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.callers import caller_of, permit
from rollout.api.models import HistoryPage, TransitionItem
from rollout.api.operations import Operation, add, answered
from rollout.api.parameters import Before, HistorySize, Namespace, RolloutName
from rollout.api.problems import Refused
from rollout.api.service import Service
from rollout.ports import Key, Verb


class History:
    """The operation."""

    def __init__(self, service: Service) -> None:
        """Read the journal of ``service``."""
        self._service = service

    async def page(
        self,
        request: Request,
        namespace: Namespace,
        name: RolloutName,
        *,
        limit: HistorySize = 100,
        before: Before = None,
    ) -> Response:
        """Answer a page of transitions; those of a Rollout that is gone stay readable."""
        await permit(self._service.access, caller_of(request), Verb.GET, namespace)
        key = Key(namespace, name)
        found = await self._service.journal.history(key, limit=limit, before=before)
        if not found and self._service.store.read(key) is None and not await self._has_any(key):
            raise Refused(404, f"there is no Rollout {key}, and none is remembered")
        items = [TransitionItem.model_validate(transition) for transition in found]
        last = items[-1].number if len(items) == limit else None
        more = last is not None and await self._service.journal.history(key, limit=1, before=last)
        return answered(HistoryPage(items=items, next=last if more else None))

    async def _has_any(self, key: Key) -> bool:
        return bool(await self._service.journal.history(key, limit=1))


def history_router(service: Service) -> APIRouter:
    """Return the route of histories."""
    router = APIRouter(prefix="/api/v1/rollouts/{namespace}/{name}/history", tags=["rollouts"])
    add(router, "GET ", History(service).page, _PAGE)
    return router


_PAGE = Operation(
    id="getHistory",
    summary="The transitions of a Rollout",
    description=(
        "Answers the recorded transitions of the Rollout's last life, newest first. They outlive the Rollout, until"
        " they are trimmed. `next`, given as `before`, leads to older ones."
    ),
    answers={200: ("A page of transitions.", HistoryPage)},
    errors=(404,),
)
