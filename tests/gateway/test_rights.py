"""Facts about the rights of the controller, which works here as its own service account."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.kube.api import KubeApi
from tests.gateway.attempts import attempt, promoted
from tests.gateway.controller import Controller
from tests.gateway.crew import Crew
from tests.gateway.objects import SEPARATE
from tests.gateway.scene import Scene
from tests.gateway.working_day import AttachedScene, WorkingDay
from tests.kubernetes.access.day import ACCOUNT, SYSTEM, USER
from tests.kubernetes.access.rules import forbidden, granted, made


@pytest.mark.timeout(240)
async def test_its_rights_are_what_it_needs_and_no_more(
    scene: Scene, crew: Crew, controller: Controller, *, api: KubeApi, tmp_path: Path
) -> None:
    """Nothing of an attempt with clients, and of a day of everything, is forbidden; each verb is used."""
    rules = granted(scene.cluster, SYSTEM, ACCOUNT)
    async with attempt(scene):
        await promoted(scene)
    day = f"{scene.namespace}-day"
    scene.cluster.make_namespace(day)
    await WorkingDay(AttachedScene(crew, api, day, SEPARATE), controller, tmp_path).all()
    events = scene.cluster.audited(USER)
    used = made(events, rules)

    assert forbidden(events) == []
    assert sorted(map(str, used - rules)) == []
    assert sorted(map(str, rules - used)) == []
    assert len(rules) > 30
