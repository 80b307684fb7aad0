"""Own probes of real targets: servers of the test on an address of this machine that is not loopback.

The API server takes no loopback address as an endpoint's.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from ipaddress import ip_address

import psutil
import pytest
from aiohttp import web

from rollout.kube.resources import ENDPOINT_SLICES, SERVICES
from tests.kubernetes.failover.shop import AWAY, HOME, at_home, backends, failover, is_in, refs, told
from tests.kubernetes.stage import Stage
from tests.tools import missing

FALL = 3
PROBE = {"http": {"path": "/healthz"}, "interval": "200ms", "timeout": "2s", "fall": FALL, "rise": 2}


def own_address() -> str:
    """Return an IPv4 address of this machine that an EndpointSlice may have, or none."""
    found = (one.address for each in psutil.net_if_addrs().values() for one in each if one.family is socket.AF_INET)
    return next((one for one in found if not (ip_address(one).is_loopback or ip_address(one).is_link_local)), "")


ADDRESS = own_address()
pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "::1", "localhost", ADDRESS or "127.0.0.1"])


class Target:
    """A server that answers ``status`` to everything; ``asked`` counts the requests."""

    def __init__(self) -> None:
        self.status = HTTPStatus.OK
        self.asked = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, ADDRESS, 0).start()
            self.port = runner.addresses[0][1]
            yield
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += request.path == "/healthz"
        return web.Response(status=self.status)


@asynccontextmanager
async def _targets(stage: Stage) -> AsyncIterator[dict[str, Target]]:
    """Serve each backend, behind a Service whose endpoint is always ready."""
    if not ADDRESS:
        missing("this machine has no address but loopback, which an EndpointSlice may not have")
    async with AsyncExitStack() as stack:
        targets = {name: Target() for name in ("checkout-v1", "checkout-v2", "checkout-dr")}
        for name, target in targets.items():
            await stack.enter_async_context(target.serving())
            spec = {"clusterIP": "None", "ports": [{"name": "web", "port": 8080}]}
            await stage.api.create(SERVICES, {"metadata": {"name": name}, "spec": spec}, namespace=stage.namespace)
            await stage.api.create(ENDPOINT_SLICES, _slice(name, target.port), namespace=stage.namespace)
        yield targets


def _slice(name: str, port: int) -> dict[str, object]:
    return {
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": port}],
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }


async def test_ready_pods_that_answer_500_are_left(stage: Stage) -> None:
    """After ``fall`` answers; the status names the probe and what it was told; back once they answer well."""
    async with _targets(stage) as targets:
        await stage.route(rules=[{"backendRefs": refs()}])
        signals = {"endpoints": {}, "probe": PROBE}
        await stage.rollout(backends=backends(), failover=failover(signals=signals))
        async with stage.controller(), stage.recorded() as seen:
            await at_home(stage)
            targets["checkout-v1"].status = HTTPStatus.INTERNAL_SERVER_ERROR
            before = targets["checkout-v1"].asked
            away = await is_in(stage, "FailedOver")
            asked = targets["checkout-v1"].asked - before
            await stage.weighs(*AWAY)
            targets["checkout-v1"].status = HTTPStatus.OK
            await is_in(stage, "Normal")
            await stage.weighs(*HOME)

    (message,) = told(away, "FailedOver")
    assert seen == [HOME, AWAY, HOME]
    assert asked >= FALL
    assert "probe: " in message
    assert "500" in message


async def test_an_idle_backup_is_probed_before_it_gets_traffic(stage: Stage) -> None:
    """Ready, and answering 503: the primary keeps the traffic although it fails; the backup gets it once it is well."""
    async with _targets(stage) as targets:
        await stage.route(rules=[{"backendRefs": refs()}])
        await stage.rollout(backends=backends(), failover=failover(signals={"probe": PROBE}))
        targets["checkout-dr"].status = HTTPStatus.SERVICE_UNAVAILABLE
        async with stage.controller(), stage.recorded() as seen:
            await at_home(stage)
            targets["checkout-v1"].status = HTTPStatus.INTERNAL_SERVER_ERROR
            await stage.until(lambda status: status["failover"].get("reason") == "NoHealthyBackup")
            unmoved = list(seen)
            targets["checkout-dr"].status = HTTPStatus.OK
            await stage.weighs(*AWAY)

    assert unmoved == [HOME]
