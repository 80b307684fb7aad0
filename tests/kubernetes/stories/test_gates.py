"""Gates, hooks and signed starts on a real API server: what the status tells of each, and what the API server keeps."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from tests.api.signing import OTHER, SECRET, body_of, headers_of
from tests.kubernetes.stage import Stage
from tests.kubernetes.stories.test_steps import DAY, begun, steps

HERE = "127.0.0.1:0"


@dataclass
class Gate:
    """A gate that answers by path: a status, or nothing at all; ``seen`` are the calls, by path."""

    port: int = 0
    answers: dict[str, int | None] = field(default_factory=dict)
    seen: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def gate(self, name: str, **fields: object) -> dict[str, object]:
        """Return a gate of a spec that asks here."""
        return {"url": self.url(name), "name": name, "timeout": "300ms", "retries": 0, **fields}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the test said."""
        name = request.path.strip("/")
        self.seen.append((name, {key.lower(): value for key, value in request.headers.items()}, await request.read()))
        status = self.answers.get(name, 204)
        if status is None:
            await asyncio.sleep(3600)
        return web.Response(status=status or 204, headers={"Location": "http://169.254.169.254/"})

    def ids(self, name: str) -> set[str]:
        """Return the ids of the calls at this path."""
        return {headers["webhook-id"] for path, headers, _ in self.seen if path == name}


@asynccontextmanager
async def _gate() -> AsyncIterator[Gate]:
    gate, app = Gate(), web.Application()
    app.router.add_post("/{path}", gate.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gate.port = runner.addresses[0][1]
    try:
        yield gate
    finally:
        await runner.cleanup()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    """Run a gate."""
    async with _gate() as made:
        yield made


def told(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what the status tells of the gate, nothing before it was asked."""
    return next((one for one in status.get("gates", ()) if one["name"] == name), {})


@pytest.mark.parametrize(
    ("answer", "said"),
    [(403, "answered 403"), (500, "answered 500"), (302, "answered 302, a redirect"), (None, "no answer within 0.3 s")],
)
async def test_a_gate_that_aborts_ends_the_attempt(stage: Stage, gate: Gate, answer: int | None, said: str) -> None:
    """The weights go back, and the status tells which gate and what it answered."""
    gate.answers["ci"] = answer
    async with stage.controller(gate_hosts=(f"127.0.0.1:{gate.port}",)):
        await begun(stage, steps=[{"weight": 20, "gates": [gate.gate("ci", onFailure="Abort")]}, *steps(50, hold=DAY)])
        status = await stage.phase("Aborted", reason="GateRefused")
        await stage.weighs(100, 0)

    assert "gate ci of step 1" in status["message"]
    assert said in status["message"]
    assert (told(status, "ci")["agrees"], said in told(status, "ci")["message"]) == (False, True)


async def test_addresses_that_may_not_be_called_are_told(stage: Stage) -> None:
    """A link-local address that nobody lists, and a listed name that leads to this machine."""
    link_local = {"url": "http://169.254.169.254/latest", "name": "metadata"}
    inside = {"url": "http://ip6-localhost:9/", "name": "inside"}
    async with stage.controller(gate_hosts=("ip6-localhost",)):
        await begun(stage, steps=[{"weight": 20, "gates": [link_local, inside]}])
        status = await stage.until(lambda found: told(found, "metadata") and told(found, "inside"))

    assert "is not on the operator's list" in told(status, "metadata")["message"]
    assert not told(status, "inside")["agrees"]


async def test_hooks_are_called_once_over_a_restart_and_told(stage: Stage, gate: Gate, tmp_path: Path) -> None:
    """Each step's hook once, the hook of the rollback once, all of them signed."""
    secret = tmp_path / "gates.secret"
    secret.write_text(f"{SECRET}\n")
    hooks = {"onStep": [gate.gate("load")], "onRollback": [gate.gate("pager")]}
    serving: dict[str, Any] = {"gate_hosts": (f"127.0.0.1:{gate.port}",), "gate_secret_file": secret}
    gate.answers["pager"] = 500
    async with stage.controller(**serving):
        await begun(stage, steps=steps(20, 50, hold=DAY), hooks=hooks)
        await stage.until(lambda found: told(found, "load"))
    async with stage.controller(**serving):
        await stage.command("promote")
        await stage.until(lambda found: told(found, "load").get("step") == 2)
        await stage.command("abort")
        status = await stage.until(lambda found: told(found, "pager"))

    calls = [name for name, _, _ in gate.seen]
    assert (calls.count("load"), calls.count("pager")) == (2, 1)
    assert (len(gate.ids("load")), told(status, "pager")["agrees"]) == (2, False)
    assert status["phase"] in {"Aborting", "Aborted"}
    for _, headers, body in gate.seen:
        assert Webhook(SECRET).verify(body, dict(headers))["namespace"] == stage.namespace


async def _call(url: str, body: bytes, **signing: Any) -> tuple[int, Any]:  # noqa: ANN401 - as ``headers_of`` takes it
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/api/v1/hooks/ci", data=body, headers=headers_of(body, **signing)) as reply,
    ):
        return reply.status, await reply.json(content_type=None)


async def test_a_signed_call_starts_an_attempt_once(stage: Stage, tmp_path: Path) -> None:
    """By any replica and over a restart; what is not signed, or not let in, does nothing."""
    (tmp_path / "ci.secret").write_text(f"{SECRET}\n")
    hooks = tmp_path / "hooks.yaml"
    hooks.write_text(
        f"hooks: [{{name: ci, secretFile: ci.secret, namespaces: [{stage.namespace}], rollouts: [check*]}}]"
    )
    body = body_of(namespace=stage.namespace, rollout="checkout", reason="pipeline 4711")
    elsewhere = body_of(namespace="bank", rollout="checkout")
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(20, hold=DAY), revision="1")
    async with stage.controller(hooks=hooks, listen=HERE) as runtime:
        await stage.phase("Idle")
        wrong = await _call(runtime.url, body, secret=OTHER)
        foreign = await _call(runtime.url, elsewhere)
        first = await _call(runtime.url, body)
        await stage.phase("Progressing", step=1)
    async with stage.controller(hooks=hooks, listen=HERE) as runtime:
        await stage.phase("Progressing", step=1)
        again = await _call(runtime.url, body)
        status = await stage.status()

    assert (wrong[0], foreign[0], first[0], again) == (401, 403, 200, first)
    assert (status["attempt"], status["revision"]) == (1, "2")
    assert "hook ci" in str(status["transitions"])
    assert [(done["id"].startswith("hook-ci-"), done["done"]) for done in status["handledCommands"]] == [(True, True)]
