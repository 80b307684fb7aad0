"""A day of the controller in the lab: everything that it may do, done once, on routes that Envoy Gateway serves.

Called by ``test_rights``, which looks at the audit log afterwards. What happens is what ``tests.kubernetes.access.day``
tells; the service is the process of the lab with its own account, and routes are attached to a Gateway, which answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rollout.kube.resources import Document
from tests.gateway.control import SYSTEM as GATEWAYS
from tests.gateway.controller import API_PORT, Controller
from tests.gateway.scene import Scene, host_of
from tests.kubernetes.access.day import Day
from tests.kubernetes.cluster import ADMIN
from tests.kubernetes.stage import KINDS


class AttachedScene(Scene):
    """A scene in which every route is one of its Gateway, on a host name of its own."""

    async def route(
        self, name: str = "checkout", *, kind: str = "HTTPRoute", rules: Sequence[Mapping[str, Any]] | None = None
    ) -> Document:
        """Let a person make a route, and attach it."""
        await super().route(name, kind=kind, rules=rules)
        host = host_of(self.namespace, f"{name}-{kind.lower()}")
        parent = {"name": self.edge, "namespace": GATEWAYS}
        return self.change(KINDS[kind], name, {"spec": {"parentRefs": [parent], "hostnames": [host]}})


class WorkingDay(Day):
    """The day, by a controller that shares its work with others, as large installations have it."""

    def __init__(self, scene: AttachedScene, controller: Controller, folder: Path) -> None:
        """Play on ``scene``, in the place of ``controller``."""
        super().__init__(scene, folder, {"operator": ADMIN, "admin": ADMIN})
        self._lab = scene.lab
        self._controller = controller

    @asynccontextmanager
    async def service(self) -> AsyncIterator[None]:
        """Run it meanwhile; afterwards it runs again as before."""
        self._controller.end()
        self._controller.start("--shards", "2")
        self.url = f"http://127.0.0.1:{self._lab.door(API_PORT)}"
        try:
            async with self._busy(self._run_workloads):
                yield
        finally:
            self._controller.end()
            self._controller.start()

    async def all(self) -> None:
        """Do everything once."""
        async with self.service():
            await self.promotion()
            await self.abort_and_deletion()
            await self.copies()
            await self.switch()
            await self.refusals()
            await self.conflicts()
            await self.late_reference()
