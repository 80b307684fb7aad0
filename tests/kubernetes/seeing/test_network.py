"""A reflector behind a network with faults, and an API server that is killed, replaced or put back in time."""

import asyncio
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from rollout.kube.api import ApiOptions, KubeApi
from rollout.kube.reflector import ReflectorOptions
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.proxy import Mode, Proxy
from tests.kubernetes.seeing.conftest import HASTY
from tests.kubernetes.seeing.shelf import CONFIG_MAPS, QUICK, Shelf, words
from tests.waiting import until

TIMEOUT_SECONDS = 180
BOTH = 2
"""The connection of a list, which is kept for the next question, and that of a watch."""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Shelf]:
    """Run an API server for this test alone."""
    running = Cluster.begin(tmp_path / "cluster")
    try:
        yield Shelf(running, "default")
    finally:
        running.end()


def sockets_to(proxy: Proxy) -> int:
    """Return how many sockets of this process are connected to the door."""
    port = int(proxy.url.rpartition(":")[2])
    found = psutil.Process().net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.port == port and one.fd != -1 for one in found)


async def test_a_connection_that_died_without_a_word_is_found(far: KubeApi, proxy: Proxy, shelf: Shelf) -> None:
    """Everything is swallowed, nothing is closed: the watch is given up 2 s after its time, and the next is another."""
    reflector = shelf.watched(far, replace(QUICK, renew_seconds=1.0))
    await reflector.start()
    proxy.set(Mode.SWALLOW)
    shelf.lay("a", "meanwhile")
    began = time.monotonic()

    await until(lambda: reflector.problem, seconds=6.0)
    found = time.monotonic() - began
    proxy.set(Mode.PASS)

    assert found < 1.0 + 2.0 + 1.0
    await until(lambda: words(reflector).get("a") == "meanwhile", seconds=6.0)
    await until(lambda: not reflector.problem)
    await reflector.aclose()


async def test_a_watch_that_ends_in_a_dead_network_holds_no_socket(far: KubeApi, proxy: Proxy, shelf: Shelf) -> None:
    """Nobody answers the goodbye of TLS: it is not waited for."""
    reflector = shelf.watched(far)
    await reflector.start()
    shelf.lay("a", "one")
    await until(lambda: words(reflector).get("a") == "one" and sockets_to(proxy) == BOTH)
    proxy.set(Mode.SWALLOW)

    await reflector.aclose()
    await until(lambda: sockets_to(proxy) < BOTH)
    await far.aclose()

    await until(lambda: sockets_to(proxy) == 0)


def test_with_the_settings_of_endpoints_it_is_found_within_20_s() -> None:
    """A watch of 15 s, 2 s of patience, the longest first gap, and the look before the next watch."""
    watching, api = ReflectorOptions(renew_seconds=15.0), ApiOptions()
    given_up = watching.renew_seconds + 2.0
    first_gap = watching.first_gap_seconds * 2.0

    assert given_up + first_gap + watching.look_seconds < 20.0
    assert given_up + first_gap + watching.look_seconds + api.open_seconds < watching.fresh_seconds


async def test_old_connections_that_died_hold_up_one_question_only(
    proxy: Proxy, cluster: Cluster, shelf: Shelf
) -> None:
    """Ten kept connections are dead: the second try has a connection of its own."""
    door = KubeApi(cluster.configuration(url=proxy.url), random.random, replace(HASTY, timeout_seconds=0.5))
    shelf.lay("a", "one")
    await asyncio.gather(*(door.get(CONFIG_MAPS, shelf.namespace, "a") for _ in range(10)))
    proxy.set(Mode.SWALLOW)
    proxy.set(Mode.PASS)
    began = time.monotonic()

    found = await door.get(CONFIG_MAPS, shelf.namespace, "a")

    assert found["data"] == {"word": "one"}
    assert time.monotonic() - began < 1.5
    await door.aclose()


async def test_a_cut_connection_is_replaced_and_nothing_is_lost(far: KubeApi, proxy: Proxy, shelf: Shelf) -> None:
    """Cut again and again in the middle of changes: every last word is seen."""
    reflector = shelf.watched(far)
    await reflector.start()

    for number in range(5):
        shelf.lay("a", str(number))
        proxy.cut()
        shelf.lay("b", str(number))
        await until(lambda number=number: words(reflector).items() >= {"a": str(number), "b": str(number)}.items())  # type: ignore[misc]

    await reflector.aclose()


async def test_a_refused_connection_is_tried_less_and_less(far: KubeApi, proxy: Proxy, shelf: Shelf) -> None:
    """Nobody listens for two seconds: a few tries, then all is there again."""
    reflector = shelf.watched(far, ReflectorOptions(renew_seconds=5.0))
    await reflector.start()
    proxy.set(Mode.REFUSE)
    proxy.cut()
    began = proxy.connections
    await asyncio.sleep(2.0)  # what is counted is how little happens in this time
    tried = proxy.connections - began

    proxy.set(Mode.PASS)
    shelf.lay("a", "one")

    assert 2 <= tried <= 15
    await until(lambda: words(reflector).get("a") == "one", seconds=8.0)
    await reflector.aclose()


async def test_a_slow_network_only_delays(far: KubeApi, proxy: Proxy, shelf: Shelf) -> None:
    """A tenth of a second for every piece."""
    proxy.delay_seconds = 0.1
    reflector = shelf.watched(far)
    await reflector.start()

    shelf.lay("a", "one")

    await until(lambda: words(reflector).get("a") == "one")
    assert reflector.problem == ""
    await reflector.aclose()


@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_a_killed_api_server_is_found_again(private: Shelf) -> None:
    """Objects that were changed, made and deleted while nothing was seen are right soon after it is back."""
    shelf, cluster = private, private.cluster
    for name in "abc":
        shelf.lay(name, "one")
    async with Proxy(cluster.port) as proxy:
        behind = KubeApi(cluster.configuration(url=proxy.url), random.random, HASTY)
        reflector = shelf.watched(behind)
        await reflector.start()
        proxy.set(Mode.REFUSE)
        proxy.cut()
        assert cluster.server is not None
        cluster.server.kill()
        cluster.server.wait()
        await until(lambda: reflector.problem)

        await asyncio.to_thread(cluster.start_server)
        shelf.lay("a", "two")
        shelf.lay("new", "one")
        shelf.take("b")
        proxy.set(Mode.PASS)

        await until(lambda: words(reflector).get("new") == "one")
        assert {name: words(reflector).get(name) for name in "abc"} == {"a": "two", "b": None, "c": "one"}
        await reflector.aclose()
        await behind.aclose()


@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_a_restored_cluster_is_read_anew(private: Shelf) -> None:
    """A backup was put back: versions are older than those in memory, and memory is wrong all the same."""
    shelf, cluster = private, private.cluster
    for name in "abc":
        shelf.lay(name, "backup")
    backup = cluster.folder / "backup"
    await asyncio.to_thread(cluster.end)
    await asyncio.to_thread(shutil.copytree, cluster.folder / "etcd", backup)
    cluster.start_etcd()
    await asyncio.to_thread(cluster.start_server)
    for number in range(20):
        shelf.lay("a", str(number))
    shelf.lay("late", "one")
    shelf.take("b")
    door = KubeApi(cluster.configuration(), random.random, HASTY)
    reflector = shelf.watched(door)
    await reflector.start()
    assert {name: words(reflector).get(name) for name in ("a", "b", "late")} == {"a": "19", "b": None, "late": "one"}

    await asyncio.to_thread(cluster.end)
    shutil.rmtree(cluster.folder / "etcd")
    backup.rename(cluster.folder / "etcd")
    cluster.start_etcd()
    await asyncio.to_thread(cluster.start_server)

    await until(lambda: words(reflector).get("a") == "backup", seconds=10.0)
    await until(lambda: "late" not in words(reflector))
    assert words(reflector).get("b") == "backup"
    shelf.lay("a", "after")
    await until(lambda: words(reflector).get("a") == "after")
    await reflector.aclose()
    await door.aclose()
