"""The service's own metrics: every row of the table is moved by the part that it tells of, and nothing else is."""

import asyncio
import re
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rollout.analysis.samples import ERRORS
from rollout.engine.observation import BackendKey, Endpoints
from rollout.engine.table import Phase
from rollout.meter_table import SINKS, TABLE, Kind
from tests.api.world import NOBODY, V1, V2, WEB, World, options, world
from tests.fakes.measurements import TOTAL
from tests.waiting import until

AUTHORIZED = "/api/v1/rollouts/shop/web/commands"
OF_LIBRARY = re.compile(r"(process|python)_")
BY_ADAPTERS = {
    *("rollout_queries", "rollout_query_seconds", "rollout_shards", "rollout_shards_held", "rollout_events_lost"),
    "rollout_weights_effective",
}
"""What the doors to Prometheus, Envoy and the cluster count, and what many requests show: see tests/test_meters.py."""

BY_FAILOVER = {
    "rollout_failovers",
    "rollout_failover_state",
    "rollout_failover_ready",
    "rollout_failover_stopped",
    "rollout_probe_lateness_seconds",
}
"""What only Rollouts with failover move: see tests/controller/test_failover_meters.py."""


async def scraped(here: World) -> Mapping[str, float]:
    """Return the samples as ``name{labels}`` → value."""
    reply = await here.ask("GET", "/metrics")
    assert reply.status == 200
    found = {}
    for family in text_string_to_metric_families(reply.content.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def of(samples: Mapping[str, float], start: str) -> float:
    """Return the sum of the samples whose name and labels begin so."""
    return sum(value for name, value in samples.items() if name.startswith(start))


async def busy(here: World) -> None:
    """Let everything happen once that the table tells of."""
    gate = {"url": "http://ci.example/ok", "name": "load"}
    steps = [{"weight": 10, "hold": "1ms", "gates": [gate]}, {"weight": 50, "hold": "1h"}]
    checks = [{"name": "errors", "kind": "Errors"}]
    await here.apply(start="Manual", steps=steps, analysis={"checks": checks, "minRequests": 0})
    await until(lambda: here.service.controller.state(WEB) is not None)
    for body in ({"action": "start", "revision": "2"}, {"action": "resume"}):
        await here.ask("POST", AUTHORIZED, json=body)
    await here.ask("GET", "/api/v1/whoami", token="wrong")
    async with here.session.get(f"{here.url}/api/v1/events", headers={"Authorization": f"Bearer {here.token}"}):
        pass
    await until(lambda: here.service.controller.state(WEB).step == 2)  # type: ignore[union-attr]
    await until(lambda: of_counter(here, "rollout_gate_calls_total") and of_counter(here, "rollout_measurements_total"))


def of_counter(here: World, name: str) -> float:
    """Return the sum of a counter, past HTTP."""
    families = here.service.meters.registry.collect()
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def judged(here: World) -> None:
    """Let the judge see a canary that fails now and then, until there is evidence and nothing is decided yet."""
    for tick in range(3):
        now = here.service.clock.now()
        for backend, requests, bad in ((V1, 90, 0), (V2, 10, 1)):
            here.measurements.count(backend, TOTAL, now, requests * tick)
            here.measurements.count(backend, ERRORS, now, bad * tick)
        asks = len(here.measurements.asks)
        await until(lambda asks=asks: len(here.measurements.asks) > asks + 1)  # type: ignore[misc]
    await until(lambda: of_counter(here, "rollout_check_evidence_ratio"))


async def test_every_row_is_moved() -> None:
    """An attempt with all that the table tells of leaves no row without a value; the doors have their own tests."""
    async with world(given=options(failures_per_minute=1)) as here:
        await busy(here)
        await judged(here)
        asked = [(await here.ask("GET", "/api/v1/whoami", token="wrong")).status for _ in range(3)]  # a minute may end
        await until(lambda: of_counter(here, "rollout_event_streams_ended_total"))
        async with here.session.get(f"{here.url}/api/v1/events", headers={"Authorization": f"Bearer {here.token}"}):
            samples = await scraped(here)
    endings = {Kind.COUNTER: "_total", Kind.HISTOGRAM: "_count", Kind.GAUGE: ""}
    unmoved = {row.name for row in TABLE if not of(samples, f"{row.name}{endings[row.kind]}{{")}

    assert 429 in asked
    assert unmoved == BY_ADAPTERS | BY_FAILOVER | {row.name for row in SINKS}


async def test_nothing_is_there_that_the_table_does_not_tell() -> None:
    """A series that the reference does not explain is not served."""
    rows = {row.name for row in TABLE}
    async with world() as here:
        await busy(here)
        text = (await here.ask("GET", "/metrics")).content.decode()
    families = {family.name for family in text_string_to_metric_families(text)}
    unknown = {n for n in families if not OF_LIBRARY.match(n) and n.removesuffix("_created") not in rows}

    assert unknown == set()


async def test_what_happened_is_counted() -> None:
    """One start done, one resume refused, one wrong token, weights written, statuses recorded."""
    async with world() as here:
        await busy(here)
        samples = await scraped(here)

    assert of(samples, "rollout_commands_total{action=start,outcome=done") == 1
    assert of(samples, "rollout_commands_total{action=resume,outcome=refused,reason=IllegalInPhase") == 1
    assert of(samples, "rollout_authentication_failures_total") == 1
    assert of(samples, "rollout_route_writes_total{outcome=done}") >= 1
    assert of(samples, "rollout_records_total{outcome=done}") >= 2
    assert of(samples, "rollout_gate_calls_total") >= 1
    assert of(samples, "rollout_passes_total{outcome=done}") >= 3
    assert (
        of(samples, "rollout_http_requests_total{method=POST,route=/api/v1/rollouts/{namespace}/{name}/commands") == 2
    )
    assert of(samples, "rollout_transitions_total{phase=Progressing,reason=Started}") == 1


async def test_a_rollout_is_shown_as_it_stands() -> None:
    """Phase, weight in percent, weights by role, health and evidence are those of the attempt."""
    async with world() as here:
        await busy(here)
        samples = await scraped(here)
    who = "name=web,namespace=shop"

    assert samples["rollout_rollouts{phase=Progressing}"] == 1
    assert of(samples, f"rollout_phase{{{who},phase=Progressing") == 1
    assert samples[f"rollout_canary_weight_percent{{{who}}}"] == 50
    assert samples[f"rollout_backend_weight{{backend={V1},{who},role=stable}}"] == 50
    assert samples[f"rollout_backend_weight{{backend={V2},{who},role=canary}}"] == 50
    assert samples[f"rollout_backend_health{{backend={V1},health=Healthy,{who}}}"] == 1
    assert samples[f"rollout_step{{{who}}}"] == 2


async def test_health_that_changes_moves_its_series() -> None:
    """A backend without ready endpoints is Unhealthy, and no longer Healthy."""
    async with world() as here:
        await busy(here)
        here.health.put(BackendKey(WEB.namespace, V1), Endpoints(ready=0, total=2))
        await until(lambda: dict(here.service.controller.state(WEB).ready)[V1] == "Unhealthy")  # type: ignore[union-attr]
        samples = await scraped(here)

    assert [name for name in samples if name.startswith(f"rollout_backend_health{{backend={V1}")] == [
        f"rollout_backend_health{{backend={V1},health=Unhealthy,name=web,namespace=shop}}"
    ]


async def test_a_rollout_that_is_gone_has_no_series() -> None:
    """Series of a deleted Rollout vanish."""
    async with world() as here:
        await here.apply(start="Manual")
        await until(lambda: here.service.controller.state(WEB) is not None)
        await here.ask("DELETE", "/api/v1/rollouts/shop/web")
        await until(lambda: here.store.read(WEB) is None)
        await until(lambda: here.service.controller.state(WEB) is None)
        samples = await scraped(here)

    assert [name for name in samples if "name=web" in name] == []


async def test_what_failed_is_counted_as_that() -> None:
    """Routes that cannot be written are counted as unavailable."""
    async with world() as here:
        here.routes.down = True
        await here.apply(start="Manual", steps=[{"weight": 10, "hold": "1h"}], analysis={"checks": []})
        await here.ask("POST", AUTHORIZED, json={"action": "start", "revision": "2"})
        await until(lambda: of_counter(here, "rollout_route_writes_total"))
        samples = await scraped(here)

    assert of(samples, "rollout_route_writes_total{outcome=unavailable}") >= 1
    assert here.service.controller.state(WEB).phase is Phase.PROGRESSING  # type: ignore[union-attr]


async def test_too_many_requests_are_counted() -> None:
    """A request that comes too soon is counted, beside the answer 429."""
    async with world(given=options(rate_per_second=1, burst=2)) as here:
        statuses = [(await here.ask("GET", "/api/v1/whoami")).status for _ in range(4)]

        assert statuses.count(429) == of_counter(here, "rollout_rate_limited_total") >= 1


async def test_open_streams_are_counted() -> None:
    """A stream is counted while it is open, and by its end afterwards."""
    async with world() as here:
        headers = {"Authorization": f"Bearer {here.token}"}
        async with here.session.get(f"{here.url}/api/v1/events", headers=headers) as response:
            await response.content.readline()
            assert of_counter(here, "rollout_event_streams") == 1
        await until(lambda: of_counter(here, "rollout_event_streams_ended_total") == 1)
        ended = (await scraped(here))["rollout_event_streams_ended_total{why=gone}"]

    assert ended == 1


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text")],
)
async def test_the_form_is_the_readers_choice(accept: str, content_type: str) -> None:
    """Prometheus' text is the default; who prefers OpenMetrics gets that."""
    async with world() as here:
        reply = await here.ask("GET", "/metrics", headers={"Accept": accept})

    assert reply.headers["Content-Type"].startswith(content_type)


async def test_metrics_need_a_token() -> None:
    """Nobody without a token, or with one that may look at nothing, reads them."""
    async with world() as here:
        statuses = [(await here.ask("GET", "/metrics", token=token)).status for token in ("", "wrong", NOBODY)]

    assert statuses == [401, 401, 403]


async def test_scrapes_at_once_take_turns() -> None:
    """Several readers at once all get an answer."""
    async with world() as here:
        replies = await asyncio.gather(*(here.ask("GET", "/metrics") for _ in range(5)))

    assert [reply.status for reply in replies] == [200] * 5
