"""Whatever happens to a message, no address, token or signing secret is in what is logged, raised or shown."""

import asyncio
import base64
import gc
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from aiohttp import web

from rollout.clock import SystemClock
from rollout.errors import RolloutError
from rollout.notify.senders.make import make_sender
from rollout.notify.sending import Sender
from rollout.notify.sinks import Sink
from tests.notify.senders.messages import message, sink
from tests.notify.stands.faults import answers, breaks_off, closes, drips, floods, hangs, no_http, redirects
from tests.notify.stands.server import Fault, Stand, says, standing
from tests.tools import free_port

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("apprise_loaded")]

PATH, QUERY, TOKEN = "p4thS3cr3t", "qu3ryS3cr3t", "xoxb-t0k3nS3cr3t"
SIGNING = base64.b64encode(b"s1gningS3cr3t-of-32-bytes-here!!").decode()
KINDS = ["Slack", "SlackBot", "Mattermost", "Discord", "Teams", "CloudEvents", "Apprise"]


async def echoes(request: web.Request) -> web.StreamResponse:
    """Say everything back that came, in all places that a client may look at."""
    everything = f"{request.url} {request.headers.get('Authorization', '')}"
    body = {"ok": False, "error": TOKEN, "id": f"web.incoming_webhook.{PATH}.app_error", "code": everything}
    return says(body, 400, Retry_After=everything, Location=everything, Set_Cookie=f"a b={PATH}; path=/{PATH}")


async def odd_header(request: web.Request) -> web.StreamResponse:
    """Answer with a header that no client takes, and the address in it."""
    assert isinstance(request.transport, asyncio.WriteTransport)
    request.transport.write(f"HTTP/1.1 200 OK\r\nBad Header {request.url}\r\n\r\n".encode())
    request.transport.close()
    return web.Response()


FAULTS: dict[str, Fault] = {
    **{str(status): answers(status) for status in (400, 401, 403, 404, 408, 410, 413, 422, 425, 429, 500, 503)},
    **{f"{name} 429": answers(429, Retry_After=name) for name in ("7", "nonsense")},
    "redirect": redirects(f"http://127.0.0.1/{PATH}?{QUERY}"),
    "word": answers(400, PATH),
    "hangs": hangs,
    "closes": closes,
    "breaks_off": breaks_off,
    "no_http": no_http,
    "odd_header": odd_header,
    "drips": drips(500),
    "floods": floods(500),
    "echoes": echoes,
}


@dataclass
class Ears:
    """All that could be heard."""

    caplog: pytest.LogCaptureFixture
    capfd: pytest.CaptureFixture[str]
    lines: list[structlog.typing.EventDict]
    seen: list[str]

    def note(self, error: BaseException) -> None:
        """Keep everything that an error may show, with all that hangs on it."""
        self.seen += traceback.format_exception(error)
        one: BaseException | None = error
        while one is not None:
            self.seen += [str(one), repr(one), repr(one.args), repr(getattr(one, "__notes__", ""))]
            one = one.__cause__ or one.__context__

    def leaks(self, *secrets: str) -> list[str]:
        """Return what was heard and has a secret in it."""
        captured = self.capfd.readouterr()
        formatted = [logging.Formatter().format(record) for record in self.caplog.records]
        heard = [*self.seen, *formatted, *map(repr, self.lines), captured.out, captured.err]
        return [text for text in heard if any(secret in text for secret in secrets)]


@pytest.fixture
def ears(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Ears]:
    """Listen to all logs, at every level, and to both outputs."""
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as lines:
        yield Ears(caplog, capfd, lines, [])


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Run a sink, with secrets in its address."""
    stand = Stand()
    stand.path = f"/services/{PATH}?sig={QUERY}"
    async with standing(stand) as server:
        yield server


def fields(kind: str, url: str, folder: Path) -> dict[str, object]:
    """Return the fields of a sink at this address, with the secrets that its kind has."""
    if kind == "Apprise":
        url = url.replace("http", "json")
    (folder / "url").write_text(url, encoding="utf-8")
    (folder / "token").write_text(TOKEN, encoding="utf-8")
    (folder / "signing").write_text(f"whsec_{SIGNING}", encoding="utf-8")
    found: dict[str, object] = {"url_file": folder / "url", "timeout": "150ms"}
    if kind == "SlackBot":
        return {**found, "token_file": folder / "token", "channel": "#deploys"}
    return {**found, "secret_file": folder / "signing"} if kind == "CloudEvents" else found


async def sent(sender: Sender, ears: Ears, *, thread: str = "") -> None:
    """Send a message, and listen to what comes of it."""
    try:
        ears.seen.append(await sender.send(message(thread=thread)))
    except RolloutError as error:
        ears.note(error)
    ears.seen.append(repr(sender))
    ears.seen += [repr(value) for value in vars(sender).values()]


@pytest.mark.parametrize("kind", KINDS)
async def test_no_fault_of_a_sink_shows_a_secret(kind: str, ears: Ears, stand: Stand, tmp_path: Path) -> None:
    """Whatever it answers, even when it repeats what it was sent."""
    sender = make_sender(sink(kind, fields(kind, stand.url, tmp_path)), clock=SystemClock())
    for fault in FAULTS.values():
        stand.faults = [fault]
        await sent(sender, ears, thread="C0:1.2")
    await sender.aclose()
    await sent(sender, ears)
    gc.collect()  # what was not closed says so, with its address

    assert ears.leaks(PATH, QUERY, TOKEN, SIGNING, stand.origin.removeprefix("http://")) == []
    assert len(ears.seen) > len(FAULTS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "url",
    [
        f"{PATH}?{QUERY}",
        f"ftp://{PATH}.example/{QUERY}",
        f"http://{PATH}..example/{QUERY}",
        f"http://[{PATH}/{QUERY}",
        f"http://user:{PATH}@127.0.0.1:99999/{QUERY}",
        f"http://127.0.0.1/{PATH}\n{QUERY}",
        f"http://127.0.0.1/{PATH}\0{QUERY}",
        f"http://{PATH}.invalid/{QUERY}",
        f"{PATH}" * 500,
    ],
)
async def test_no_wrong_address_is_shown(kind: str, url: str, ears: Ears, tmp_path: Path) -> None:
    """It may be a secret that stands at a wrong place."""
    sender = make_sender(sink(kind, fields(kind, url, tmp_path)), clock=SystemClock())
    await sent(sender, ears)
    await sender.aclose()

    assert ears.leaks(PATH, QUERY, TOKEN, SIGNING) == []


@pytest.mark.parametrize("kind", KINDS)
async def test_no_address_without_a_server_is_shown(kind: str, ears: Ears, tmp_path: Path) -> None:
    """Libraries like to say with whom they could not speak."""
    origin = f"127.0.0.1:{free_port()}"
    sender = make_sender(sink(kind, fields(kind, f"http://{origin}/{PATH}?{QUERY}", tmp_path)), clock=SystemClock())
    await sent(sender, ears)
    await sender.aclose()

    assert ears.leaks(PATH, QUERY, TOKEN, SIGNING, origin) == []


async def test_no_broken_secret_is_shown(ears: Ears, stand: Stand, tmp_path: Path) -> None:
    """Neither a token that no header can hold, nor a signing secret that is none."""
    for kind, name, content in (
        ("SlackBot", "token", f"{TOKEN}\r\nX-Evil: {PATH}"),
        ("SlackBot", "token", f"{TOKEN} é"),
        ("SlackBot", "token", f"{TOKEN}\n{TOKEN}"),
        ("CloudEvents", "signing", f"whsec_{PATH}"),
        ("CloudEvents", "signing", f"{SIGNING}\n" * 9),
        ("CloudEvents", "signing", SIGNING * 200),
    ):
        one = sink(kind, fields(kind, stand.url, tmp_path))
        (tmp_path / name).write_text(content, encoding="utf-8", newline="")
        sender = make_sender(one, clock=SystemClock())
        await sent(sender, ears)
        await sender.aclose()

    assert stand.received == []
    assert ears.leaks(PATH, QUERY, TOKEN, SIGNING) == []


async def test_no_address_in_the_file_of_sinks_is_shown(ears: Ears, stand: Stand) -> None:
    """Where it stands there itself."""
    one = Sink.model_validate({"name": "team", "kind": "Slack", "url": stand.url})
    sender = make_sender(one, clock=SystemClock())
    ears.seen += [repr(one), str(one), repr(one.model_dump()), one.model_dump_json()]
    stand.faults = [answers(500)]
    await sent(sender, ears)
    await sender.aclose()

    assert ears.leaks(PATH, QUERY) == []
