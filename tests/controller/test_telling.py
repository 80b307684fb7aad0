"""What the log says of a Rollout: each decision once with its reason, however many passes come to the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from structlog.testing import capture_logs
from structlog.typing import EventDict

from rollout.analysis.reasons import Reason as Verdict
from rollout.engine.reasons import Reason, Refusal
from tests.controller.builders import ERRORS_ONLY, beside, counting, standing, under_way, virtually


def told(lines: Sequence[EventDict]) -> Counter[str]:
    """Return how often each reason was told."""
    return Counter(str(line["reason"]) for line in lines if line["log_level"] == "info" and "reason" in line)


@virtually
async def test_a_hold_is_told_once() -> None:
    """An hour in which an attempt waits for requests has one line for each reason, and as many sentences."""
    scene = await under_way(analysis={**ERRORS_ONLY, "minRequests": 1000})
    with capture_logs() as lines:
        await asyncio.sleep(3600)
        passes = scene.controller.counts.passes
    counts = told(lines)
    await scene.stop()

    assert passes > 100
    assert scene.state.reason in counts
    assert max(counts.values()) == 1


@virtually
async def test_a_refused_command_is_told_once() -> None:
    """Its line has the reason, the command and the id."""
    scene = await standing()
    with capture_logs() as lines:
        await scene.tell("abort", id="a-1")
        await asyncio.sleep(600)
    refused = [line for line in lines if line.get("id") == "a-1"]
    await scene.stop()

    assert [(line["reason"], line["command"], line["done"]) for line in refused] == [(Refusal.ILLEGAL, "abort", False)]


@virtually
async def test_another_reason_to_stay_is_told() -> None:
    """An attempt that first waits for requests and then for an approval says both, each with its step."""
    scene = await under_way(
        steps=[{"weight": 10, "hold": "5m", "approval": True}], analysis={**ERRORS_ONLY, "minRequests": 50}
    )
    work = counting(scene, stable=9, canary=1)
    with capture_logs() as lines:
        await beside(work, scene, lambda: scene.state.reason == Reason.WAITING_FOR_APPROVAL, within=3600)
    await scene.stop()

    assert [(line["reason"], line["step"]) for line in lines if "step" in line] == [
        (Verdict.TOO_FEW_REQUESTS, 1),
        (Reason.WAITING_FOR_APPROVAL, 1),
    ]
