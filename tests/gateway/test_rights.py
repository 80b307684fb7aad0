"""Facts about the rights of the controller, which works here as its own service account."""

from __future__ import annotations

from tests.gateway.attempts import attempt, promoted
from tests.gateway.controller import Controller
from tests.gateway.scene import Scene
from tests.kubernetes.access.day import USER
from tests.kubernetes.access.rules import forbidden


async def test_nothing_is_forbidden(scene: Scene, controller: Controller) -> None:
    """What it asks for in an attempt, and in all that was played before, it may do."""
    async with attempt(scene):
        await promoted(scene)

    events = scene.cluster.audited(USER)
    assert any(one["verb"] == "patch" for one in events)
    assert forbidden(events) == []
