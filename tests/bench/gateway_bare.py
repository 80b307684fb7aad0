"""The least that a controller could do: watch one Service's endpoints, and when none is ready, turn the weights round.

Started by gateway_kills.py inside the enclosure as ``python -m tests.bench.gateway_bare URL CA TOKEN NAMESPACE``: what
the product needs for a failover is shown beside what this needs. When there is a ready endpoint again it turns them
back.
"""

from __future__ import annotations

import asyncio
import random
import sys
from contextlib import aclosing

from kubernetes.aio import client

from rollout.kube.api import KubeApi
from rollout.kube.resources import ENDPOINT_SLICES, GRPC_ROUTES, HTTP_ROUTES, Document, version_of

PRIMARY = "v1-1"


async def main(url: str, ca: str, token: str, namespace: str) -> None:
    """Turn weights round for ever."""
    configuration = client.Configuration(
        host=url, api_key={"BearerToken": token}, api_key_prefix={"BearerToken": "Bearer"}, ssl_ca_cert=ca
    )
    async with aclosing(KubeApi(configuration, random.random)) as api:
        listed = await api.list_page(ENDPOINT_SLICES, namespace=namespace)
        for document in listed["items"]:
            await _look(api, namespace, document)
        events = api.watch(ENDPOINT_SLICES, namespace=namespace, since=version_of(listed), seconds=1500)
        async with aclosing(events):
            async for _, document in events:
                await _look(api, namespace, document)


async def _look(api: KubeApi, namespace: str, document: Document) -> None:
    if document.get("metadata", {}).get("name") == PRIMARY:
        is_up = any(one["conditions"]["ready"] for one in document.get("endpoints") or ())
        await _turn(api, namespace, (100, 0) if is_up else (0, 100))


async def _turn(api: KubeApi, namespace: str, weights: tuple[int, int]) -> None:
    operations = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{place}/weight", "value": weight}
        for place, weight in enumerate(weights)
    ]
    await asyncio.gather(
        *(api.patch(resource, namespace, "checkout", operations) for resource in (HTTP_ROUTES, GRPC_ROUTES))
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
