"""What blocks blocks one sink, and neither the loop nor another sink."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.aside import MOST_CALLS, THREAD, Aside
from rollout.errors import Unavailable
from rollout.names import ResolverAside
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message
from tests.notify.stands.server import Stand, standing
from tests.waiting import patient, until


@pytest.fixture
async def blocked() -> AsyncIterator[threading.Event]:
    """Return what calls wait for; at the end they go on, and are gone."""
    go = threading.Event()
    yield go
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))


async def test_what_it_returns_comes_back() -> None:
    """And what it raises."""
    aside = Aside("sink team")

    def broken() -> None:
        raise KeyError("x")

    assert await aside.call(lambda: 7) == 7
    with pytest.raises(KeyError):
        await aside.call(broken)


async def test_only_so_many_calls_are_left_behind(blocked: threading.Event) -> None:
    """More are refused at once, until some have come back."""
    aside = Aside("sink team")
    tasks = [asyncio.create_task(aside.call(blocked.wait)) for _ in range(MOST_CALLS)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="sink team has calls that do not come back"):
        await aside.call(lambda: 7)
    for task in tasks:
        task.cancel()
    blocked.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))

    assert await aside.call(lambda: 7) == 7


async def test_a_call_that_comes_back_after_the_loop_ended_is_nothing(blocked: threading.Event) -> None:
    """As at the end of the process."""
    aside = Aside("sink team")

    async def gone() -> None:
        async with asyncio.timeout(0.01):
            await aside.call(blocked.wait)

    with pytest.raises(TimeoutError):
        await asyncio.to_thread(asyncio.run, gone())
    blocked.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))


async def test_a_name_server_that_hangs_costs_the_other_sinks_nothing(
    make: Making, blocked: threading.Event, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However many messages wait for it."""
    look = socket.getaddrinfo

    def hangs(host: str, *rest: object, **options: object) -> object:
        if host == "dead.example":
            blocked.wait(30)
        return look(host, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    async with standing(Stand()) as stand:
        (tmp_path / "url").write_text(stand.url.replace("127.0.0.1", "localhost"), encoding="utf-8")
        dead = [make("CloudEvents", url="http://dead.example", timeout="1s") for _ in range(9)]
        waiting = [asyncio.create_task(sender.send(message(n))) for n in range(5) for sender in dead]
        async with asyncio.timeout(patient(0.9)):
            await make("CloudEvents", url_file=tmp_path / "url").send(message(99))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert {str(one) for one in outcomes} == {"sink team does not answer within 1 s"}
    assert stand.ids == [message(99).id]


async def test_an_address_of_one_link_keeps_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is nothing without."""
    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 3))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    [one] = await ResolverAside(Aside("sink team")).resolve("sink.example", 80, socket.AF_INET6)

    assert one["host"] == "fe80::1%3"
