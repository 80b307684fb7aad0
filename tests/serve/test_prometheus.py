"""A Prometheus that lies moves no weight: the attempt stays where it is and says why."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.prometheus.liar import Answer, hangs, lying, says
from tests.prometheus.stand_in import standing_in
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

STEPS = ((20, "1s"), (50, "1s"))
AT_STEP_1 = {"checkout-v1": 80, "checkout-v2": 20}


async def held(world: ServeWorld, reason: str) -> str:
    """Begin an attempt and wait until it says `reason`; return its message once the hold time is long over."""
    world.put(manifest("checkout", revision="1", steps=STEPS))
    await world.server.serving()
    await world.adopted()
    world.put(manifest("checkout", revision="2", steps=STEPS))
    await world.weights_are(AT_STEP_1)
    await world.server.until(lambda: world.status().get("reason") == reason)
    since = time.monotonic()
    await world.server.until(lambda: time.monotonic() > since + 2)
    return str(world.status()["message"])


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """What is open during a test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(says("<html>Bad gateway</html>", kind="text/html"), "JSON", id="HTML"),
        pytest.param(says("<html>Bad gateway</html>", status=502, kind="text/html"), "502", id="502"),
        pytest.param(says('{"status":"error","error":"out of memory"}', status=500), "out of memory", id="500"),
        pytest.param(says('{"status":"success","data":{"result":"none"}}'), "", id="another form"),
    ],
)
async def test_answers_that_are_none_hold(tmp_path: Path, stack: AsyncExitStack, answer: Answer, words: str) -> None:
    """HTML, errors and answers of another form are a source that is down: held, with what it said."""
    liar = await stack.enter_async_context(lying())
    liar.answers = [answer]
    world = await stack.enter_async_context(serve_world(tmp_path, "checkout", prometheus=liar.url))
    message = await held(world, "SourceDown")

    assert world.weights() == AT_STEP_1
    assert words in message
    assert world.phase() == "Progressing"


async def test_silent_prometheus_holds_and_does_not_keep_the_command_from_ending(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    """A Prometheus that takes the question and never answers is told as slow; SIGTERM ends within 5 s nevertheless."""
    liar = await stack.enter_async_context(lying())
    liar.answers = [hangs]
    world = await stack.enter_async_context(serve_world(tmp_path, "checkout", prometheus=liar.url))
    await held(world, "SourceSlow")
    code, seconds = await world.server.end()

    assert world.weights() == AT_STEP_1
    assert code == 0
    assert seconds <= 5


async def test_more_bad_requests_than_requests_hold(tmp_path: Path, stack: AsyncExitStack) -> None:
    """Counters that contradict themselves are told as impossible, and nothing moves."""
    stand_in = await stack.enter_async_context(standing_in())
    now = int(time.time())
    for name in ("checkout-v1", "checkout-v2"):
        labels, times = {"envoy_cluster_name": name, "instance": "envoy:1"}, range(now - 30, now + 60)
        stand_in.add("envoy_cluster_upstream_rq_completed", labels, *((at, 10.0 * (at - now + 30)) for at in times))
        bad = labels | {"envoy_response_code_class": "5"}
        stand_in.add("envoy_cluster_upstream_rq_xx", bad, *((at, 20.0 * (at - now + 30)) for at in times))
    world = await stack.enter_async_context(serve_world(tmp_path, "checkout", prometheus=stand_in.url))
    message = await held(world, "ImpossibleNumbers")

    assert world.weights() == AT_STEP_1
    assert "10" in message
    assert "20" in message


async def test_absent_prometheus_holds(tmp_path: Path, stack: AsyncExitStack) -> None:
    """An address at which nobody listens holds the attempt and is named."""
    world = await stack.enter_async_context(serve_world(tmp_path, "checkout", prometheus="http://127.0.0.1:9"))
    message = await held(world, "SourceDown")

    assert world.weights() == AT_STEP_1
    assert "127.0.0.1:9" in message
