"""The metrics of a `rollout serve` that runs: everything in it that counts does so in what is scraped.

Envoy is away in this test: its questions end without an answer, and the Rollout says what it waits for.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout import __version__
from tests.serve.alone import CHECKOUT, put, server_alone
from tests.serve.server import Server
from tests.serve.world import manifest

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

Samples = dict[tuple[str, ...], float]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """`rollout serve`, not started."""
    server = server_alone(tmp_path)
    yield server
    await server.kill()


async def scraped(server: Server) -> Samples:
    """Return the samples by name and values of labels, these in the order of their names."""
    headers = {"Authorization": f"Bearer {server.token}"}
    limit = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.get(f"{server.url}/metrics", headers=headers) as response,
    ):
        text = await response.text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in samples}


async def test_a_process_counts_what_it_does(server: Server) -> None:
    """Its version, its start, its Rollout, what it recorded, and the Envoy that is not there."""
    await server.serving()
    status, _ = await put(server, CHECKOUT, manifest("checkout", revision="1", steps=[(10, "1h")]))
    found, deadline = await scraped(server), time.monotonic() + 20
    while ("rollout_records_total", "done") not in found and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        found = await scraped(server)

    assert status == 201
    assert found["rollout_build", __version__] == 1
    assert found["rollout_records_total", "done"] >= 1
    assert found["rollout_passes_total", "done"] >= 1
    assert found["rollout_pass_lateness_seconds_count",] >= found["rollout_pass_seconds_count",] >= 1
    assert found["rollout_queries_total", "unavailable", "envoy"] >= 1
    assert found["rollout_http_requests_total", "PUT", "/api/v1/rollouts/{namespace}/{name}", "2xx"] == 1
    assert sum(value for key, value in found.items() if key[0] == "rollout_rollouts") == 1
    assert found["process_start_time_seconds",] > 1_700_000_000
