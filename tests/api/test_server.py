"""The API's server: where it listens, what it does not wait for, and how it ends whatever its clients do."""

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from rollout.api.connections import Limits
from rollout.api.server import Listening, ServerOptions, serving
from rollout.api.tls import Tls, TlsFiles
from rollout.errors import ConfigurationError, Unavailable
from rollout.settings.address import Address
from tests.serve.certificates import Pair, certificate
from tests.waiting import until

ANY = Address("127.0.0.1", 0)
USUAL = Limits(connections=50)
REQUEST = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class App:
    """Answers `/` at once, `/never` not at all, and `/flood` with more than anybody has room for."""

    began: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        self.began.append(scope["path"])
        if scope["path"] == "/never":
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/flood":
            await self._flood(receive, send)
        await send({"type": "http.response.body", "body": scope["scheme"].encode()})
        self.ended.append(scope["path"])

    async def _flood(self, receive: Receive, send: Send) -> None:
        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        watch = asyncio.create_task(gone())
        while not watch.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)


@asynccontextmanager
async def served(app: App | None = None, options: ServerOptions | None = None) -> AsyncIterator[Listening]:
    """Serve as long as the context is open."""
    async with serving(app or App(), options or ServerOptions(ANY, USUAL), asyncio.Event()) as listening:
        yield listening


class Bare:
    """A connection on which a client does as it likes. It reads nothing by itself."""

    def __init__(self, listening: Listening, first: bytes = b"") -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((listening.address.host, listening.address.port))
        self._socket.settimeout(0)
        self.send(first)

    def send(self, data: bytes) -> None:
        """Send, as far as somebody takes it."""
        with suppress(OSError):
            self._socket.send(data)

    async def closed(self, *, seconds: float = 5.0) -> bytes:
        """Read until the server has closed the connection; return the first of what it sent."""
        loop, said = asyncio.get_running_loop(), b""
        async with asyncio.timeout(seconds):
            with suppress(ConnectionResetError):
                while part := await loop.sock_recv(self._socket, 65536):
                    said = (said + part)[:1000]
        return said

    async def received(self) -> bytes:
        """Wait for something and return it."""
        return await asyncio.get_running_loop().sock_recv(self._socket, 65536)

    def close(self) -> None:
        """End it."""
        self._socket.close()


Connect = Callable[..., Bare]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Open connections that are closed at the end of the test."""
    found: list[Bare] = []

    def open_one(listening: Listening, first: bytes = b"") -> Bare:
        found.append(Bare(listening, first))
        return found[-1]

    yield open_one
    for connection in found:
        connection.close()


async def get(url: str, context: ssl.SSLContext | None = None) -> tuple[str, aiohttp.ClientResponse]:
    """Return the answer to a request of its own connection."""
    limit = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(url, ssl=context or True) as response,
    ):
        return await response.text(), response


async def test_a_free_port_is_found_and_told() -> None:
    """With port 0 the address that is told has a port, and answers come from there; nothing says which server it is."""
    async with served() as listening:
        answer, response = await get(listening.url)

    assert answer == "http"
    assert listening.address.port > 0
    assert "server" not in response.headers


async def test_a_port_that_is_taken_is_said() -> None:
    """The sentence names the address and the reason, and nothing was begun."""
    async with served() as listening:
        with pytest.raises(Unavailable, match=f"127.0.0.1:{listening.address.port}: Address already in use"):
            async with served(options=ServerOptions(listening.address, USUAL)):
                pass


async def test_an_address_that_is_not_here_is_said() -> None:
    """The sentence names it."""
    with pytest.raises(Unavailable, match=r"cannot listen on 192\.0\.2\.1:80"):
        async with served(options=ServerOptions(Address("192.0.2.1", 80), USUAL)):
            pass


async def test_signals_stay_with_whoever_runs_the_process() -> None:
    """The handlers are those from before."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with served() as listening:
        await get(listening.url)
        during = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    assert during == before


async def test_an_idle_server_ends_at_once(connect: Connect) -> None:
    """Clients that keep their connection do not delay the end."""
    loop = asyncio.get_running_loop()
    async with served() as listening:
        idle = connect(listening)
        kept = connect(listening, REQUEST % b"")
        await kept.received()
        began = loop.time()

    assert loop.time() - began < 1.0
    assert await idle.closed() == b""


async def test_hanging_clients_do_not_keep_the_server(connect: Connect) -> None:
    """A request without end, one that is not complete, and an answer that nobody takes: it ends within 2.5 s."""
    app, loop = App(), asyncio.get_running_loop()
    parts = (REQUEST % b"never", b"GET / HT", REQUEST % b"flood", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n")
    async with served(app) as listening:
        for first in parts:
            connect(listening, first)
        await until(lambda: {"/never", "/flood"} <= set(app.began))
        began = loop.time()

    assert loop.time() - began < 2.5


async def test_a_request_that_is_cut_off_is_no_error(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody is told of an exception when the server cancels what does not end."""
    app = App()
    async with served(app) as listening:
        connection = connect(listening, REQUEST % b"never")
        await until(lambda: app.began)

    assert await connection.closed() == b""
    assert not caplog.records


@pytest.mark.parametrize(
    "first",
    [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nabc"],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_request_must_come_in_time(connect: Connect, first: bytes) -> None:
    """A connection on which the rest does not come is closed."""
    limits = replace(USUAL, request_seconds=0.2)
    async with served(options=ServerOptions(ANY, limits)) as listening:
        await connect(listening, first).closed()
        answer, _ = await get(listening.url)

    assert answer == "http"


async def test_drops_do_not_lengthen_the_time_of_a_request(connect: Connect) -> None:
    """One byte now and then does not keep a connection."""
    limits, loop = replace(USUAL, request_seconds=0.3), asyncio.get_running_loop()
    async with served(options=ServerOptions(ANY, limits)) as listening:
        connection = connect(listening, b"GET / HTTP/1.1\r\n")

        async def drip() -> None:
            while True:
                connection.send(b"X")
                await asyncio.sleep(0.02)

        began = loop.time()
        dripping = asyncio.create_task(drip())
        await connection.closed()
        dripping.cancel()

    assert loop.time() - began < 3


async def test_an_answer_must_be_taken_in_time(connect: Connect) -> None:
    """A client that takes nothing loses its connection."""
    app, limits = App(), replace(USUAL, taking_seconds=0.2)
    async with served(app, ServerOptions(ANY, limits)) as listening:
        connect(listening, REQUEST % b"flood")
        await until(lambda: app.ended)

    assert app.ended == ["/flood"]


async def test_too_many_connections_are_closed(connect: Connect) -> None:
    """Beyond the limit a connection is closed at once; when one goes there is room again."""
    async with served(options=ServerOptions(ANY, Limits(connections=2))) as listening:
        first, _ = connect(listening), connect(listening)
        refused = await connect(listening).closed()
        first.close()
        answer, _ = await get(listening.url)

    assert refused == b""
    assert answer == "http"


async def test_a_head_that_is_too_long_is_refused(connect: Connect) -> None:
    """It is answered 400, and the connection closed."""
    async with served() as listening:
        said = await connect(listening, b"GET / HTTP/1.1\r\nX-A: " + b"a" * 20_000).closed()

    assert said.startswith(b"HTTP/1.1 400")


# ---------------------------------------------------------------- TLS


def secured(pair: Pair, client_ca: Path | None = None) -> ServerOptions:
    """Return options with this certificate."""
    return ServerOptions(ANY, USUAL, TlsFiles(pair.certificate, pair.key, client_ca))


async def test_answers_come_over_tls(tmp_path: Path) -> None:
    """A client that trusts the certificate is answered."""
    pair = certificate(tmp_path)
    async with served(options=secured(pair)) as listening:
        answer, _ = await get(listening.url, pair.client_context())

    assert (answer, listening.url.partition(":")[0]) == ("https", "https")


async def test_a_handshake_that_does_not_come_does_not_keep_the_server(connect: Connect, tmp_path: Path) -> None:
    """A client that connects and is silent does not delay the end."""
    loop = asyncio.get_running_loop()
    async with served(options=secured(certificate(tmp_path))) as listening:
        connect(listening)
        began = loop.time()

    assert loop.time() - began < 2.5


async def test_clients_show_a_certificate_where_it_is_asked_for(tmp_path: Path) -> None:
    """With an authority for clients, one without a certificate of its is not answered."""
    pair, known = certificate(tmp_path), certificate(tmp_path, "client")
    async with served(options=secured(pair, known.certificate)) as listening:
        answer, _ = await get(listening.url, pair.client_context(known))
        with pytest.raises(aiohttp.ClientError):
            await get(listening.url, pair.client_context())

    assert answer == "https"


async def test_a_changed_certificate_is_taken(tmp_path: Path) -> None:
    """Who trusts only the new one connects after the files were changed, and nothing was restarted."""
    pair = certificate(tmp_path)
    tls = await Tls.load(TlsFiles(pair.certificate, pair.key))
    following = asyncio.create_task(tls.follow(0.01))
    (tmp_path / "fresh").mkdir()
    fresh = certificate(tmp_path / "fresh")
    trusting = fresh.client_context()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context)
    port = server.sockets[0].getsockname()[1]

    async def is_trusted() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        except ssl.SSLCertVerificationError:
            return False
        writer.transport.abort()
        return True

    before = await is_trusted()
    pair.replace(fresh)
    async with asyncio.timeout(5):
        while not await is_trusted():
            await asyncio.sleep(0.01)
    following.cancel()
    server.close()

    assert not before


async def test_a_changed_certificate_that_is_none_is_not_taken(tmp_path: Path) -> None:
    """The former one stays in use, and the log says why, once."""
    pair = certificate(tmp_path)
    tls = await Tls.load(TlsFiles(pair.certificate, pair.key))
    with capture_logs() as told:
        following = asyncio.create_task(tls.follow(0.01))
        pair.key.write_text("rubbish")
        await until(lambda: told)
        (tmp_path / "fresh").mkdir()
        pair.replace(certificate(tmp_path / "fresh"))
        await until(lambda: len(told) > 1)
        following.cancel()

    assert [line["log_level"] for line in told] == ["warning", "info"]
    assert str(pair.certificate) in told[0]["why"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("missing", "api.pem: with the key .*other.key: cannot be used as a certificate: No such file"),
        ("other key", "api.pem: with the key .*other.key: .*mismatch"),
        ("encrypted", "the key is encrypted"),
        ("rubbish", "api.pem: .*cannot be used as a certificate"),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path, broken: str, said: str) -> None:
    """The sentence names the file and the reason, and nobody is asked for a password."""
    pair = certificate(tmp_path)
    key = tmp_path / "other.key"
    match broken:
        case "other key":
            certificate(tmp_path, "other")
        case "encrypted":
            pair = certificate(tmp_path, password="opens nothing")
            key = pair.key
        case "rubbish":
            key.write_text("rubbish")
        case _:
            assert broken == "missing"

    with pytest.raises(ConfigurationError, match=said):
        await Tls.load(TlsFiles(pair.certificate, key))
