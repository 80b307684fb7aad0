"""The gRPC probe against real servers on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from rollout.failover.probing import Answer
from rollout.probes.asking import asker_for
from rollout.probes.said import Said
from rollout.probes.tls import Certificates
from rollout.signals import Target
from rollout.spec.probe import GrpcProbe, ProbeSignal, ProbeTls
from tests.probes.authority import Authority
from tests.probes.servers import OK, answering, free_target, hanging, probe, serving

STATUS = health_pb2.HealthCheckResponse


@asynccontextmanager
async def grpc_server(
    servicer: health.aio.HealthServicer | None, *, port: int = 0, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Target]:
    """Run a gRPC server with this health service."""
    server = grpc.aio.server()
    if servicer is not None:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    where = f"127.0.0.1:{port}"
    port = server.add_insecure_port(where) if credentials is None else server.add_secure_port(where, credentials)
    await server.start()
    try:
        yield Target("127.0.0.1", port)
    finally:
        await server.stop(None)


async def asked(target: Target, probe_: GrpcProbe | None = None, *, timeout: float = 2.0) -> Said:
    """Ask once."""
    signal = ProbeSignal(grpc=probe_ or GrpcProbe()).model_copy(update={"timeout": timeout})
    return await probe(asker_for(signal, target, Certificates()), timeout_seconds=timeout)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ("", Said(Answer.GOOD, "SERVING")),
        ("shop.Checkout", Said(Answer.GOOD, "SERVING")),
        ("shop.Ill", Said(Answer.BAD, "NOT_SERVING")),
        ("shop.Unsure", Said(Answer.BAD, "UNKNOWN")),
        ("shop.Nobody", Said(Answer.BAD, "NOT_FOUND")),
    ],
)
async def test_a_service_is_well_when_it_says_serving(service: str, said: Said) -> None:
    """An empty name asks for the whole server."""
    servicer = health.aio.HealthServicer()
    await servicer.set("shop.Checkout", STATUS.SERVING)
    await servicer.set("shop.Ill", STATUS.NOT_SERVING)
    await servicer.set("shop.Unsure", STATUS.UNKNOWN)
    async with grpc_server(servicer) as target:
        assert await asked(target, GrpcProbe(service=service)) == said


async def test_a_server_without_the_health_service_is_bad() -> None:
    """It says that it does not know the method."""
    async with grpc_server(None) as target:
        assert await asked(target) == Said(Answer.BAD, "UNIMPLEMENTED")


async def test_where_nobody_listens_the_answer_is_bad() -> None:
    """The library only says that it is not available; a plain connection says why."""
    assert await asked(free_target()) == Said(Answer.BAD, "refused")


async def test_what_cannot_be_asked_is_unsent() -> None:
    """A name without an address, and a port that is not known."""
    assert (await asked(Target("nobody.invalid", 80))).answer is Answer.UNSENT
    assert (await asked(Target("127.0.0.1", 0))).answer is Answer.UNSENT


async def test_a_server_that_hangs_is_bad() -> None:
    """It takes the connection and says nothing."""
    async with serving(hanging) as target:
        assert await asked(target, timeout=0.3) == Said(Answer.BAD, "timed out")


async def test_a_server_that_speaks_no_grpc_is_bad() -> None:
    """An HTTP/1.1 server does not know what to make of it."""
    async with serving(answering(OK)) as target:
        assert (await asked(target, timeout=0.5)).answer is Answer.BAD


async def test_a_server_that_comes_back_is_found_by_the_next_probe() -> None:
    """The library would wait with growing gaps before it connects again."""
    async with grpc_server(health.aio.HealthServicer()) as target:
        asker = asker_for(ProbeSignal(grpc=GrpcProbe()), target, Certificates())
        texts = [(await probe(asker, close=False)).text for _ in range(2)]
    texts += [(await probe(asker, close=False)).text for _ in range(3)]
    async with grpc_server(health.aio.HealthServicer(), port=target.port):
        texts.append((await probe(asker)).text)

    assert texts == ["SERVING"] * 2 + ["refused"] * 3 + ["SERVING"]


async def test_a_kept_channel_that_was_closed_meanwhile_is_no_evidence() -> None:
    """The server was restarted between two probes."""
    async with grpc_server(health.aio.HealthServicer()) as target:
        asker = asker_for(ProbeSignal(grpc=GrpcProbe()), target, Certificates())
        texts = [(await probe(asker, close=False)).text]
    async with grpc_server(health.aio.HealthServicer(), port=target.port):
        texts.append((await probe(asker)).text)

    assert texts == ["SERVING", "SERVING"]


@pytest.mark.parametrize(
    ("tls", "text"),
    [
        pytest.param(ProbeTls(ca="ca.pem", certificate="client.pem", key="client.key"), "SERVING", id="all is right"),
        pytest.param(ProbeTls(ca="ca.pem"), "UNAVAILABLE", id="no client certificate"),
        pytest.param(
            ProbeTls(ca="other.pem", certificate="client.pem", key="client.key"), "UNAVAILABLE", id="authority"
        ),
        pytest.param(
            ProbeTls(ca="ca.pem", certificate="client.pem", key="client.key", server_name="pay.internal"),
            "UNAVAILABLE",
            id="name",
        ),
        pytest.param(ProbeTls(ca="nobody.pem"), "nobody.pem cannot be read", id="no file"),
    ],
)
async def test_tls_works_both_ways(tmp_path: Path, tls: ProbeTls, text: str) -> None:
    """The authority and the name are checked, and a certificate is shown."""
    authority = Authority(tmp_path).make()
    Authority(tmp_path, "other").make()
    for name in ("server", "client"):
        authority.sign(name)
    pair = tuple((tmp_path / f"server.{end}").read_bytes() for end in ("key", "pem"))
    credentials = grpc.ssl_server_credentials([pair], authority.file.read_bytes(), require_client_auth=True)
    async with grpc_server(health.aio.HealthServicer(), credentials=credentials) as target:
        signal = ProbeSignal(grpc=GrpcProbe(), tls=tls)
        said = await probe(asker_for(signal, target, Certificates(tmp_path)))

    assert said.text == text
