"""The receiver in the docs runs as it stands there, and refuses what a receiver has to refuse."""

import asyncio
import base64
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from standardwebhooks import Webhook

from rollout.errors import PermanentError
from tests.house.generate import ROOT
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message
from tests.waiting import patient

pytestmark = pytest.mark.real

PAGE = ROOT / "docs" / "how-to" / "receive-signed-webhooks.md"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
EVENT = b'{"id":"tr_1","type":"dev.rollout.transition","data":{"title":"shop/checkout promoted"}}'


@dataclass
class Receiver:
    """The receiver as a process."""

    url: str
    process: subprocess.Popen[str]

    def acted(self) -> list[str]:
        """End it, and return the ids that it has acted on, in order."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=10)
        return [line.split()[0] for line in out.splitlines()]


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """Run the code of the page, with a database in ``folder``."""
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "receive.py").write_text(code, encoding="utf-8")
    (folder / "signing").write_text(f"{SECRET}\n", encoding="utf-8")
    command = [sys.executable, "-W", "error", "receive.py", "0", "signing", "seen.db"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield Receiver(process.stdout.readline().strip(), process)
        finally:
            process.kill()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """Run the receiver."""
    with receiving(tmp_path) as started:
        yield started


def signed(message_id: str = "tr_1", *, age: timedelta = timedelta(), secret: str = SECRET) -> dict[str, str]:
    """Return the headers of an event that was sent so long ago."""
    at = datetime.now(UTC) - age
    signature = Webhook(secret).sign(message_id, at, EVENT.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}


async def answer(receiver: Receiver, headers: Mapping[str, str], body: bytes = EVENT) -> int:
    """Return the status that a request is answered with."""
    async with aiohttp.ClientSession() as session, session.post(receiver.url, data=body, headers=headers) as got:
        return got.status


async def test_a_good_one_is_accepted(receiver: Receiver) -> None:
    """And acted on."""
    assert await answer(receiver, signed()) == 204
    assert receiver.acted() == ["tr_1"]


async def test_a_replayed_one_is_refused(receiver: Receiver) -> None:
    """The very same request, and the same message with a new time."""
    first = signed()

    assert [await answer(receiver, headers) for headers in (first, first, signed())] == [204, 409, 409]
    assert receiver.acted() == ["tr_1"]


async def test_a_replayed_one_is_refused_after_a_restart(tmp_path: Path) -> None:
    """The ids are kept in a file."""
    with receiving(tmp_path) as first:
        before = await answer(first, signed())
    with receiving(tmp_path) as second:
        after = await answer(second, signed())

    assert (before, after) == (204, 409)


@pytest.mark.parametrize("age", [timedelta(minutes=5, seconds=2), timedelta(days=1), -timedelta(minutes=6)])
async def test_an_old_one_is_refused(receiver: Receiver, age: timedelta) -> None:
    """Though its signature is right; so is one from the future."""
    assert await answer(receiver, signed(age=age)) == 401
    assert receiver.acted() == []


async def test_a_fairly_old_one_is_accepted(receiver: Receiver) -> None:
    """Clocks differ, and messages are on their way for a while."""
    assert await answer(receiver, signed(age=timedelta(minutes=4, seconds=30))) == 204


OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes, yes!").decode()


@pytest.mark.parametrize(
    "headers",
    [
        signed(secret=OTHER),
        {**signed(), "webhook-id": "tr_2"},
        {**signed(), "webhook-signature": "v1,AAAA"},
        {**signed(), "webhook-signature": "nonsense"},
        {**signed(), "webhook-timestamp": "nonsense"},
        {},
    ],
    ids=["secret", "id", "signature", "nonsense", "time", "unsigned"],
)
async def test_a_wrong_signature_is_refused(receiver: Receiver, headers: dict[str, str]) -> None:
    """And whatever else was changed; the receiver goes on."""
    assert await answer(receiver, headers) == 401
    assert await answer(receiver, signed()) == 204


async def test_a_changed_body_is_refused(receiver: Receiver) -> None:
    """Even by one blank."""
    assert await answer(receiver, signed(), EVENT + b" ") == 401


@pytest.mark.parametrize("lines", [f"{OTHER}\n{SECRET}", f"{SECRET}\n\n{OTHER}"])
async def test_the_secret_can_be_rotated(receiver: Receiver, tmp_path: Path, lines: str) -> None:
    """Each line of the file is good while it is there, in whatever order; the file is read for each event."""
    (tmp_path / "signing").write_text(f"{lines}\n", encoding="utf-8")
    both = [await answer(receiver, signed("tr_1")), await answer(receiver, signed("tr_2", secret=OTHER))]
    (tmp_path / "signing").write_text(f"{OTHER}\n", encoding="utf-8")
    old = await answer(receiver, signed("tr_3"))

    assert (both, old) == ([204, 204], 401)


async def test_a_slow_client_holds_up_nobody(receiver: Receiver) -> None:
    """It has announced a body and sends none."""
    port = int(receiver.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(patient(5.0)):
        status = await answer(receiver, signed())
    writer.close()

    assert status == 204


@pytest.mark.parametrize("length", ["1000000000", "-1", "nonsense", "9" * 5000])
async def test_a_large_body_is_not_read(receiver: Receiver, length: str) -> None:
    """It is refused by its length, as is one whose length is none."""
    port = int(receiver.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()

    assert b" 413 " in status


async def test_what_we_send_is_accepted_once(make: Making, receiver: Receiver, tmp_path: Path) -> None:
    """A second delivery of the same message is as good as the first."""
    sender = make("CloudEvents", url=receiver.url, secret_file=tmp_path / "signing")
    for number in (1, 2, 2, 1, 3):
        await sender.send(message(number))

    assert receiver.acted() == [message(number).id for number in (1, 2, 3)]


async def test_with_another_secret_we_are_refused(make: Making, receiver: Receiver, tmp_path: Path) -> None:
    """Somebody has to change it; the message is kept for then."""
    (tmp_path / "other").write_text(OTHER, encoding="utf-8")
    sender = make("CloudEvents", url=receiver.url, secret_file=tmp_path / "other")
    with pytest.raises(PermanentError) as caught:
        await sender.send(message())

    assert str(caught.value) == "sink team answered 401"


async def test_what_could_not_be_acted_on_is_not_kept(receiver: Receiver) -> None:
    """It comes again, and is as new."""
    event = b'{"id":"tr_1","type":"dev.rollout.transition"}'
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "tr_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("tr_1", at, event.decode()),
    }
    with pytest.raises(aiohttp.ClientError):
        await answer(receiver, headers, event)

    assert await answer(receiver, signed()) == 204
    assert receiver.acted() == ["tr_1"]
