"""Publishing after preparing, whatever becomes of the preparing."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from rollout.kube import publishing
from rollout.kube.publishing import Publisher
from rollout.kube.resources import Document, version_of
from rollout.ports import Key
from tests.kube.objects import rollout_object
from tests.waiting import until

KEY = Key("shop", "checkout")


def naming(*routes: str, version: int = 7) -> dict[str, Any]:
    """Return a Rollout that names these routes."""
    return rollout_object(version=version, spec={"routes": [{"kind": "HTTPRoute", "name": name} for name in routes]})


class Shown:
    """Takes what is published."""

    def __init__(self) -> None:
        self.versions: list[str] = []

    def publish(self, _key: Key, kept: Document) -> None:
        """Note the version."""
        self.versions.append(version_of(kept))


async def never(_key: Key, _document: Document) -> None:
    """Never come to an end."""
    await asyncio.Event().wait()


async def broken(_key: Key, _document: Document) -> None:
    """Break."""
    raise KeyError("route")


async def test_without_anything_to_prepare_it_is_published_at_once() -> None:
    """As where no routes are kept."""
    shown = Shown()
    Publisher(shown.publish, None).offer(KEY, naming("a"))

    assert shown.versions == ["7"]


@pytest.mark.parametrize(
    ("prepare", "why"), [(never, "TimeoutError"), (broken, "KeyError: 'route'")], ids=["slow", "broken"]
)
async def test_what_cannot_be_prepared_is_published_nevertheless(prepare: publishing.Prepare, why: str) -> None:
    """A route is no reason to hide a Rollout; it is said why."""
    shown = Shown()
    publisher = Publisher(shown.publish, prepare, limit_seconds=0.02)
    with capture_logs() as logs:
        publisher.offer(KEY, naming("a"))
        await publisher.all_settled()
    await publisher.all_settled()

    assert shown.versions == ["7"]
    assert [(one["event"], one["why"]) for one in logs] == [("routes not prepared", why)]


async def test_only_the_newest_is_published() -> None:
    """What came meanwhile is prepared too, once."""
    shown, told = Shown(), list[str]()

    async def prepare(_key: Key, document: Document) -> None:
        told.append(version_of(document))
        if len(told) == 1:
            publisher.offer(KEY, naming("a", version=8))
            publisher.offer(KEY, naming("a", "b", version=9))

    publisher = Publisher(shown.publish, prepare)
    publisher.offer(KEY, naming("a"))
    await publisher.settled(KEY)
    publisher.offer(KEY, naming("a", "b", version=10))

    assert shown.versions == ["9", "10"]
    assert told == ["7", "9"]


async def test_so_many_are_prepared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start with thousands does not ask for everything together."""
    monkeypatch.setattr(publishing, "MOST_AT_ONCE", 2)
    shown, busy, most = Shown(), 0, 0

    async def prepare(_key: Key, _document: Document) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0)
        busy -= 1

    publisher = Publisher(shown.publish, prepare)
    for number in range(5):
        publisher.offer(Key("shop", f"r{number}"), naming("a"))
    await until(lambda: len(shown.versions) == 5)

    assert most == 2


async def test_one_that_comes_back_is_prepared_anew() -> None:
    """Nothing is remembered of one that went."""
    shown, told = Shown(), list[str]()

    async def prepare(_key: Key, document: Document) -> None:
        told.append(version_of(document))

    publisher = Publisher(shown.publish, prepare)
    publisher.offer(KEY, naming("a"))
    await publisher.settled(KEY)
    publisher.withdraw(KEY)
    publisher.offer(KEY, naming("a", version=9))
    await publisher.settled(KEY)

    assert told == ["7", "9"]


async def test_after_the_end_nothing_is_published() -> None:
    """What was on its way ends."""
    shown = Shown()
    publisher = Publisher(shown.publish, never)
    publisher.offer(KEY, naming("a"))
    await asyncio.sleep(0)
    await publisher.aclose()
    await publisher.settled(KEY)

    assert shown.versions == []


async def test_what_cannot_be_published_is_said() -> None:
    """It is no matter of others, and the next change of it is published."""
    shown = Shown()

    def publish(key: Key, kept: Document) -> None:
        if version_of(kept) == "7":
            raise KeyError("status")
        shown.publish(key, kept)

    publisher = Publisher(publish, never, limit_seconds=0.01)
    with capture_logs() as logs:
        publisher.offer(KEY, naming("a"))
        await publisher.all_settled()
    publisher.offer(KEY, naming("a", version=8))

    assert [one["event"] for one in logs] == ["routes not prepared", "Rollout not published"]
    assert shown.versions == ["8"]


async def test_nothing_is_prepared_for_a_rollout_that_is_gone() -> None:
    """Whoever prepares keeps something for it, and nobody would say again that it can go."""
    prepared: list[str] = []

    async def prepare(_key: Key, document: Document) -> None:
        prepared.append(version_of(document))

    publisher = Publisher(Shown().publish, prepare)
    publisher.offer(KEY, naming("a", "b", version=1))
    await publisher.settled(KEY)
    publisher.offer(KEY, naming("a", version=2))
    publisher.withdraw(KEY)
    await asyncio.sleep(0)

    assert prepared == ["1"]
    await publisher.aclose()
