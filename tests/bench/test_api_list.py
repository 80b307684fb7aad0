"""A page of the list out of ten thousand Rollouts: how long it takes over HTTP, with the controller beside it."""

import asyncio
import gc
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

from rollout.ports import Key
from rollout.sqlite.store import SqliteStore
from tests.api.world import World, manifest, world
from tests.waiting import until

ROLLOUTS = 10_000
TOGETHER = 250
ASKED = 300
MOST_MILLISECONDS = 50.0
PAGES: Mapping[str, str] = {
    "first page": "/api/v1/rollouts?limit=100",
    "one namespace": "/api/v1/rollouts?limit=100&namespace=team-42",
    "by phase": "/api/v1/rollouts?limit=100&phase=Progressing&phase=Aborted",
    "by label": "/api/v1/rollouts?limit=100&label=tier=gold",
}


def _key(number: int) -> Key:
    return Key(f"team-{number % 100}", f"web-{number}")


def _document(number: int) -> dict[str, object]:
    document = manifest(_key(number))
    metadata = {"name": _key(number).name, "namespace": _key(number).namespace}
    return {**document, "metadata": {**metadata, "labels": {"tier": "gold" if number % 10 == 0 else "silver"}}}


async def _filled(path: Path) -> SqliteStore:
    store = await SqliteStore.open(path, limit_seconds=60)
    for begin in range(0, ROLLOUTS, TOGETHER):
        await asyncio.gather(*(store.apply(_document(number)) for number in range(begin, begin + TOGETHER)))
    return store


async def _measured(api: World, path: str) -> list[float]:
    times = []
    for _ in range(ASKED):
        began = time.perf_counter()
        reply = await api.ask("GET", path)
        times.append((time.perf_counter() - began) * 1000)
        assert reply.status == 200
    return sorted(times)


async def test_a_page_comes_soon(tmp_path: Path) -> None:
    """Ninety-nine of a hundred pages come within 50 ms, whatever the filters."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    store = await _filled(tmp_path / "rollouts.db")
    slowest: dict[str, float] = {}
    try:
        async with world(store) as api:
            for number in range(ROLLOUTS):
                api.furnish(_key(number))
            await until(lambda: all(api.state(_key(number)).stable for number in range(ROLLOUTS)), seconds=300)
            gc.collect()
            gc.freeze()
            for name, path in PAGES.items():
                times = await _measured(api, path)
                slowest[name] = times[int(0.99 * ASKED)]
                print(f"\n{name}: p50 {times[ASKED // 2]:.1f} ms, p99 {slowest[name]:.1f} ms", end="")  # noqa: T201
    finally:
        gc.unfreeze()
        await store.close()

    assert max(slowest.values()) <= MOST_MILLISECONDS, slowest
