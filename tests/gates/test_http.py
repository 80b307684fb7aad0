"""A gate agrees with 2xx and nothing else; what cannot be meant is tried again, within a bound of time."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from rollout.clock import SystemClock
from rollout.engine.hooks import GateAnswer
from rollout.gates import http
from rollout.gates.addresses import AllowList
from rollout.gates.http import MOST_SHOWN, HttpGates
from rollout.gates.places import Places
from rollout.ports import GateCall
from rollout.spec.resource import Gate
from tests.prometheus.liar import Answer, Liar, breaks_off, drips, hangs, lying, says
from tests.tools import free_port

BODY = {"rollout": "shop/checkout", "step": 1}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
HERE = AllowList(["127.0.0.1", "localhost"])


@pytest.fixture
async def gate_server() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


@pytest.fixture
async def gates() -> AsyncIterator[HttpGates]:
    """Return gates that may call this machine."""
    async with HttpGates(HERE, SystemClock()) as made:
        yield made


def at(url: str, *, patience: str = "5s", retries: int = 0) -> GateCall:
    """Return the call of a gate with this URL."""
    gate = {"url": url, "name": "load-test", "timeout": patience, "retries": retries}
    return GateCall("gt_1", Gate.model_validate(gate), BODY)


async def huge(request: web.Request) -> web.StreamResponse:
    """Answer yes, with 10 MB that nobody asked for."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(160):
        await response.write(b"x" * 65536)
    return response


async def test_the_gate_is_told_of_what_it_decides(gate_server: Liar, gates: HttpGates) -> None:
    """A POST with a JSON body to the very URL."""
    bodies: list[object] = []

    async def yes(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response(text="go ahead")

    gate_server.answers = [yes]
    answer = await gates.ask(at(f"{gate_server.url}/ok?team=a"))

    assert (answer.agrees, answer.message) == (True, "answered 200: go ahead")
    assert bodies == [BODY]
    assert [(r.method, r.path_qs) for r in gate_server.seen] == [("POST", "/ok?team=a")]


@pytest.mark.parametrize(
    ("status", "agrees"),
    [(200, True), (204, True), (299, True), (304, False), (400, False), (404, False), (500, False)],
)
async def test_only_2xx_agrees(gate_server: Liar, gates: HttpGates, *, status: int, agrees: bool) -> None:
    """Everything else is a no with its status."""
    gate_server.answers = [says("", status=status)]
    answer = await gates.ask(at(gate_server.url))

    assert answer.agrees is agrees
    assert str(status) in answer.message


async def test_a_redirect_is_a_no_and_is_not_followed(gate_server: Liar, gates: HttpGates) -> None:
    """Who may be called is decided by the first URL."""

    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound(f"{gate_server.url}/inside")

    gate_server.answers = [away]
    answer = await gates.ask(at(gate_server.url))

    assert (answer.agrees, answer.message) == (False, "answered 302, a redirect, which is not followed")
    assert len(gate_server.seen) == 1


async def test_a_silent_gate_is_a_no_in_time(gate_server: Liar, gates: HttpGates) -> None:
    """The limit of the gate is told."""
    gate_server.answers = [hangs]
    answer = await gates.ask(at(gate_server.url, patience="200ms"))

    assert (answer.agrees, answer.message) == (False, "no answer within 0.2 s")


async def test_ten_megabytes_are_not_taken(gate_server: Liar, gates: HttpGates) -> None:
    """The beginning is read, the rest is dropped with its connection."""
    gate_server.answers = [huge]
    began = time.monotonic()
    answer = await gates.ask(at(gate_server.url))

    assert (answer.agrees, answer.message) == (True, f"answered 200: {'x' * MOST_SHOWN}")
    assert time.monotonic() - began < 3


async def test_an_answer_without_end_is_not_waited_for(gate_server: Liar, gates: HttpGates) -> None:
    """The status decides; of what trickles after it only the beginning is read."""
    gate_server.answers = [drips]
    async with asyncio.timeout(10):
        answer = await gates.ask(at(gate_server.url, patience="60s"))

    assert (answer.agrees, answer.message) == (True, "answered 200")


async def test_an_answer_that_breaks_off_is_what_its_status_says(gate_server: Liar, gates: HttpGates) -> None:
    """The status came whole; of the body only what came before the end is shown, or nothing."""
    gate_server.answers = [breaks_off]
    answer = await gates.ask(at(gate_server.url, retries=2))

    assert (answer.agrees, answer.tries) == (True, 1)
    assert answer.message in {"answered 200", 'answered 200: {"status":"success"'}


async def test_a_body_that_never_comes_is_not_waited_for(
    gate_server: Liar, gates: HttpGates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status has said everything."""
    monkeypatch.setattr(http, "BODY_SECONDS", 0.05)

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        return await hangs(request)

    gate_server.answers = [silent]
    answer = await gates.ask(at(gate_server.url))

    assert (answer.agrees, answer.message) == (True, "answered 200")


async def test_nobody_there_is_a_no(gates: HttpGates) -> None:
    """A refused connection is told as such."""
    answer = await gates.ask(at(f"http://127.0.0.1:{free_port()}"))

    assert not answer.agrees
    assert "cannot be called" in answer.message


async def test_only_the_beginning_of_an_answer_is_shown(gate_server: Liar, gates: HttpGates) -> None:
    """Bounded, on one line, without what a terminal would obey."""
    gate_server.answers = [says(b"a\n\x1b[31mb\xff" + b"x" * 100_000, status=409)]
    answer = await gates.ask(at(gate_server.url))

    assert answer.message.startswith("answered 409: a [31mb")
    assert len(answer.message) <= MOST_SHOWN + 20
    assert answer.message.isprintable()


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
async def test_what_may_pass_is_tried_again(gate_server: Liar, gates: HttpGates, *, status: int) -> None:
    """A server that is busy is no gate that says no."""
    gate_server.answers = [says("", status=status), says("", status=status), says("now")]
    answer = await gates.ask(at(gate_server.url, retries=2))

    assert answer == GateAnswer(agrees=True, message="answered 200: now", tries=3)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 422])
async def test_a_clear_no_is_not_tried_again(gate_server: Liar, gates: HttpGates, *, status: int) -> None:
    """It would be a no again."""
    gate_server.answers = [says("", status=status)]
    answer = await gates.ask(at(gate_server.url, retries=5))

    assert (answer.agrees, answer.tries, len(gate_server.seen)) == (False, 1, 1)


async def closes(request: web.Request) -> web.StreamResponse:
    """Close the connection instead of an answer."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("answer", [hangs, closes])
async def test_silence_and_broken_connections_are_tried_again(
    gate_server: Liar, gates: HttpGates, answer: Answer
) -> None:
    """The next try may find the gate well."""
    gate_server.answers = [answer, says("now")]
    said = await gates.ask(at(gate_server.url, patience="500ms", retries=2))

    assert said == GateAnswer(agrees=True, message="answered 200: now", tries=2)


async def test_all_tries_together_are_bounded(gate_server: Liar, gates: HttpGates) -> None:
    """Each has the gate's limit, and the waits between them are short."""
    gate_server.answers = [hangs]
    began = time.monotonic()
    answer = await gates.ask(at(gate_server.url, patience="100ms", retries=3))

    assert (answer.agrees, answer.message, answer.tries) == (False, "no answer within 0.1 s", 4)
    assert time.monotonic() - began < 4 * (0.1 + http.LONGEST_WAIT_SECONDS)


async def test_calls_wait_for_their_places_without_losing_their_time(
    gate_server: Liar, gates: HttpGates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's silent gate takes nothing from this one's time limit."""
    monkeypatch.setattr(gates, "_places", Places(most=1))
    gate_server.answers = [hangs, says("now")]
    first, second = await asyncio.gather(
        gates.ask(at(gate_server.url, patience="500ms")), gates.ask(at(gate_server.url, patience="400ms"))
    )

    assert (first.agrees, second.agrees) == (False, True)


# ---------------------------------------------------------------- signatures


async def told(gate_server: Liar, secret_file: Path | None, *, tries: int = 1) -> list[tuple[dict[str, str], bytes]]:
    """Return the headers (in lower case) and bodies of one call, `tries` times."""
    came: list[tuple[dict[str, str], bytes]] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=200 if len(came) == tries else 503)

    gate_server.answers = [keep]
    async with HttpGates(HERE, SystemClock(), secret_file=secret_file) as gates:
        assert (await gates.ask(at(gate_server.url, retries=5))).agrees
    return came


def written(folder: Path, *secrets: str) -> Path:
    """Return a file with these secrets."""
    file = folder / "gates.secret"
    file.write_text("\n".join(secrets) + "\n", encoding="utf-8")
    return file


async def test_a_call_is_signed(gate_server: Liar, tmp_path: Path) -> None:
    """The library's own verifier takes it, and with another body, or another secret, it does not."""
    [(headers, body)] = await told(gate_server, written(tmp_path, SECRET))

    assert Webhook(SECRET).verify(body, headers) == BODY
    for secret, changed in ((SECRET, body + b" "), (OTHER, body)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, headers)


async def test_each_try_has_the_same_id(gate_server: Liar, tmp_path: Path) -> None:
    """So that the other side knows a call that comes again; each is signed at its own time."""
    came = await told(gate_server, written(tmp_path, SECRET), tries=3)

    assert [headers["webhook-id"] for headers, _ in came] == ["gt_1"] * 3
    for headers, body in came:
        Webhook(SECRET).verify(body, headers)


async def test_two_secrets_sign_twice(gate_server: Liar, tmp_path: Path) -> None:
    """While one takes the place of another, who has either can verify."""
    [(headers, body)] = await told(gate_server, written(tmp_path, OTHER, SECRET))

    assert Webhook(SECRET).verify(body, headers) == Webhook(OTHER).verify(body, headers) == BODY


async def test_without_a_secret_calls_have_an_id_and_no_signature(gate_server: Liar) -> None:
    """Nothing that looks like one."""
    [(headers, _)] = await told(gate_server, None)

    assert headers["webhook-id"] == "gt_1"
    assert "webhook-signature" not in headers


async def test_a_changed_secret_is_taken_at_once(gate_server: Liar, tmp_path: Path) -> None:
    """It is read for each call."""
    file = written(tmp_path, SECRET)
    await told(gate_server, file)
    written(tmp_path, OTHER)
    [(headers, body)] = await told(gate_server, file)

    assert Webhook(OTHER).verify(body, headers) == BODY


@pytest.mark.parametrize("content", [None, "", "whsec_c2hvcnQ=", "no secret at all", f"{SECRET}\n" * 5, "x" * 5000])
async def test_a_secret_that_cannot_be_used_is_a_no_and_is_not_shown(
    gate_server: Liar, tmp_path: Path, *, content: str | None
) -> None:
    """Nothing goes out unsigned; the log names the file and nothing that is in it."""
    file = tmp_path / "gates.secret"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with capture_logs() as lines:
        async with HttpGates(HERE, SystemClock(), secret_file=file) as gates:
            answer = await gates.ask(at(gate_server.url))

    assert answer.message == "cannot be called: the operator's signing secret cannot be used"
    assert gate_server.seen == []
    assert [line["file"] for line in lines] == [str(file)]
    assert not content or content.strip()[:20] not in str(lines) + str(answer)


async def test_a_key_in_the_url_is_in_no_sentence(gates: HttpGates) -> None:
    """Where a connection fails, host and port say enough."""
    answer = await gates.ask(at(f"http://127.0.0.1:{free_port()}/?token=s3cret"))

    assert not answer.agrees
    assert "s3cret" not in answer.message


async def test_closed_gates_say_no() -> None:
    """Before they are opened nothing is called."""
    answer = await HttpGates(HERE, SystemClock()).ask(at("http://127.0.0.1:1"))

    assert (answer.agrees, answer.message) == (False, "gates are closed")
