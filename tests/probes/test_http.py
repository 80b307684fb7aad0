"""The HTTP probe against servers on loopback, good ones and bad ones."""

import asyncio

import pytest

from rollout.failover.probing import Answer
from rollout.probes.http import HttpAsker
from rollout.probes.said import Said
from rollout.signals import Target
from rollout.spec.probe import HttpProbe
from tests.envoy.backends import HttpBackend
from tests.probes.servers import OK, Behaviour, answering, free_target, hanging, once, probe, resetting, serving

PLAIN = HttpProbe()


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Answer.GOOD),
        (204, Answer.GOOD),
        (299, Answer.GOOD),
        (301, Answer.BAD),
        (404, Answer.BAD),
        (503, Answer.BAD),
    ],
)
async def test_a_real_server_is_well_when_it_answers_2xx(status: int, answer: Answer) -> None:
    """A redirect is none: what it leads to was not asked."""
    backend = HttpBackend("v1")
    backend.status = status
    await backend.start()
    try:
        said = await probe(HttpAsker(Target("127.0.0.1", backend.port), PLAIN, None))
    finally:
        await backend.close()

    assert said == Said(answer, str(status))


async def _dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in OK:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("behave", "text"),
    [
        pytest.param(hanging, "timed out", id="hangs"),
        pytest.param(_dripping, "timed out", id="drips"),
        pytest.param(resetting, "reset", id="resets"),
        pytest.param(once(b""), "closed", id="closes"),
        pytest.param(once(b"HTTP/1.1 200 OK\r\nX: "), "closed", id="closes in the middle"),
        pytest.param(answering(b"220 smtp.example ESMTP\r\n"), "no HTTP", id="garbage"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000), "head too long", id="huge head"),
    ],
)
async def test_a_server_that_misbehaves_is_bad(behave: Behaviour, text: str) -> None:
    """And the evidence says how."""
    async with serving(behave) as target:
        said = await probe(HttpAsker(target, PLAIN, None), timeout_seconds=0.3)

    assert said == Said(Answer.BAD, text)


async def test_where_nobody_listens_the_answer_is_bad() -> None:
    """The machine is there and says so."""
    assert await probe(HttpAsker(free_target(), PLAIN, None)) == Said(Answer.BAD, "refused")


async def test_the_request_names_path_and_host() -> None:
    """What would end a line is escaped; without a host of its own the target is named."""
    requests: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with serving(behave) as target:
        await probe(HttpAsker(target, HttpProbe(path="/größe now?deep=1", host="shop.example"), None))
        await probe(HttpAsker(target, HttpProbe(path="healthz"), None))

    assert requests[0].startswith(b"GET /gr%C3%B6%C3%9Fe%20now?deep=1 HTTP/1.1\r\nHost: shop.example\r\n")
    assert requests[1].startswith(b"GET /healthz HTTP/1.1\r\nHost: %s\r\n" % str(target).encode())


async def test_a_host_that_cannot_be_sent_is_not_sent() -> None:
    """It says nothing of the target."""
    asker = HttpAsker(free_target(), HttpProbe(host="a b"), None)

    assert await probe(asker) == Said(Answer.UNSENT, "the host cannot be sent")


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        pytest.param(OK, 1, id="kept"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 3, id="closed"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 3, id="chunked"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore", 3, id="more than announced"),
        pytest.param(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 1, id="bad but whole"),
    ],
)
async def test_a_connection_is_used_again_where_that_is_safe(answer: bytes, connections: int) -> None:
    """Three probes, one connection; where the end of an answer is not clear, each has its own."""
    opened: list[None] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(None)
        await answering(answer)(reader, writer)

    async with serving(behave) as target:
        asker = HttpAsker(target, PLAIN, None)
        said = {(await probe(asker, close=False)).answer for _ in range(3)}
        await asker.aclose()

    assert len(said) == 1
    assert len(opened) == connections


async def test_a_kept_connection_that_was_closed_meanwhile_is_no_evidence() -> None:
    """Servers close idle ones; another is opened within the same probe."""
    ended = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await once(OK)(reader, writer)
        ended.set()

    async with serving(behave) as target:
        asker = HttpAsker(target, PLAIN, None)
        first = await probe(asker, close=False)
        await ended.wait()
        second = await probe(asker)

    assert (first.text, second.text) == ("200", "200")


async def test_a_kept_connection_that_is_reset_at_the_second_request_is_no_evidence() -> None:
    """The server closed it just when the request was on its way."""
    behaviours = [0, 0]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaviours[0] += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await resetting(reader, writer)

    async with serving(behave) as target:
        asker = HttpAsker(target, PLAIN, None)
        texts = [(await probe(asker, close=False)).text for _ in range(3)]
        await asker.aclose()

    assert texts == ["200"] * 3
    assert behaviours[0] == 3


async def test_a_new_connection_is_opened_after_a_timeout() -> None:
    """What comes late on the old one is nobody's answer."""
    answers = [b"", OK]

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(answers.pop(0))(reader, writer)

    async with serving(behave) as target:
        asker = HttpAsker(target, PLAIN, None)
        first = await probe(asker, timeout_seconds=0.1, close=False)
        second = await probe(asker)

    assert (first.text, second.text) == ("timed out", "200")
