"""Commands on a real API server: by annotation, by the API and by the command line; each is carried out once."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.bootstrap.running import Runtime
from rollout.cli.main import app
from rollout.kube.resources import EVENTS, LEASES, ROLLOUTS
from tests.kubernetes.cluster import ADMIN
from tests.kubernetes.stage import COMMAND, Stage, ref, rollout
from tests.kubernetes.stories.test_steps import DAY, begun, steps

HERE = "127.0.0.1:0"
Give = Callable[..., Coroutine[None, None, dict[str, Any]]]
"""Gives a command and returns what became of it, as the status has it."""

STEPS = [{"weight": 10, "approval": True}, *steps(20, 30, 40, hold=DAY)]
AT_REST: dict[str, tuple[dict[str, Any], str]] = {
    "pause": ({}, "IllegalInPhase"),
    "resume": ({}, "IllegalInPhase"),
    "promote": ({}, "IllegalInPhase"),
    "skip": ({}, "IllegalInPhase"),
    "approve": ({}, "IllegalInPhase"),
    "abort": ({}, "IllegalInPhase"),
    "retry": ({}, "IllegalInPhase"),
    "undo": ({}, "NothingToUndo"),
    "adopt": ({"stable": "checkout-v1"}, "IllegalInPhase"),
}
"""Commands to a Rollout that has never run an attempt, with their arguments -> why each is refused."""

LIFE: tuple[tuple[str, dict[str, Any], tuple[str, int]], ...] = (
    ("start", {"revision": "2"}, ("Progressing", 1)),
    ("approve", {"step": 1}, ("Progressing", 2)),
    ("skip", {}, ("Progressing", 3)),
    ("promote", {}, ("Progressing", 4)),
    ("pause", {}, ("Paused", 4)),
    ("resume", {}, ("Progressing", 4)),
    ("abort", {}, ("Aborted", 0)),
    ("retry", {}, ("Progressing", 1)),
    ("promote", {"full": True}, ("Idle", 0)),
    ("undo", {}, ("Idle", 0)),
)
"""Commands in the life of a Rollout, with the phase and the step that each leads to."""


@pytest.fixture(params=["kubectl", "rollout"])
def by(request: pytest.FixtureRequest) -> str:
    """Return which program gives the commands."""
    program: str = request.param
    return program


def giving(stage: Stage, program: str, url: str) -> Give:
    """Return what gives a command to the Rollout ``checkout`` by this program."""

    async def by_annotation(action: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as a command has them
        return await _answered(stage, await stage.command(action, **arguments))

    async def by_command_line(action: str, **arguments: object) -> dict[str, Any]:
        flags = [f"--{name}" if value is True else f"--{name}={value}" for name, value in arguments.items()]
        before = {done["id"] for done in (await stage.status())["handledCommands"]}
        result = await command_line(stage, url, action, "checkout", *flags)
        new = [done for done in (await stage.status())["handledCommands"] if done["id"] not in before]
        assert result.exit_code == (0 if new[0]["done"] else 2), result.output
        assert new[0]["message"] in (result.stdout if new[0]["done"] else result.stderr)
        return dict(new[0])

    return by_annotation if program == "kubectl" else by_command_line


async def command_line(stage: Stage, url: str, *arguments: str) -> Result:
    """Run ``rollout`` as an administrator of the cluster."""
    told = {"ROLLOUT_TOKEN": ADMIN, "ROLLOUT_NAMESPACE": stage.namespace, "ROLLOUT_CONFIG": "/nowhere/rollout.toml"}
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*arguments, "--server", url], env=told))


async def _answered(stage: Stage, command: str) -> dict[str, Any]:
    """Return what became of a command, once that is in the status."""

    def handled(status: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a status
        return [done for done in status.get("handledCommands") or () if done["id"] == command]

    return handled(await stage.until(handled))[0]


async def test_each_command_is_carried_out_where_it_is_legal(stage: Stage, by: str) -> None:
    """From the start to an undo, by kubectl and by the command line."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=STEPS)
    async with stage.controller(listen=HERE) as runtime:
        await stage.phase("Idle")
        give = giving(stage, by, runtime.url)
        for action, arguments, (phase, step) in LIFE:
            answer = await give(action, **arguments)
            assert (action, answer["done"]) == (action, True), answer
            await stage.phase(phase, step=step)
        status = await stage.until(lambda found: found["reason"] == "Undone")

    assert (status["reason"], status["stable"]) == ("Undone", "checkout-v1")


async def test_roles_are_told_where_the_weights_do_not(stage: Stage, by: str) -> None:
    """``adopt`` ends the pause of mixed weights, and only then is anything written."""
    await stage.pair()
    await stage.route(rules=[{"backendRefs": [ref("checkout-v1", 70), ref("checkout-v2", 30)]}])
    await stage.rollout()
    async with stage.controller(listen=HERE) as runtime, stage.recorded() as seen:
        await stage.phase("Paused", reason="RolesUnknown")
        give = giving(stage, by, runtime.url)
        answer = await give("adopt", stable="checkout-v2")
        await stage.weighs(0, 100)

    assert answer["done"]
    assert seen == [(70, 30), (0, 100)]


async def test_each_command_is_refused_where_it_is_not_legal(stage: Stage, by: str) -> None:
    """With the reason in the status, as an event, and in the exit code 2; nothing moves."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=STEPS)
    async with stage.controller(listen=HERE) as runtime, stage.recorded() as seen:
        await stage.phase("Idle")
        give = giving(stage, by, runtime.url)
        found = {action: await give(action, **arguments) for action, (arguments, _) in AT_REST.items()}
        events = await _events(stage, len(AT_REST))
        status = await stage.status()

    assert {action: (told["done"], told["reason"]) for action, told in found.items()} == {
        action: (False, reason) for action, (_, reason) in AT_REST.items()
    }
    assert events == {(action, reason) for action, (_, reason) in AT_REST.items()}
    assert (status["phase"], status["attempt"], seen) == ("Idle", 0, [(100, 0)])


async def _events(stage: Stage, count: int) -> set[tuple[str, str]]:
    """Return action and reason of the warnings in this namespace, once there are so many."""
    found: set[tuple[str, str]] = set()
    async with asyncio.timeout(15):
        while len(found) < count:
            listed = await stage.api.list_page(EVENTS, namespace=stage.namespace)
            warnings = [event for event in listed["items"] if event["type"] == "Warning"]
            found = {(event["action"], event["reason"]) for event in warnings}
            await asyncio.sleep(0.05)
    return found


async def test_the_revision_at_work_is_not_started_again(stage: Stage, by: str) -> None:
    """``start`` in the middle of its own attempt is refused, and the attempt goes on."""
    async with stage.controller(listen=HERE) as runtime:
        await begun(stage, steps=steps(20, hold=DAY))
        await stage.phase("Progressing", step=1)
        answer = await giving(stage, by, runtime.url)("start", revision="2")
        status = await stage.status()

    assert (answer["done"], answer["reason"]) == (False, "RevisionAlreadyAtWork")
    assert (status["phase"], status["attempt"]) == ("Progressing", 1)


@pytest.mark.parametrize("action", ["failover", "failback", "unlatch", "hold", "drill"])
async def test_commands_of_failover_are_refused_by_name(stage: Stage, action: str) -> None:
    """They say that the Rollout has no failover."""
    await stage.pair()
    await stage.route()
    await stage.rollout()
    async with stage.controller():
        await stage.phase("Idle")
        answer = await giving(stage, "kubectl", "")(action)

    assert (answer["done"], answer["reason"]) == (False, "NoFailover")


# ---------------------------------------------------------------- an old manifest


def applied(stage: Stage, folder: Path, command: dict[str, Any], *, start: str) -> Callable[[], Any]:
    """Return what applies a manifest with a command, always the same one."""
    document = rollout(steps=steps(20, hold=DAY), start=start)
    document["metadata"]["annotations"] = {COMMAND: json.dumps(command)}
    path = folder / "checkout.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return lambda: stage.cluster.kubectl("apply", "-n", stage.namespace, "-f", str(path))


@pytest.mark.parametrize("with_id", [True, False], ids=["with an id", "without one"])
async def test_a_manifest_applied_again_replays_no_command(stage: Stage, tmp_path: Path, *, with_id: bool) -> None:
    """It starts an attempt, a person aborts it, and the same manifest again starts no other."""
    command = {"action": "start", "args": {"revision": "2"}, "at": _ago(0), **({"id": "go"} if with_id else {})}
    apply = applied(stage, tmp_path, command, start="Manual")
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=steps(20, hold=DAY), start="Manual")
    async with stage.controller(), stage.recorded() as seen:
        await stage.phase("Idle")
        await apply()
        await stage.phase("Progressing", step=1)
        await stage.weighs(80, 20)
        await apply()
        await stage.command("abort")
        await stage.phase("Aborted")
        await stage.weighs(100, 0)
        await apply()
        last = await _answered(stage, await stage.command("pause"))
        status = await stage.status()

    assert (status["phase"], status["attempt"]) == ("Aborted", 1)
    assert [done["action"] for done in status["handledCommands"]] == ["start", "abort", "pause"]
    assert (last["reason"], seen) == ("IllegalInPhase", [(100, 0), (80, 20), (100, 0)])


async def test_a_manifest_with_an_old_command_is_refused(stage: Stage, tmp_path: Path) -> None:
    """One that was written more than five minutes ago starts nothing, whoever applies it now."""
    command = {"id": "old", "action": "start", "args": {"revision": "2"}, "at": _ago(301)}
    await stage.pair()
    await stage.route()
    async with stage.controller():
        await applied(stage, tmp_path, command, start="OnRevision")()
        answer = await _answered(stage, "old")
        status = await stage.status()

    assert (answer["done"], answer["reason"]) == (False, "CommandExpired")
    assert (status["phase"], status["attempt"]) == ("Idle", 0)


async def test_a_manifest_whose_command_has_no_time_is_refused(stage: Stage, tmp_path: Path) -> None:
    """Nobody could tell an old one from a new one when it is applied again."""
    await stage.pair()
    await stage.route()
    async with stage.controller():
        await applied(stage, tmp_path, {"action": "start", "args": {"revision": "2"}}, start="Manual")()
        status = await stage.until(lambda found: found["handledCommands"])

    answer = status["handledCommands"][0]
    assert (answer["done"], answer["reason"], status["attempt"]) == (False, "UnknownCommand", 0)
    assert "at: is needed in what is applied" in answer["message"]


def _ago(seconds: float) -> str:
    """Return when that was."""
    return datetime.fromtimestamp(time.time() - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- two at once


def _lease(stage: Stage) -> str:
    return f"rollout-controller.{stage.namespace}.0"


@asynccontextmanager
async def nobody_acts(stage: Stage) -> AsyncIterator[Runtime]:
    """Run the service while another replica has the Lease and does nothing."""
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 300}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    stage.change(LEASES, _lease(stage), {"spec": {**spec, "acquireTime": now, "renewTime": now}})
    async with stage.controller(listen=HERE, lease_seconds=3.0) as runtime:
        yield runtime


async def post(stage: Stage, url: str, action: str, **fields: object) -> tuple[int, dict[str, Any]]:
    """Give a command by the API without waiting for it; return the status of the answer, and the answer."""
    path = f"/rollouts/{stage.namespace}/checkout/commands?wait=0"
    return await _asked(f"{url}/api/v1{path}", "POST", {"action": action, **fields})


async def _asked(url: str, method: str, body: object) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.request(method, url, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def _waits(stage: Stage) -> None:
    """Bring an attempt into step 1, and end the controller."""
    async with stage.controller():
        await begun(stage, steps=steps(20, hold=DAY))
        await stage.weighs(80, 20)


@pytest.mark.parametrize("first_by", ["kubectl", "api"])
async def test_while_a_command_waits_another_one_is_refused(stage: Stage, first_by: str) -> None:
    """409 by the API, which says what waits; what waits stays."""
    await _waits(stage)
    async with nobody_acts(stage) as runtime:
        if first_by == "api":
            first = await post(stage, runtime.url, "pause", id="one")
        else:
            first = 202, {"id": await stage.command("pause", id="one")}
            await _shown(stage, runtime.url)
        status, answer = await post(stage, runtime.url, "promote", id="two")
        annotation = await _annotation(stage)

    assert first[0] == 202
    assert (status, answer["reason"]) == (409, "AnotherCommandWaits")
    assert "pause (one) waits" in answer["detail"]
    assert (annotation["id"], annotation["action"]) == ("one", "pause")


async def test_a_manifest_put_while_a_command_waits_starts_nothing(stage: Stage) -> None:
    """The manifest is applied, and its start is refused with what waits."""
    await _waits(stage)
    async with nobody_acts(stage) as runtime:
        await post(stage, runtime.url, "pause", id="one")
        url = f"{runtime.url}/api/v1/rollouts/{stage.namespace}/checkout?start=3"
        document = rollout(steps=steps(20, hold=DAY), revision="2")
        document["metadata"]["namespace"] = stage.namespace
        status, answer = await _asked(url, "PUT", document)

    assert (status, answer["command"]["state"]) == (200, "refused")
    assert "pause (one) waits" in answer["command"]["message"]


async def _shown(stage: Stage, url: str) -> None:
    """Return as soon as the API knows of the command that waits."""
    async with asyncio.timeout(15):
        while (await _asked(f"{url}/api/v1/rollouts/{stage.namespace}/checkout/commands/one", "GET", None))[0] != 200:
            await asyncio.sleep(0.05)


async def _annotation(stage: Stage) -> dict[str, Any]:
    found = await stage.api.get(ROLLOUTS, stage.namespace, "checkout")
    told: dict[str, Any] = json.loads(found["metadata"]["annotations"][COMMAND])
    return told


async def test_abort_takes_the_place_of_a_command_that_waits(stage: Stage) -> None:
    """Whoever acts next carries out the abort, and never the other one."""
    await _waits(stage)
    async with stage.recorded() as seen, nobody_acts(stage) as runtime:
        await post(stage, runtime.url, "promote", id="one")
        replaced = await post(stage, runtime.url, "abort", id="two")
        stage.change(LEASES, _lease(stage), {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
        await stage.phase("Aborted")
        await stage.weighs(100, 0)
        status = await stage.status()
        gone, _ = await _asked(f"{runtime.url}/api/v1/rollouts/{stage.namespace}/checkout/commands/one", "GET", None)

    assert (replaced[0], gone) == (202, 404)
    assert [done["id"] for done in status["handledCommands"]] == ["two"]
    assert seen == [(80, 20), (100, 0)]


async def test_of_two_annotations_the_later_one_counts(stage: Stage) -> None:
    """Nobody is asked there: what was written last is what waits."""
    await _waits(stage)
    async with nobody_acts(stage):
        await stage.command("promote", id="one")
        await stage.command("pause", id="two")
        stage.change(LEASES, _lease(stage), {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
        await stage.phase("Paused", step=1)
        status = await stage.status()

    assert [done["id"] for done in status["handledCommands"]] == ["two"]
