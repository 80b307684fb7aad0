"""A backend of the demo answers as it is told."""

import aiohttp
import pytest

from rollout.demo.behaviour import Behaviour
from rollout.demo.children import children
from rollout.demo.service import SERVED_BY, Desk

pytestmark = pytest.mark.real


async def test_http_service_changes_its_revision_while_it_runs() -> None:
    """After a revision is deployed, answers carry its name and its fault."""
    async with children() as programs, aiohttp.ClientSession() as session:
        shop = await programs.start_module("shop", "rollout.demo.service", "http", "shop-blue")
        port = (await shop.answer())["port"]
        async with session.get(f"http://127.0.0.1:{port}/shop/1") as good:
            assert (good.status, good.headers[SERVED_BY]) == (200, "shop-blue v1")
        await shop.tell(Behaviour("v2", error_share=1.0).to_wire())
        assert await shop.answer() == {"deployed": "v2"}
        async with session.get(f"http://127.0.0.1:{port}/shop/1") as bad:
            assert (bad.status, bad.headers[SERVED_BY]) == (500, "shop-blue v2")
        async with session.get(f"http://127.0.0.1:{port}/healthz") as health:
            assert health.status == 200


async def test_grpc_service_speaks_the_health_protocol_and_fails_as_told() -> None:
    """Health is SERVING; a fault answers INTERNAL and names who failed."""
    grpc = pytest.importorskip("grpc", reason="no gRPC: pip install 'rollout[demo]'")
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 - after the check that it is there

    async with children() as programs:
        cart = await programs.start_module("cart", "rollout.demo.service", "grpc", "cart-blue")
        port = (await cart.answer())["port"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            add = channel.unary_unary("/demo.Cart/Add")
            assert await add(b"", timeout=5) == b"cart-blue v1"
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            await cart.tell(Behaviour("v2", error_share=1.0).to_wire())
            await cart.answer()
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await add(b"", timeout=5)

    assert (failure.value.code(), failure.value.details()) == (grpc.StatusCode.INTERNAL, "cart-blue v2")


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_killed_service_comes_back_on_its_port(kind: str) -> None:
    """One that is told its port takes it, right after another one was killed there."""
    async with children() as programs:
        first = await programs.start_module("first", "rollout.demo.service", kind, "shop-blue")
        port = (await first.answer())["port"]
        await programs.kill(first)
        second = await programs.start_module("second", "rollout.demo.service", kind, "shop-blue", str(port))

        assert await second.answer() == {"port": port}


async def test_desk_names_backend_and_revision() -> None:
    """The signature changes with the behaviour."""
    desk = Desk("shop-green")
    desk.behaviour = Behaviour("v7")

    assert desk.signature == "shop-green v7"
    assert not await desk.turn()
