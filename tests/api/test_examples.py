"""The examples of the description: what the real application answers in one scenario, in virtual time.

They stand in ``rollout/api/examples.json``. ``ROLLOUT_REWRITE=1`` writes that file again.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import rollout.api
from rollout.api.app import create_app
from rollout.api.service import Service
from rollout.controller.catalog import Abilities
from rollout.controller.switch import OperatorSwitch
from rollout.engine.observation import BackendKey, Endpoints, RouteKey
from rollout.errors import PermanentError, Unavailable
from rollout.meters import Meters
from rollout.rehearsal.virtual_loop import VirtualClock, run
from rollout.signals import SinkStanding
from rollout.spec.resource import RouteKind
from tests.api.inward import Inward
from tests.api.signing import OTHER, SECRET, headers_of, start_hook
from tests.api.world import NOBODY, OPERATOR, VIEWER, WEB, known_callers, manifest, options, world
from tests.controller.builders import NOW, Scene
from tests.fakes.sinks import FakeDesk
from tests.fakes.store import FakeStore
from tests.fakes.switch import FakeSwitch

FILE = Path(rollout.api.__file__).parent / "examples.json"
HERE = "/api/v1/rollouts/shop/web"
JSON = {"Content-Type": "application/json"}
MANIFEST = manifest(
    steps=[{"weight": 10, "hold": "5m"}, {"weight": 50, "hold": "10m", "approval": True}],
    analysis={"checks": [{"name": "errors", "kind": "Errors"}]},
    backends={"stable": {"name": "web-v1"}, "canary": {"name": "web-v2"}, "backups": [{"name": "web-dr"}]},
    failover={"signals": {"endpoints": {}}},
)
POLICY = {
    "apiVersion": "rollout.dev/v1alpha1",
    "kind": "RolloutPolicy",
    "metadata": {"name": "careful", "namespace": "shop"},
    "spec": {"steps": [{"weight": 5, "hold": "10m"}, {"weight": 50, "hold": "30m"}]},
}
FOR_ALL = {**POLICY, "kind": "ClusterRolloutPolicy", "metadata": {"name": "careful"}}
SINKS = (
    SinkStanding("team-shop", "Slack", delivered=118, delivered_at=NOW - 40),
    SinkStanding(
        "ci",
        "CloudEvents",
        delivered=90,
        failed=5,
        pending=1,
        lag_seconds=31.5,
        delivered_at=NOW - 300,
        problem="nobody answers within 5 s",
        problem_at=NOW - 2,
        closed_until=NOW + 86_400,
    ),
)


@dataclass
class Script:
    """Asks one thing after the other, and keeps what was asked and answered as examples."""

    client: Inward
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def ask(
        self, operation: str, call: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Ask, and keep the first answer of each status; a body is kept that was taken."""
        method, target = call.split(" ")
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = await self.client.ask(method, target, sent, {**(JSON if sent else {}), **(headers or {})})
        example = self.kept.setdefault(operation, {"answers": {}})
        if body is not None and reply.status < 400:
            example.setdefault("body", body)
        example["answers"].setdefault(str(reply.status), reply.json)


async def _scenario() -> Script:
    loop = asyncio.get_running_loop()
    clock = VirtualClock(loop, began_at=NOW)
    scene = Scene(clock=clock, store=FakeStore(clock))
    scene.options = type(scene.options)(
        cadence_seconds=10.0, chance=lambda: 0.5, abilities=Abilities(frozenset({RouteKind.ENVOY_ROUTE}))
    )
    scene.routes.put(RouteKey("EnvoyRoute", "shop", "web"), {"web-v1": 100, "web-v2": 0, "web-dr": 0})
    for name in ("web-v1", "web-v2", "web-dr"):
        scene.health.put(BackendKey("shop", name), Endpoints(ready=3, total=3))
    await scene.start()
    store, desk = scene.store, FakeDesk(*SINKS)
    service = Service(
        store,
        store,
        store,
        scene.controller,
        known_callers(),
        clock,
        Meters(),
        "envoy",
        lambda: "",
        OperatorSwitch(FakeSwitch(), clock),
        desk,
    )
    app = create_app(service, options())
    script = Script(Inward(app, {"Authorization": f"Bearer {OPERATOR}", "X-Request-ID": "example"}))
    await _of_rollouts(script, scene)
    await _of_policies(script)
    await _of_the_switch(script)
    await _of_sinks(script, desk)
    await _of_the_service(script)
    await scene.stop()
    start = {"action": "start", "revision": "3", "id": "start-3"}
    await script.ask("leaveCommand", f"POST {HERE}/commands?wait=0", start)
    return script


async def _of_rollouts(script: Script, scene: Scene) -> None:
    ask = script.ask
    await ask("applyRollout", f"PUT {HERE}", MANIFEST)
    await ask("applyRollout", f"PUT {HERE}", {**MANIFEST, "spec": {**_spec(), "precision": 0}})
    await ask("applyRollout", f"PUT {HERE}", MANIFEST, headers={"If-None-Match": "*"})
    await ask("applyRollout", f"PUT {HERE}", b"{")
    await ask("applyRollout", f"PUT {HERE}", b"x", headers={"Content-Type": "text/plain"})
    await asyncio.sleep(5)
    await ask("applyRollout", f"PUT {HERE}?start=2&commandId=start-2&reason=release", MANIFEST)
    await asyncio.sleep(5)
    await ask("listRollouts", "GET /api/v1/rollouts")
    await ask("listRollouts", "GET /api/v1/rollouts?limit=0")
    await ask("listRollouts", "GET /api/v1/rollouts", headers={"Authorization": "Bearer unknown"})
    await ask("listRollouts", "GET /api/v1/rollouts", headers={"Authorization": f"Bearer {NOBODY}"})
    await ask("getRollout", f"GET {HERE}")
    await ask("getRollout", "GET /api/v1/rollouts/shop/nothing")
    await ask("getLive", f"GET {HERE}/live")
    pause = {"action": "pause", "id": "pause-1", "reason": "lunch"}
    await ask("leaveCommand", f"POST {HERE}/commands", pause)
    await ask("leaveCommand", f"POST {HERE}/commands", {"action": "pause", "id": "pause-2"})
    await ask("leaveCommand", f"POST {HERE}/commands", {"action": "stop"})
    await ask("findCommand", f"GET {HERE}/commands/pause-1")
    await ask("findCommand", f"GET {HERE}/commands/nothing")
    await asyncio.sleep(5)
    await ask("getHistory", f"GET {HERE}/history?limit=3")
    await ask("deleteRollout", f"DELETE {HERE}", headers={"If-Match": '"0"'})
    await ask("deleteRollout", f"DELETE {HERE}")
    await scene.until(lambda: scene.store.read(WEB) is None)
    await ask("deleteRollout", f"DELETE {HERE}")
    await scene.store.apply(MANIFEST, "/etc/rollout/web.yaml")
    await ask("applyRollout", f"PUT {HERE}", MANIFEST)


async def _of_hooks() -> Script:
    """Call a hook in the machine's time: a secret is read beside the loop."""
    with TemporaryDirectory() as folder:
        async with world(hooks=(start_hook(Path(folder)),)) as api:
            await api.standing()
            client = Inward(create_app(api.service, options()), {"X-Request-ID": "example"})
            script = Script(client)
            await _call(script, id="pipeline-4711")
            await _call(script, id="pipeline-4711", secret=OTHER)
            await _call(script, id="pipeline-4712")
            await _call(script, id="pipeline-4713", namespace="bank")
        async with world(hooks=(start_hook(Path(folder)),), controlling=False) as api:
            await api.apply()
            script.client = Inward(create_app(api.service, options()), client.headers)
            await _call(script, id="pipeline-4711", wait="?wait=0")
    return script


async def _call(
    script: Script,
    *,
    id: str,  # noqa: A002 - as a call has it
    secret: str = SECRET,
    namespace: str = "shop",
    wait: str = "",
) -> None:
    start = {"namespace": namespace, "rollout": "web", "revision": "2", "reason": "release"}
    headers = headers_of(json.dumps(start).encode(), id=id, secret=secret)
    await script.ask("startByHook", f"POST /api/v1/hooks/ci{wait}", start, headers=headers)


def _kept() -> dict[str, dict[str, Any]]:
    return {**run(_scenario()).kept, **asyncio.run(_of_hooks()).kept}


def _spec() -> dict[str, Any]:
    spec = MANIFEST["spec"]
    assert isinstance(spec, dict)
    return spec


async def _of_policies(script: Script) -> None:
    for kind, path, body in (
        ("Policy", "/api/v1/policies/shop/careful", POLICY),
        ("ClusterPolicy", "/api/v1/cluster-policies/careful", FOR_ALL),
    ):
        await script.ask(f"apply{kind}", f"PUT {path}", body)
        await script.ask(f"apply{kind}", f"PUT {path}", body)
        await script.ask(f"apply{kind}", f"PUT {path}", {**body, "spec": {"steps": [{"weight": 300}]}})
        await script.ask(f"get{kind}", f"GET {path}")
        await script.ask("listPolicies", "GET /api/v1/policies")
        await script.ask(f"delete{kind}", f"DELETE {path}")
        await script.ask(f"get{kind}", f"GET {path}")


async def _of_the_switch(script: Script) -> None:
    path, stop = "/api/v1/failover", {"stopped": True, "reason": "maintenance of the mesh"}
    await script.ask("turnSwitch", f"PUT {path}", stop)
    await script.ask("turnSwitch", f"PUT {path}", {"stopped": "yes"})
    await script.ask("turnSwitch", f"PUT {path}", stop, headers={"Authorization": f"Bearer {VIEWER}"})
    await script.ask("getSwitch", f"GET {path}")


async def _of_sinks(script: Script, desk: FakeDesk) -> None:
    path = "/api/v1/sinks"
    await script.ask("listSinks", f"GET {path}")
    await script.ask("testSink", f"POST {path}/team-shop/test")
    await script.ask("testSink", f"POST {path}/nothing/test")
    desk.failure = PermanentError("sink team-shop: Slack answers 404 no_service: the webhook is not known there")
    await script.ask("testSink", f"POST {path}/team-shop/test")
    desk.failure = Unavailable("sink team-shop: nobody answers within 5 s")
    await script.ask("testSink", f"POST {path}/team-shop/test")


async def _of_the_service(script: Script) -> None:
    await script.ask("getVersion", "GET /api/v1/version")
    await script.ask("whoAmI", "GET /api/v1/whoami")
    await script.ask("getHealth", "GET /healthz")
    await script.ask("getReadiness", "GET /readyz")


def test_the_examples_are_what_the_application_answers() -> None:
    """What stands in the description is what is really answered, to the last field."""
    answered = _kept()
    if os.environ.get("ROLLOUT_REWRITE"):
        FILE.write_text(f"{json.dumps(answered, indent=2, ensure_ascii=False)}\n", encoding="utf-8")

    assert json.loads(FILE.read_text(encoding="utf-8")) == answered


def test_no_example_shows_a_failure() -> None:
    """No answer of the scenario is an error of the server itself."""
    statuses = {status for example in _kept().values() for status in example["answers"]}

    assert "500" not in statuses
    assert max(statuses) <= "503"
