"""Apprise takes what has no kind of its own; it never blocks the loop, and what it logs is heard by nobody."""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rollout.aside import MOST_CALLS, THREAD
from rollout.errors import ConfigurationError, PermanentError, RolloutError, Unavailable
from rollout.notify.message import Level
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message
from tests.notify.stands.faults import answers, closes, slow
from tests.notify.stands.server import Stand, standing
from tests.waiting import until

PATH = "notify-T0PSECRET"

pytestmark = pytest.mark.usefixtures("apprise_loaded")


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Run a service that Apprise knows as json://."""
    async with standing(Stand()) as server:
        yield server


def address(stand: Stand) -> str:
    """Return what Apprise calls the service."""
    return f"{stand.origin.replace('http:', 'json:')}/{PATH}"


async def error_of(make: Making, url: str, **fields: object) -> RolloutError:
    """Return the error that a message to this address ends in."""
    with pytest.raises(RolloutError) as caught:
        await make("Apprise", url=url, **fields).send(message())
    return caught.value


@pytest.mark.parametrize(
    ("level", "kind"),
    [(Level.GOOD, "success"), (Level.NEWS, "info"), (Level.WARNING, "warning"), (Level.BAD, "failure")],
)
async def test_a_message_goes_out(make: Making, stand: Stand, level: Level, kind: str) -> None:
    """With title, text and how it is meant."""
    one = message(level=level)

    assert await make("Apprise", url=address(stand)).send(one) == ""
    [got] = stand.taken
    assert (got.json["title"], got.json["message"], got.json["type"]) == (one.title, one.text, kind)


async def test_the_address_is_read_for_each_message(make: Making, stand: Stand, tmp_path: Path) -> None:
    """A rotated one is used at once."""
    file = tmp_path / "url"
    sender = make("Apprise", url_file=file)
    with pytest.raises(PermanentError):
        await sender.send(message())
    file.write_text(address(stand), encoding="utf-8")
    await sender.send(message())

    assert len(stand.taken) == 1


@pytest.mark.parametrize("fault", [answers(500), answers(404), closes], ids=["500", "404", "closes"])
async def test_what_goes_wrong_may_pass(make: Making, stand: Stand, fault: object) -> None:
    """Apprise says why in its log only, which has addresses in it."""
    stand.faults = [fault] * 5  # type: ignore[list-item]
    error = await error_of(make, address(stand))

    assert type(error) is Unavailable
    assert str(error) == "sink team does not take the message; Apprise does not say why"


@pytest.mark.parametrize("url", ["nonsense://T0PSECRET", "T0PSECRET", "json://", "mailto://"])
async def test_an_address_that_apprise_does_not_know_is_for_good(make: Making, url: str) -> None:
    """It is not repeated."""
    error = await error_of(make, url)

    assert type(error) is PermanentError
    assert str(error) == "sink team has an address that Apprise does not know, or more than one"


async def test_a_call_that_hangs_ends_in_time(make: Making, stand: Stand) -> None:
    """And the loop goes on meanwhile."""
    stand.faults = [slow(1.0)]
    begun, ticks = time.monotonic(), 0

    async def ticking() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    task = asyncio.create_task(ticking())
    error = await error_of(make, address(stand), timeout="200ms")
    task.cancel()

    assert (type(error), str(error)) == (Unavailable, "sink team does not answer within 0.2 s")
    assert time.monotonic() - begun < 1
    assert ticks >= 5


async def test_a_message_that_was_given_up_does_not_go_out_later(
    make: Making, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when Apprise takes long to load: it is sent again by then."""
    import apprise  # noqa: PLC0415 - the extra

    go, add = threading.Event(), apprise.Apprise.add

    def loads(self: object, urls: list[str]) -> bool:
        go.wait(20)
        return bool(add(self, urls))  # type: ignore[arg-type]

    monkeypatch.setattr(apprise.Apprise, "add", loads)
    await error_of(make, address(stand), timeout="50ms")
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))

    assert stand.received == []


async def test_only_so_many_calls_are_left_behind(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that hangs for ever costs a few threads, and no more."""
    go = threading.Event()

    def waits(*_: object) -> object:
        go.wait(20)
        return SimpleNamespace(known=True, taken=True)

    monkeypatch.setattr("rollout.notify.senders.beyond._call", waits)
    sender = make("Apprise", url="json://127.0.0.1/", timeout="50ms")
    for _ in range(MOST_CALLS):
        with pytest.raises(Unavailable, match="does not answer within"):
            await sender.send(message())
    with pytest.raises(Unavailable, match="has calls that do not come back"):
        await sender.send(message())
    go.set()
    await until(lambda: not any(thread.name == THREAD for thread in threading.enumerate()))

    assert await sender.send(message()) == ""


async def test_a_closed_one_sends_nothing(make: Making, stand: Stand) -> None:
    """As every sender."""
    sender = make("Apprise", url=address(stand))
    await sender.aclose()
    with pytest.raises(Unavailable, match="is closed"):
        await sender.send(message())

    assert stand.received == []


async def test_what_it_raises_goes_no_further(make: Making, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may raise anything, with the address in it."""
    import apprise  # noqa: PLC0415 - the extra

    def broken(*_: object, **__: object) -> bool:
        raise KeyError(PATH)

    monkeypatch.setattr(apprise.Apprise, "notify", broken)
    error = await error_of(make, address(stand))

    assert str(error) == "sink team does not take the message; Apprise does not say why"


async def test_nothing_that_it_logs_is_heard(
    make: Making, stand: Stand, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor what the HTTP library below it logs; of others it is."""
    caplog.set_level(logging.DEBUG)
    stand.faults = [answers(404)]
    await error_of(make, address(stand))
    await make("Apprise", url=address(stand)).send(message())
    logging.getLogger("urllib3.connectionpool").debug("of somebody else")

    heard = [record.getMessage() for record in caplog.records if record.name.startswith(("apprise", "urllib3"))]
    assert heard == ["of somebody else"]
    assert capfd.readouterr() == ("", "")


async def test_without_the_extra_the_start_says_how_to_install_it(
    make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the first message."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigurationError) as caught:
        make("Apprise", url="json://127.0.0.1/")

    assert "install it with pip install 'rollout[apprise]'" in str(caught.value)
