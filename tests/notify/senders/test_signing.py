"""Events are signed so that the standard's own library takes them, and nothing that was changed."""

import base64
import os
import time
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from rollout.errors import PermanentError
from rollout.notify.message import Kind, Level, Message
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message
from tests.notify.stands.server import Received, Stand, standing

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of 32 bytes, yes!").decode()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return the file of the signing secret."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    return file


async def sent(make: Making, secret: Path, one: Message) -> Received:
    """Return what a receiver gets."""
    async with standing(Stand()) as stand:
        await make("CloudEvents", url=stand.url, secret_file=secret).send(one)
    return stand.taken[0]


@pytest.mark.parametrize(
    "one",
    [
        message(),
        Message(id="x_1", kind=Kind.TRIAL, title="Ünïcode ✓ 🚀", text='quotes " and \\ and \ud800', level=Level.NEWS),
    ],
    ids=["transition", "odd"],
)
async def test_the_library_verifies_what_a_receiver_gets(make: Making, secret: Path, one: Message) -> None:
    """Byte by byte, whatever the text is, through a real request."""
    received = await sent(make, secret, one)

    event = Webhook(SECRET).verify(received.body, dict(received.headers))
    assert (event["id"], received.headers["webhook-id"]) == (one.id, one.id)
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "tr_other"},
        {"webhook-timestamp": str(int(time.time()) - 100)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-timestamp": "0"},
    ],
    ids=["id", "time", "signature", "old"],
)
async def test_what_was_changed_is_refused(make: Making, secret: Path, change: dict[str, str]) -> None:
    """By the library's verifier."""
    received = await sent(make, secret, message())

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(received.body, {**dict(received.headers), **change})


async def test_a_changed_body_is_refused(make: Making, secret: Path) -> None:
    """By the library's verifier."""
    received = await sent(make, secret, message())

    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(received.body + b" ", dict(received.headers))


async def test_both_secrets_sign_while_one_is_rotated(make: Making, secret: Path) -> None:
    """So that the receiver may have either."""
    secret.write_text(f"{OTHER}\n{SECRET}\n", encoding="utf-8")
    received = await sent(make, secret, message())

    for known in (SECRET, OTHER):
        assert Webhook(known).verify(received.body, dict(received.headers))["id"] == message().id


async def test_a_secret_without_its_prefix_is_one(make: Making, secret: Path) -> None:
    """The standard's libraries take both."""
    secret.write_text(SECRET.removeprefix("whsec_").rstrip("="), encoding="utf-8")
    received = await sent(make, secret, message())

    assert Webhook(SECRET).verify(received.body, dict(received.headers))


@pytest.mark.parametrize(
    "text",
    [
        "whsec_",
        "whsec_####",
        "not base64 at all",
        f"whsk_{base64.b64encode(os.urandom(32)).decode()}",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        f"{SECRET}\nshort",
    ],
    ids=["empty", "signs", "words", "asymmetric", "short", "long", "second"],
)
async def test_what_is_no_secret_signs_nothing(make: Making, secret: Path, text: str) -> None:
    """The sentence says what is one; nothing goes out unsigned."""
    secret.write_text(text, encoding="utf-8")
    async with standing(Stand()) as stand:
        with pytest.raises(PermanentError) as caught:
            await make("CloudEvents", url=stand.url, secret_file=secret).send(message())

    assert str(caught.value) == "sink team cannot sign: the signing secret must be whsec_ and base64 of 24 to 64 bytes"
    assert stand.received == []


async def test_more_secrets_than_a_rotation_needs_are_refused(make: Making, secret: Path) -> None:
    """The file holds something else."""
    secret.write_text(f"{SECRET}\n" * 5, encoding="utf-8")
    with pytest.raises(PermanentError) as caught:
        await make("CloudEvents", url="http://127.0.0.1:1/", secret_file=secret).send(message())

    assert str(caught.value) == "sink team cannot sign: the file of the signing secret must have 1 to 4 lines"
