"""A sink's certificate is checked, against the authorities of its file where there is one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollout.errors import PermanentError, Unavailable
from tests.notify.senders.conftest import Making
from tests.notify.senders.messages import message
from tests.notify.stands.server import Stand, standing
from tests.probes.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that has signed ``sink``."""
    made = Authority(tmp_path).make()
    made.sign("sink")
    return made


@pytest.fixture
async def stand(authority: Authority) -> AsyncIterator[Stand]:
    """Run a server with that certificate."""
    stand = Stand()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stand.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server("sink")).start()
    stand.origin = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield stand
    await runner.cleanup()


async def test_an_authority_of_ones_own_is_trusted(make: Making, stand: Stand, authority: Authority) -> None:
    """When its file is named; for a second message it is not read again."""
    sender = make("CloudEvents", url=stand.url, ca_file=authority.file)
    await sender.send(message(1))
    await sender.send(message(2))

    assert stand.ids == [message(1).id, message(2).id]


async def test_an_unknown_authority_is_not(make: Making, stand: Stand) -> None:
    """It may be renewed, so that it is tried again."""
    with pytest.raises(Unavailable) as caught:
        await make("CloudEvents", url=stand.url).send(message())

    assert str(caught.value) == "sink team shows a certificate that is not trusted"
    assert stand.received == []


async def test_the_file_is_read_again_when_it_was_replaced(
    make: Making, stand: Stand, authority: Authority, tmp_path: Path
) -> None:
    """Without a restart."""
    other = Authority(tmp_path, "other").make()
    used = tmp_path / "used.pem"
    used.write_bytes(other.file.read_bytes())
    sender = make("CloudEvents", url=stand.url, ca_file=used)
    with pytest.raises(Unavailable):
        await sender.send(message(1))
    authority.file.rename(used)
    await sender.send(message(2))

    assert stand.ids == [message(2).id]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "the file cannot be read"), (b"", "it holds no certificate"), (b"x", "it holds no certificate")],
)
async def test_a_file_without_certificates_is_for_good(
    make: Making, tmp_path: Path, content: bytes | None, why: str
) -> None:
    """It is named."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PermanentError) as caught:
        await make("CloudEvents", url="https://127.0.0.1:1/T0PSECRET", ca_file=file).send(message())

    assert str(caught.value) == f"sink team: its authorities cannot be taken from {file}: {why}"


async def test_what_does_not_speak_tls_may_pass(make: Making, stand: Stand, authority: Authority) -> None:
    """As when http and https were mixed up, or a proxy is in between."""
    async with standing(Stand()) as plain:
        with pytest.raises(Unavailable) as caught:
            await make("CloudEvents", url=plain.url.replace("http:", "https:"), ca_file=authority.file).send(message())

    assert str(caught.value) == "sink team cannot be reached: TLS does not come about"
