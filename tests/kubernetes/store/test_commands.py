"""Annotations with commands, from kubectl to the answer in the status, with the whole service on a real API server."""

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from rollout.kube.orders import COMMAND
from rollout.kube.resources import ROLLOUTS, version_of
from rollout.ports import Key
from tests.kubernetes.stage import Stage
from tests.waiting import until

LONG: list[dict[str, object]] = [{"weight": 20, "hold": "24h"}, {"weight": 50, "hold": "24h"}]


async def begun(stage: Stage) -> None:
    """Begin an attempt that stays in its first step."""
    await stage.edit(revision="2")
    await stage.phase("Progressing", step=1)
    await stage.weighs(80, 20)


async def stand(stage: Stage) -> None:
    """Make what the Rollout needs, and the Rollout."""
    await stage.pair()
    await stage.route()
    await stage.rollout(steps=LONG)


async def answered(stage: Stage, count: int = 1) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """Return the status as soon as so many commands were answered, and the answers."""
    status = await stage.until(lambda told: len(told.get("handledCommands") or ()) >= count)
    return status, status["handledCommands"]


async def test_a_command_is_carried_out_once(stage: Stage) -> None:
    """Written again, by hand or after a restart, it is the same and does nothing."""
    await stand(stage)
    async with stage.controller():
        await stage.phase("Idle")
        await begun(stage)
        await stage.command("promote", id="p1")
        await stage.phase("Progressing", step=2)
        await stage.annotate("checkout", "team", "a")
        await stage.command("promote", id="p1")
        await stage.command("pause", id="p2")
        status = await stage.phase("Paused")
    async with stage.controller():
        await stage.command("promote", id="p1")
        await stage.command("resume", id="p3")
        again, handled = await answered(stage, 3)

    assert (status["step"], again["step"], again["phase"]) == (2, 2, "Progressing")
    assert [(one["id"], one["done"]) for one in handled] == [("p1", True), ("p2", True), ("p3", True)]


async def test_the_last_twenty_are_remembered(stage: Stage) -> None:
    """One that was handled nineteen commands ago is not done again."""
    await stand(stage)
    async with stage.controller() as runtime:
        await stage.phase("Idle")
        await begun(stage)
        for number in range(21):
            await stage.command("resume" if number % 2 else "pause", id=f"c{number}")
            await stage.until(partial(_is_answered, f"c{number}"))
        await stage.command("resume", id="c1")
        written = version_of(await stage.api.get(ROLLOUTS, stage.namespace, "checkout"))
        key = Key(stage.namespace, "checkout")
        await until(lambda: (shown := runtime.store.read(key)) is not None and int(shown.version) >= int(written))
        await stage.command("abort", id="end")
        status = await stage.until(partial(_is_answered, "end"))

    ids = [one["id"] for one in status["handledCommands"]]
    assert ids == [*(f"c{number}" for number in range(2, 21)), "end"]


def _is_answered(number: str, status: Mapping[str, Any]) -> bool:
    return any(one["id"] == number for one in status.get("handledCommands") or ())


def _minutes_ago(minutes: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60 * minutes))


@pytest.mark.parametrize(
    ("told", "reason", "why"),
    [
        ({"id": "x", "action": "pause", "at": _minutes_ago(6)}, "CommandExpired", "s old; at most 300 s are allowed"),
        ({"id": "x", "action": "explode"}, "UnknownCommand", "action: is not a command (given: explode)"),
        ({"id": "x", "action": "promote", "args": {"fast": True}}, "BadArgument", "promote takes full, not 'fast'"),
        ({"id": "x", "action": "promote", "args": {"full": "yes"}}, "BadArgument", "full of promote must be bool"),
        ({"id": "x", "action": "pause", "args": {"step": 1}}, "BadArgument", "pause takes no argument"),
        ({"id": "x", "action": "resume"}, "IllegalInPhase", "resume is legal in phase"),
        ("pause", "UnknownCommand", "it is no JSON"),
        ({"id": "x", "action": "pause", "reason": "x" * 5000}, "UnknownCommand", "it is too long"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_why(stage: Stage, told: object, reason: str, why: str) -> None:
    """In the status, where who wrote it looks; nothing else happens."""
    await stand(stage)
    async with stage.controller():
        await stage.phase("Idle")
        await begun(stage)
        await stage.annotate("checkout", COMMAND, told if isinstance(told, str) else json.dumps(told))
        status, handled = await answered(stage)

    (answer,) = handled
    assert (answer["done"], answer["reason"]) == (False, reason)
    assert why in answer["message"]
    assert len(answer["message"]) < 600
    assert (status["phase"], status["step"]) == ("Progressing", 1)


async def test_who_asked_is_told_in_the_message(stage: Stage) -> None:
    """The field manager of an annotation, which the annotation itself cannot choose."""
    await stand(stage)
    async with stage.controller():
        await stage.phase("Idle")
        await begun(stage)
        await stage.annotate("checkout", COMMAND, '{"action":"pause","reason":"lunch","by":"the boss"}')
        status = await stage.phase("Paused")

    assert status["message"].startswith("Paused by annotation, field manager kubectl-annotate (lunch)")
    assert "boss" not in json.dumps(status)


async def test_a_rollout_that_is_invalid_refuses_too(stage: Stage) -> None:
    """The answer comes also while nothing can be done."""
    await stand(stage)
    async with stage.controller():
        await stage.phase("Idle")
        await stage.edit(policy={"kind": "RolloutPolicy", "name": "missing"})
        await stage.phase("Invalid")
        await stage.command("pause", id="x")
        status, handled = await answered(stage)

    assert [(one["id"], one["done"]) for one in handled] == [("x", False)]
    assert status["phase"] == "Invalid"
