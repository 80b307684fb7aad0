"""What the service's own metrics cost: a pass that is counted, and a scrape of ten thousand Rollouts at work."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable

from prometheus_client.exposition import choose_encoder

from rollout.analysis.judge import CheckReport, Verdict
from rollout.controller.gauges import RolloutGauges
from rollout.engine.observation import BackendKey, RouteKey
from rollout.engine.state import OwnedRule, State, Transition
from rollout.engine.table import Phase
from rollout.meters import Meters, timed
from rollout.ports import Key

ROLLOUTS = 10_000
CALLS = 200_000
PASS_MICROSECONDS = 190.0
MOST_PART = 0.03
MOST_BLOCKED_SECONDS = 0.1
BEAT_SECONDS = 0.001


async def _nothing() -> None:
    return


async def _microseconds(call: Callable[[], Awaitable[None]]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        await call()
    return (time.process_time() - began) / CALLS * 1e6


async def test_a_pass_pays_little_for_being_counted() -> None:
    """Its lateness, its time and its end cost less than 3 % of a pass."""
    meters = Meters()

    async def counted() -> None:
        meters.began(0.0004)
        await timed(_nothing(), meters.passed)

    costs = [await _microseconds(counted) - await _microseconds(_nothing) for _ in range(3)]
    print(f"\na pass pays {min(costs):.1f} µs, {min(costs) / PASS_MICROSECONDS:.1%} of itself", end="")  # noqa: T201

    assert min(costs) <= MOST_PART * PASS_MICROSECONDS


def _report(name: str) -> CheckReport:
    counts = {"canary_bad": 3, "canary_total": 1000, "stable_bad": 30, "stable_total": 10_000}
    said = {"verdict": Verdict.CONTINUE, "reason": "WithinTolerance", "sentence": "All is well."}
    return CheckReport(name=name, kind="Errors", log_evidence=1.2, limit=4.0, dry_run=False, **said, **counts)  # type: ignore[arg-type]


def _at_work(number: int) -> tuple[Key, State]:
    stable, canary, route = f"web-{number}-v1", f"web-{number}-v2", RouteKey("EnvoyRoute", "shop", f"web-{number}")
    backends, weights = (BackendKey("shop", stable), BackendKey("shop", canary)), ((stable, 90), (canary, 10))
    state = State(
        phase=Phase.PROGRESSING,
        reason="TooFewRequests",
        attempt=2,
        step=1,
        share=10.0,
        stable=stable,
        canary=canary,
        owned=(OwnedRule(route, 0, "", 100, backends, alone=True),),
        ready=((stable, "Healthy"), (canary, "Healthy")),
        evidence=(_report("errors"), _report("latency")),
        transitions=(Transition(1, 1_800_000_000.0, Phase.PROGRESSING, 1, weights, "Started", "It began."),),
    )
    return Key("shop", f"web-{number}"), state


async def _beating(late: list[float], over: asyncio.Event) -> None:
    while not over.is_set():
        began = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        late.append(time.perf_counter() - began - BEAT_SECONDS)


async def test_a_scrape_lets_the_loop_go_on() -> None:
    """While ten thousand Rollouts at work are written out, nothing waits longer than 100 ms."""
    states = [_at_work(number) for number in range(ROLLOUTS)]
    meters, late, over = Meters(), list[float](), asyncio.Event()
    meters.registry.register(RolloutGauges(lambda: states))
    encode, _ = choose_encoder("text/plain")
    gc.collect()
    gc.freeze()
    beating, began = asyncio.create_task(_beating(late, over)), time.perf_counter()
    text = await asyncio.to_thread(encode, meters.registry)
    took = time.perf_counter() - began
    over.set()
    await beating
    gc.unfreeze()
    size, lines = len(text) / 1e6, text.count(b"\n")
    print(  # noqa: T201
        f"\n{lines} lines, {size:.0f} MB in {took:.1f} s; the loop was late by at most {max(late) * 1e3:.0f} ms", end=""
    )

    assert max(late) <= MOST_BLOCKED_SECONDS
