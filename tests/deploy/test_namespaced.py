"""Facts about a service for one namespace: the rights of its overlay are enough for the same work."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.rendering import OVERLAYS
from tests.kubernetes.access.day import ACCOUNT, Day, token_of
from tests.kubernetes.access.rules import forbidden
from tests.kubernetes.cluster import ADMIN, CONTROLLER, Cluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.stage import open_stage

pytestmark = [*KUBERNETES, pytest.mark.timeout(180)]

SHOP = "shop"
USER = f"system:serviceaccount:{SHOP}:{ACCOUNT}"


class OwnDay(Day):
    """A day of a service that runs in its namespace, for that one."""

    @asynccontextmanager
    async def service(self) -> AsyncIterator[None]:
        """Run it with the rights of its account there."""
        known = json.loads(self.cluster.kubeconfig(CONTROLLER).read_text(encoding="utf-8"))
        known["users"][0]["user"]["token"] = token_of(self.cluster, SHOP, ACCOUNT)
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(known), encoding="utf-8")
        settings: dict[str, Any] = {
            "kubeconfig": kubeconfig,
            "watch_namespace": SHOP,
            "lease_namespace": SHOP,
            "listen": "127.0.0.1:0",
        }
        async with self.stage.controller(**settings) as runtime:
            self.url = runtime.url
            yield


async def test_rights_in_one_namespace_are_enough(knowing: Cluster, tmp_path: Path) -> None:
    """A promotion over routes of both kinds, an abort by the API, a deletion: nothing of it is forbidden."""
    await knowing.kubectl("apply", "-k", str(OVERLAYS / "namespaced"))
    before = len(knowing.audited(USER))
    async with open_stage(knowing, SHOP) as stage:
        day = OwnDay(stage, tmp_path, {"operator": ADMIN})
        async with day.service():
            await day.promotion()
            await day.abort_and_deletion()
    done = knowing.audited(USER)[before:]

    assert forbidden(done) == []
    assert {"patch", "watch", "create"} <= {event["verb"] for event in done}
