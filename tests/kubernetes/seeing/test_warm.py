"""Connections that stay open, seen by a proxy that counts them."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rollout.kube import warm
from rollout.kube.api import KubeApi
from rollout.kube.resources import SERVICES
from rollout.kube.warm import CONNECTIONS, Warmer
from tests.kubernetes.proxy import Mode, Proxy
from tests.waiting import until


@pytest.fixture
async def warmer(far: KubeApi) -> AsyncIterator[Warmer]:
    """Keep the connections of the door through the proxy."""
    made = Warmer(far, every_seconds=0.1)
    await made.start()
    yield made
    await made.aclose()


async def test_what_is_asked_at_once_finds_its_connections_open(far: KubeApi, proxy: Proxy) -> None:
    """As many as are kept: neither the first question nor any beside it has to connect."""
    warmer = Warmer(far, every_seconds=60.0)
    await warmer.start()
    await asyncio.gather(*(far.list_page(SERVICES, namespace="default") for _ in range(CONNECTIONS)))
    await warmer.aclose()

    assert proxy.connections == CONNECTIONS


async def test_no_more_are_made_as_time_goes_by(warmer: Warmer, proxy: Proxy) -> None:
    """They are the same ones, asked again and again."""
    await asyncio.sleep(0.5)  # that no more are made is what is looked for
    await warmer.aclose()

    assert proxy.connections == CONNECTIONS


async def test_dead_ones_are_replaced(
    warmer: Warmer, far: KubeApi, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that swallow everything are given up before anybody else has to wait for them."""
    monkeypatch.setattr(warm, "PATIENCE_SECONDS", 0.2)
    proxy.set(Mode.SWALLOW)
    await asyncio.sleep(0.5)  # a question of each is swallowed, and the next that they make
    proxy.set(Mode.PASS)
    await until(lambda: proxy.connections > CONNECTIONS)

    assert (await far.list_page(SERVICES, namespace="default"))["items"]
    assert warmer is not None
