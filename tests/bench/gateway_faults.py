"""What befalls a primary behind Envoy Gateway, and what its clients notice: while it is so, and when it is over."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.gateway.answers import Answer, Answers
from tests.gateway.crew import BOTH
from tests.gateway.scene import Scene
from tests.waiting import until

RATE = 250
"""Requests a second of each kind, HTTP and gRPC at once."""

WATCHED_SECONDS = 6.0
LATE_SECONDS = 2.0
"""Who waits longer than this has left: the answer counts as failed."""

BACK_SECONDS = 60.0
_SETTLED = 0.9
"""The primary has this share of the last second again: its traffic is back."""


class Fault(StrEnum):
    """What befalls the primary."""

    KILLED = "killed, not ready"
    WRONG = "answers 500, ready"
    HANGS = "hangs, ready"
    EMPTIED = "scaled to nothing"


def befall(scene: Scene, fault: Fault) -> None:
    """Let it begin."""
    match fault:
        case Fault.KILLED:
            scene.kill("v1")
        case Fault.WRONG:
            scene.behave("v1", http_errors=1, grpc_errors=1, is_healthy=False)
        case Fault.HANGS:
            _signal(scene, signal.SIGSTOP)
        case Fault.EMPTIED:
            scene.scale_to_nothing("v1")


def mend(scene: Scene, fault: Fault) -> None:
    """Let it be over."""
    match fault:
        case Fault.WRONG:
            scene.behave("v1")
        case Fault.HANGS:
            _signal(scene, signal.SIGCONT)
        case Fault.KILLED | Fault.EMPTIED:
            scene.revive("v1")


def _signal(scene: Scene, number: signal.Signals) -> None:
    os.kill(scene.crew.places[scene.whole("v1")].pid, number)


@dataclass(frozen=True, slots=True)
class Seen:
    """What clients of one kind noticed.

    ``failed`` of ``sent`` while it was watched; ``until``: seconds from the fault to the last request that failed (0:
    none did); ``waited``: seconds to a failed answer in the median; ``back_failed``: failed from the return until the
    primary had its traffic again; ``back``: how many seconds that took. Failed is also what was answered too late.
    """

    sent: int
    failed: int
    until: float
    waited: float
    back_failed: int
    back: float


async def suffer(scene: Scene, fault: Fault, *, ending: float = 0.0) -> dict[str, Seen]:
    """Let it happen under load; return what clients of each kind noticed.

    ``ending``: for so many seconds at most it goes on until the backup alone answers.
    """
    with scene.clients(rate=RATE) as answers:
        await scene.flows(answers)
        await asyncio.sleep(1)
        answers.forget()
        begun = time.monotonic()
        befall(scene, fault)
        await asyncio.sleep(WATCHED_SECONDS)
        watched = time.monotonic()
        await asyncio.sleep(LATE_SECONDS)
        if ending:
            await answers.answered_by(scene.whole("dr"), seconds=ending)
        mended = time.monotonic()
        mend(scene, fault)
        await until(lambda: all(share_now(scene, answers, kind) >= _SETTLED for kind in BOTH), seconds=BACK_SECONDS)
        back = time.monotonic()
    return {kind: _seen(answers.all(kind=kind), (begun, watched, mended, back)) for kind in BOTH}


def share_now(scene: Scene, answers: Answers, kind: str, seconds: float = 1.0) -> float:
    """Return which part of what was sent in the last second the primary answered well."""
    now = time.monotonic()
    fresh = [one for one in answers.all(since=now - seconds, kind=kind) if one.sent < now - 0.1]
    good = [one for one in fresh if one.who == scene.whole("v1") and not one.wrong]
    return len(good) / max(len(fresh), RATE * seconds / 2)


def _seen(answers: Sequence[Answer], moments: tuple[float, float, float, float]) -> Seen:
    begun, watched, mended, back = moments
    inside = [one for one in answers if begun <= one.sent < watched]
    failed = [one for one in inside if _is_bad(one)]
    waits = sorted(one.at - one.sent for one in failed)
    return Seen(
        sent=len(inside),
        failed=len(failed),
        until=max((one.sent - begun for one in failed), default=0.0),
        waited=waits[len(waits) // 2] if waits else 0.0,
        back_failed=sum(_is_bad(one) for one in answers if mended <= one.sent < back),
        back=back - mended,
    )


def _is_bad(answer: Answer) -> bool:
    return bool(answer.wrong) or answer.at - answer.sent > LATE_SECONDS
