"""The routes of policies: those of a namespace, and those for all. Called by the application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from rollout.api.applying import refuse_of_file
from rollout.api.callers import caller_of, permit
from rollout.api.documents import Form, Reader
from rollout.api.examination import examine_of_policy, named
from rollout.api.models import Applied, Document, PolicyItem, PolicyList
from rollout.api.operations import Operation, add, answered
from rollout.api.parameters import DryRun, Namespace, PolicyName
from rollout.api.problems import Refused
from rollout.api.service import Service
from rollout.ports import Key, PolicyKey, Verb

OF_NAMESPACE, OF_ALL = "RolloutPolicy", "ClusterRolloutPolicy"


class Policies:
    """The operations."""

    def __init__(self, service: Service, reader: Reader) -> None:
        """Answer for ``service``."""
        self._service = service
        self._reader = reader

    async def list(self, request: Request) -> Response:
        """Answer all policies."""
        await permit(self._service.access, caller_of(request), Verb.LIST, "")
        found = sorted(self._service.intents.policies().items())
        return answered(PolicyList(items=[self._item(policy, document) for policy, document in found]))

    async def get(self, request: Request, namespace: Namespace, name: PolicyName) -> Response:
        """Answer a policy of a namespace."""
        return await self._get(request, (OF_NAMESPACE, namespace, name))

    async def get_of_all(self, request: Request, name: PolicyName) -> Response:
        """Answer a policy for all."""
        return await self._get(request, (OF_ALL, "", name))

    async def put(
        self, request: Request, namespace: Namespace, name: PolicyName, *, dry_run: DryRun = False
    ) -> Response:
        """Apply a policy of a namespace."""
        return await self._put(request, (OF_NAMESPACE, namespace, name), dry_run=dry_run)

    async def put_of_all(self, request: Request, name: PolicyName, *, dry_run: DryRun = False) -> Response:
        """Apply a policy for all."""
        return await self._put(request, (OF_ALL, "", name), dry_run=dry_run)

    async def delete(self, request: Request, namespace: Namespace, name: PolicyName) -> Response:
        """Take a policy of a namespace away."""
        return await self._delete(request, (OF_NAMESPACE, namespace, name))

    async def delete_of_all(self, request: Request, name: PolicyName) -> Response:
        """Take a policy for all away."""
        return await self._delete(request, (OF_ALL, "", name))

    async def _get(self, request: Request, policy: PolicyKey) -> Response:
        await permit(self._service.access, caller_of(request), Verb.GET, policy[1])
        return answered(self._there(policy))

    async def _put(self, request: Request, policy: PolicyKey, *, dry_run: bool) -> Response:
        await permit(self._service.access, caller_of(request), Verb.UPDATE, policy[1])
        kind, namespace, name = policy
        document = named(await self._reader.document_in(request, Form.JSON, Form.YAML), kind, Key(namespace, name))
        await self._reader.aside(request, lambda: examine_of_policy(document))
        refuse_of_file(self._service.intents.source_of_policy(policy), _text(policy))
        before = self._service.intents.policies().get(policy)
        outcome = _outcome(before, document)
        if not dry_run:
            await self._service.intents.apply_policy(document)
        made = outcome == "created" and not dry_run
        return answered(Applied(outcome=outcome, dry_run=dry_run, resource=document, warnings=[]), 201 if made else 200)

    async def _delete(self, request: Request, policy: PolicyKey) -> Response:
        await permit(self._service.access, caller_of(request), Verb.UPDATE, policy[1])
        gone = self._there(policy)
        refuse_of_file(gone.source, _text(policy))
        await self._service.intents.remove_policy(*policy)
        return answered(gone)

    def _there(self, policy: PolicyKey) -> PolicyItem:
        document = self._service.intents.policies().get(policy)
        if document is None:
            raise Refused(404, f"there is no {_text(policy)}")
        return self._item(policy, document)

    def _item(self, policy: PolicyKey, document: Mapping[str, object]) -> PolicyItem:
        kind, namespace, name = policy
        source = self._service.intents.source_of_policy(policy)
        return PolicyItem(kind=kind, namespace=namespace, name=name, source=source, resource=dict(document))


def _outcome(before: object, document: Document) -> Literal["created", "changed", "unchanged"]:
    if before is None:
        return "created"
    return "unchanged" if before == document else "changed"


def _text(policy: PolicyKey) -> str:
    kind, namespace, name = policy
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def policies_router(service: Service, reader: Reader) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/v1", tags=["policies"])
    policies = Policies(service, reader)
    one, of_all = "/policies/{namespace}/{name}", "/cluster-policies/{name}"
    add(router, "GET /policies", policies.list, _LIST)
    add(router, f"GET {one}", policies.get, _get("getPolicy", OF_NAMESPACE))
    add(router, f"PUT {one}", policies.put, _put("applyPolicy", OF_NAMESPACE))
    add(router, f"DELETE {one}", policies.delete, _delete("deletePolicy", OF_NAMESPACE))
    add(router, f"GET {of_all}", policies.get_of_all, _get("getClusterPolicy", OF_ALL))
    add(router, f"PUT {of_all}", policies.put_of_all, _put("applyClusterPolicy", OF_ALL))
    add(router, f"DELETE {of_all}", policies.delete_of_all, _delete("deleteClusterPolicy", OF_ALL))
    return router


_MANIFEST = {"$ref": "#/components/schemas/RolloutPolicy"}
_LIST = Operation(
    id="listPolicies",
    summary="All policies",
    description="Answers the policies of all namespaces and those for all, in order of kind, namespace and name.",
    answers={200: ("The policies.", PolicyList)},
)


def _get(operation_id: str, kind: str) -> Operation:
    return Operation(
        id=operation_id,
        summary=f"A {kind}",
        description="Answers the policy as it was written, and the file that speaks for it.",
        answers={200: ("The policy.", PolicyItem)},
        errors=(404,),
    )


def _put(operation_id: str, kind: str) -> Operation:
    return Operation(
        id=operation_id,
        summary=f"Make or change a {kind}",
        description=(
            "Takes the whole manifest, as JSON or YAML, and checks it first. Its Rollouts follow at once. A policy that"
            " a manifest file speaks for is changed in that file. With `dryRun` nothing is written."
        ),
        answers={
            200: ("It is there already, and changed or not; or it was only tried.", Applied),
            201: ("It is new.", Applied),
        },
        errors=(409,),
        body={"application/json": _MANIFEST, "application/yaml": _MANIFEST},
    )


def _delete(operation_id: str, kind: str) -> Operation:
    return Operation(
        id=operation_id,
        summary=f"Take a {kind} away",
        description="Takes the policy away and answers what it was. Rollouts that name it say that it is missing.",
        answers={200: ("It is gone.", PolicyItem)},
        errors=(404, 409),
    )
