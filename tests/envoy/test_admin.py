"""The client of the admin endpoint, against servers that misbehave and against Envoy."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from rollout.envoy.admin import AdminClient, AdminOptions, any_of
from rollout.errors import PermanentError, SourceTimeout, Unavailable
from tests.envoy.world import EnvoyWorld

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[AdminClient]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server with one answer for everything; return a client of it with a short time limit."""
    ends: list[Callable[[], Awaitable[None]]] = []

    async def start(answer: Answer) -> AdminClient:
        application = web.Application()
        application.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        ends.append(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = AdminClient(
            f"127.0.0.1:{runner.addresses[0][1]}", AdminOptions(timeout_seconds=0.2, most_bytes=100_000)
        )
        ends.append(client.aclose)
        return client

    yield start
    for end in reversed(ends):
        await end()


def saying(text: str, *, status: int = 200) -> Answer:
    """Return an answer with this text."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    return answer


async def test_counters_texts_and_histograms_are_told_apart(serve: Serve) -> None:
    """Numbers, versions and buckets come in one list."""
    client = await serve(
        saying(
            '{"stats": [{"name": "a.count", "value": 3}, {"name": "a.version_text", "value": "x"}, {"histograms": [{'
            '"name": "a.time", "buckets": [{"upper_bound": 0.5, "cumulative": 1}, {"upper_bound": 1, "cumulative": 2}]'
            "}]}]}"
        )
    )

    stats = await client.stats("^a")

    assert stats.numbers == {"a.count": 3}
    assert stats.texts == {"a.version_text": "x"}
    assert stats.histograms == {"a.time": {0.5: 1, 1.0: 2}}


@pytest.mark.parametrize("text", ["<html>", "[]", "3", '"x"', "{"])
async def test_what_is_no_admin_endpoint_is_unavailable(serve: Serve, text: str) -> None:
    """Somebody gave the wrong port."""
    client = await serve(saying(text))

    with pytest.raises(Unavailable, match="admin endpoint"):
        await client.stats("x")


@pytest.mark.parametrize("text", ["{}", '{"stats": 3}', '{"stats": [3, {"name": 4}, {"histograms": 5}]}'])
async def test_an_unexpected_form_counts_as_not_said(serve: Serve, text: str) -> None:
    """Nothing is made up and nothing breaks."""
    client = await serve(saying(text))

    assert not (await client.stats("x")).numbers


async def test_a_refused_question_is_permanent(serve: Serve) -> None:
    """Asking again would not help; what was said is told."""
    client = await serve(saying("Invalid re2 regex", status=400))

    with pytest.raises(PermanentError, match="Invalid re2 regex"):
        await client.stats("(")


async def test_an_error_of_the_server_is_asked_again(serve: Serve) -> None:
    """Once; the second answer counts."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(text='{"stats": []}', status=503 if len(asked) == 1 else 200)

    client = await serve(answer)
    await client.stats("x")

    assert asked == ["/stats", "/stats"]


async def test_a_server_that_always_fails_is_unavailable(serve: Serve) -> None:
    """The number of attempts is bounded."""
    client = await serve(saying("no", status=503))

    with pytest.raises(Unavailable, match="with 503"):
        await client.stats("x")


async def test_a_server_that_hangs_is_a_timeout(serve: Serve) -> None:
    """Within the time limit of each attempt."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    client = await serve(answer)

    async with asyncio.timeout(3):
        with pytest.raises(SourceTimeout, match=r"within 0\.2 s"):
            await client.stats("x")


async def test_an_answer_that_is_too_large_is_refused(serve: Serve) -> None:
    """It is not even read to its end."""
    client = await serve(saying("x" * 200_000))

    with pytest.raises(PermanentError, match="more than 100000 bytes"):
        await client.stats("x")


async def test_nobody_there_is_unavailable_and_not_ready() -> None:
    """The address is in the message."""
    client = AdminClient("127.0.0.1:1")
    try:
        with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1 cannot be reached"):
            await client.stats("x")
        assert not await client.ready()
    finally:
        await client.aclose()


async def test_hosts_are_ready_unless_something_is_said_against_them(serve: Serve) -> None:
    """By a check, by outlier detection, or by the discovery service."""
    states: list[dict[str, object]] = [
        {"eds_health_status": "HEALTHY"},
        {},
        {"eds_health_status": "HEALTHY", "failed_active_health_check": True},
        {"eds_health_status": "HEALTHY", "failed_outlier_check": True},
        {"eds_health_status": "DRAINING"},
    ]
    hosts = [
        {
            "address": {"socket_address": {"address": "10.0.0.1", "port_value": port}},
            "health_status": state,
            "stats": [{"name": "rq_error", "value": "12345678901"}],
        }
        for port, state in enumerate(states)
    ]
    client = await serve(
        saying(json.dumps({"cluster_statuses": [{"name": "v1", "host_statuses": hosts}, {"name": "v10"}]}))
    )

    clusters = await client.clusters(["v1"])

    assert list(clusters) == ["v1"]
    assert [host.ready for host in clusters["v1"].hosts] == [True, True, False, False, False]
    assert clusters["v1"].hosts[1].address == "10.0.0.1:1"
    assert clusters["v1"].hosts[0].counters == {"rq_error": 12345678901}


def test_names_are_matched_whole_and_literally() -> None:
    """A dot in a name is a dot."""
    assert any_of(["a.b", "c"]) == r"^(a\.b|c)$"


@pytest.mark.real
async def test_envoy_answers(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """Names are filtered on Envoy's side."""
    assert await admin.ready()
    assert list(await admin.clusters(["v1", "nobody"])) == ["v1"]
    assert (await admin.listeners()) == {"ingress": envoy.port}
    assert (await admin.stats(r"^cluster\.v1\.upstream_rq_total$")).numbers == {"cluster.v1.upstream_rq_total": 0}
