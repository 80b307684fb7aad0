"""A Prometheus that lies, stalls or refuses gives the right error in time, and never a token."""

import gzip
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollout.errors import PermanentError, RolloutError, SourceTimeout, Unavailable
from rollout.prometheus.answers import number_in, series_in
from rollout.prometheus.client import PrometheusClient
from rollout.prometheus.session import MOST_BYTES
from tests.prometheus.liar import Answer, Liar, breaks_off, drips, hangs, lying, result, says
from tests.tools import free_port

TOKEN = "s3cret-t0ken"
TIMEOUT = 0.5
BAD_DATA = '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:3: parse error"}'


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


@pytest.fixture
async def client(liar: Liar, tmp_path: Path) -> AsyncIterator[PrometheusClient]:
    """Return a client of the liar, with a token."""
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    made = PrometheusClient(liar.url, timeout_seconds=TIMEOUT, token_file=token)
    yield made
    made.close()


async def test_a_good_answer_is_read(liar: Liar, client: PrometheusClient) -> None:
    """The query goes out with its time and the token; NaN is no sample."""
    liar.answers = [result('[{"metric":{"__name__":"up","job":"a"},"values":[[1.5,"3"],[2.5,"NaN"],[3.5,"4e1"]]}]')]
    (series,) = await client.query('up{job="a"}[5s]', at=1234.5678, read=series_in)
    request = liar.seen[0]

    assert series.samples == ((1.5, 3.0), (3.5, 40.0))
    assert series.labels == {"__name__": "up", "job": "a"}
    assert dict(request.query) == {"query": 'up{job="a"}[5s]', "time": "1234.568"}
    assert request.path == "/api/v1/query"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("answer", "kind", "said", "tries"),
    [
        (says("<html>Sign in</html>", kind="text/html"), Unavailable, "not JSON", 2),
        (says(BAD_DATA, status=400), PermanentError, r'refused the query: HTTP 400: invalid parameter "query"', 1),
        (says("nope", status=401), PermanentError, "HTTP 401: nope", 1),
        (says("", status=404), PermanentError, "HTTP 404: Not Found", 1),
        (says("<h1>oops</h1>", status=500, kind="text/html"), Unavailable, r"failed: HTTP 500: <h1>oops</h1>", 2),
        (says("busy", status=429), Unavailable, "HTTP 429: busy", 2),
        (
            says('{"status":"error","errorType":"timeout","error":"query timed out"}', status=503),
            SourceTimeout,
            "up",
            1,
        ),
        (says('{"status":"error","errorType":"internal","error":"disk"}'), Unavailable, "answered with disk", 2),
        (says('{"status":"success"}'), Unavailable, "not of its query API", 2),
        (says('{"status":"success","data":null}'), Unavailable, "not of its query API", 2),
        (says('["a"]'), Unavailable, "not of its query API", 2),
        (says('{"status":"success","data":{"resu'), Unavailable, "not JSON", 2),
        (says(""), Unavailable, "not JSON", 2),
        (result('{"a":1}'), Unavailable, "not of its query API", 2),
        (result('[{"metric":{},"values":[[1]]}]'), Unavailable, "not of its query API", 2),
        (breaks_off, Unavailable, "cannot be reached", 2),
        (
            says('{"status":"success","data":{"result":[]},"warnings":["store \\"b\\" is down"]}'),
            Unavailable,
            r'only a part of the answer: store "b" is down',
            2,
        ),
        (says('{"status":"success","isPartial":true,"data":{"result":[]}}'), Unavailable, "only a part", 2),
    ],
)
async def test_what_is_no_answer_is_told_for_what_it_is(
    liar: Liar, client: PrometheusClient, *, answer: Answer, kind: type[RolloutError], said: str, tries: int
) -> None:
    """Which error it is decides what comes next; only what may be temporary is tried once more."""
    liar.answers = [answer]
    with pytest.raises(kind, match=said) as caught:
        await client.query("up", at=1.0, read=series_in)

    assert type(caught.value) is kind
    assert len(liar.seen) == tries
    assert str(caught.value).startswith("Prometheus at 127.0.0.1:")


@pytest.mark.parametrize("answer", [hangs, drips])
async def test_a_slow_answer_ends_in_time(liar: Liar, client: PrometheusClient, answer: Answer) -> None:
    """Neither silence nor a trickle takes longer than the limit; threads come free again."""
    liar.answers = [answer] * 5 + [result("[]")]
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(SourceTimeout, match="did not answer"):
            await client.query("up", at=1.0, read=series_in)
    took = time.monotonic() - began
    good = await client.query("up", at=1.0, read=series_in)

    assert took < 5 * TIMEOUT + 1
    assert good == ()


@pytest.mark.parametrize("packed", [False, True])
async def test_a_flood_is_cut_off(liar: Liar, *, packed: bool) -> None:
    """An answer without end, packed or not, is refused when it is too long."""
    body = b" " * (MOST_BYTES + 1)

    async def flood(_: web.Request) -> web.StreamResponse:
        headers = {"Content-Encoding": "gzip"} if packed else {}
        return web.Response(body=gzip.compress(body, 1) if packed else body, headers=headers)

    liar.answers = [flood]
    client = PrometheusClient(liar.url, timeout_seconds=20)
    with pytest.raises(Unavailable, match=f"more than {MOST_BYTES} bytes"):
        await client.query("up", at=1.0, read=series_in)
    client.close()


async def test_a_fault_that_passes_is_not_told(liar: Liar, client: PrometheusClient) -> None:
    """The second try may succeed."""
    liar.answers = [says("restarting", status=503), result('[1,"2"]')]

    assert await client.query("2", at=1.0, read=number_in) == 2.0


async def test_nobody_there_is_told_soon() -> None:
    """A refused connection names the address and the reason, without the query."""
    client = PrometheusClient(f"http://user:{TOKEN}@127.0.0.1:{free_port()}", timeout_seconds=5)
    began = time.monotonic()
    with pytest.raises(
        Unavailable, match=r"Prometheus at 127\.0\.0\.1:\d+ cannot be reached: Connection refused"
    ) as it:
        await client.query("up", at=1.0, read=series_in)
    client.close()

    assert time.monotonic() - began < 1
    assert TOKEN not in str(it.value)


async def test_a_token_that_is_sent_back_is_not_told(liar: Liar, client: PrometheusClient) -> None:
    """A server that repeats our headers in its error does not bring them into a log."""
    liar.answers = [says(f"you sent Authorization: Bearer {TOKEN}", status=403)]
    with pytest.raises(PermanentError, match=r"Bearer \*\*\*") as caught:
        await client.query("up", at=1.0, read=series_in)

    assert TOKEN not in repr(caught.value)
    assert TOKEN not in repr(caught.value.__cause__)


async def test_a_token_may_be_renewed(liar: Liar, tmp_path: Path) -> None:
    """The file is read for each query; one that is gone is told by its name."""
    path = tmp_path / "token"
    path.write_text("first")
    liar.answers = [result("[]")]
    client = PrometheusClient(liar.url, timeout_seconds=5, token_file=path)
    await client.query("up", at=1.0, read=series_in)
    path.write_text("second")
    await client.query("up", at=1.0, read=series_in)
    path.unlink()
    with pytest.raises(Unavailable, match=r"token: the token for Prometheus at .* cannot be read"):
        await client.query("up", at=1.0, read=series_in)
    client.close()

    assert [request.headers["Authorization"] for request in liar.seen] == ["Bearer first", "Bearer second"]


async def test_an_authority_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    """A wrong path to the certificate is found when the client is made."""
    with pytest.raises(Unavailable, match=r"ca\.pem: the certificate authority for Prometheus cannot be read"):
        PrometheusClient("https://127.0.0.1:1", ca_file=tmp_path / "ca.pem")


async def test_a_closed_client_asks_nothing(liar: Liar) -> None:
    """It says so."""
    client = PrometheusClient(liar.url)
    client.close()
    with pytest.raises(Unavailable, match="not asked any more"):
        await client.query("up", at=1.0, read=series_in)

    assert liar.seen == []


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('[1.0,"7"]', 7.0),
        ('[{"metric":{"a":"b"},"value":[1.0,"0.5"]}]', 0.5),
        ("[]", "the answer is empty"),
        ('[{"metric":{},"value":[1.0,"1"]},{"metric":{},"value":[1.0,"2"]}]', "the answer has 2 series; one is needed"),
        ('[1.0,"NaN"]', "the answer is NaN"),
        ('[{"metric":{},"value":[1.0,"+Inf"]}]', "the answer is infinite"),
        ('[1.0,"hello"]', "the answer is text; a number is needed"),
        ('[{"metric":{},"values":[[1.0,"1"]]}]', "the answer is a range of samples; a number is needed"),
        ('[{"metric":{},"histogram":[1.0,{}]}]', "the answer is a histogram; a number is needed"),
    ],
)
async def test_a_number_or_why_there_is_none(
    liar: Liar, client: PrometheusClient, answer: str, value: float | str
) -> None:
    """What a query of a person's own may answer."""
    liar.answers = [result(answer)]

    assert await client.query("x", at=1.0, read=number_in) == value
