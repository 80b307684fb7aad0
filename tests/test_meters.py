"""The counts themselves: how a call ends, what the doors to the outside tell, and that others can read all of it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rollout.controller.gauges import RolloutGauges
from rollout.controller.metered import MeteredGates
from rollout.engine.hooks import Fault, GateAnswer
from rollout.engine.state import Condition, State, Transition
from rollout.engine.table import Phase
from rollout.envoy.admin import AdminClient
from rollout.errors import (
    ConflictError,
    NotOursError,
    PermanentError,
    RolloutError,
    SourceTimeout,
    Unavailable,
    UpdateRefused,
)
from rollout.meter_table import TABLE, Kind
from rollout.meters import Meters, outcome_of, timed
from rollout.ports import GateCall, Key
from rollout.prometheus.answers import number_in
from rollout.prometheus.client import PrometheusClient
from rollout.spec.resource import Gate
from tests.controller.builders import FailingGates
from tests.prometheus.liar import Answer, Liar, lying, result, says
from tests.tools import find_promtool, missing

Samples = dict[tuple[str, ...], float]


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    """Run a server that answers as it is told."""
    async with lying() as server:
        yield server


def read(meters: Meters, name: str) -> Samples:
    """Return the values of the samples with this name, by the values of their labels in the order of their names."""
    families = text_string_to_metric_families(generate_latest(meters.registry).decode())
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}


def test_shards_and_lost_events_are_counted() -> None:
    """Whether anybody acts can be seen from outside, and what nobody was told."""
    meters, held = Meters(), [0, 3]
    meters.shards_are(lambda: len(held), of=4)
    meters.event_lost()
    held.clear()

    assert read(meters, "rollout_shards") == {(): 4.0}
    assert read(meters, "rollout_shards_held") == {(): 0.0}
    assert read(meters, "rollout_events_lost_total") == {(): 1.0}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (ConflictError("x"), "conflict"),
        (NotOursError("x"), "gone"),
        (UpdateRefused("x"), "refused"),
        (PermanentError("x"), "refused"),
        (SourceTimeout("x"), "timeout"),
        (Unavailable("x"), "unavailable"),
        (RuntimeError("x"), "failed"),
    ],
)
def test_the_outcome_tells_what_to_look_at(error: Exception | None, outcome: str) -> None:
    """Each kind of error has its own label, and one that nobody foresaw is a failure."""
    assert outcome_of(error) == outcome


async def test_a_call_that_fails_is_counted_and_fails() -> None:
    """Whoever called hears the error as it was."""
    meters = Meters()

    async def fail() -> None:
        raise Unavailable("the disk is full")

    with pytest.raises(Unavailable, match="the disk is full"):
        await timed(fail(), meters.recorded)

    assert read(meters, "rollout_records_total") == {("unavailable",): 1}
    assert read(meters, "rollout_record_seconds_count") == {(): 1}


async def test_the_seconds_of_a_call_are_its_own() -> None:
    """What it waited for counts."""
    meters = Meters()
    await timed(asyncio.sleep(0.05), meters.wrote)

    assert 0.045 < read(meters, "rollout_route_write_seconds_sum")[()] < 1


async def test_what_is_cancelled_has_not_failed() -> None:
    """A stop leaves no failure behind, of a pass or of a gate."""
    meters, gates = Meters(), FailingGates()
    gates.hold = asyncio.Event()
    asked = MeteredGates(gates, meters).ask(GateCall("gt_1", Gate(name="load", url="http://ci.example"), {}))
    tasks = [asyncio.ensure_future(asked), asyncio.ensure_future(timed(asyncio.sleep(60), meters.passed))]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    assert read(meters, "rollout_gate_calls_total") == {}
    assert read(meters, "rollout_passes_total") == {("done",): 0}


@pytest.mark.parametrize("agrees", [True, False])
async def test_answers_of_gates_are_counted(*, agrees: bool) -> None:
    """A yes and a no are told apart, and the answer is handed on."""
    meters, gates = Meters(), FailingGates()
    gates.answers["http://ci.example"] = GateAnswer(agrees=agrees, message="answered")
    answer = await MeteredGates(gates, meters).ask(GateCall("gt_1", Gate(name="load", url="http://ci.example"), {}))

    assert answer.agrees is agrees
    assert read(meters, "rollout_gate_calls_total") == {("agrees" if agrees else "refuses",): 1}


async def test_a_gate_that_is_not_reached_is_counted_as_such() -> None:
    """So that an alert can tell a gate that is down from one that says no."""
    meters, gates = Meters(), FailingGates()
    gates.answers["http://ci.example"] = GateAnswer(agrees=False, message="refused", fault=Fault.UNREACHABLE)
    await MeteredGates(gates, meters).ask(GateCall("gt_1", Gate(name="load", url="http://ci.example"), {}))

    assert read(meters, "rollout_gate_calls_total") == {("unreachable",): 1}


async def test_a_gate_that_breaks_is_counted() -> None:
    """An adapter's own fault is no answer."""
    meters, gates = Meters(), FailingGates()
    gates.error = RuntimeError("a fault in an adapter")
    with pytest.raises(RuntimeError):
        await MeteredGates(gates, meters).ask(GateCall("gt_1", Gate(name="load", url="http://ci.example"), {}))

    assert read(meters, "rollout_gate_calls_total") == {("failed",): 1}


async def test_queries_to_prometheus_are_counted(liar: Liar) -> None:
    """Once for each question, second tries within it: one answered, one refused."""
    liar.answers = [says("restarting", status=503), result('[1,"2"]'), says("nope", status=401)]
    meters = Meters()
    client = PrometheusClient(liar.url, timeout_seconds=5, count=partial(meters.asked, "prometheus"))
    await client.query("up", at=1.0, read=number_in)
    with pytest.raises(PermanentError):
        await client.query("up", at=1.0, read=number_in)
    client.close()

    assert read(meters, "rollout_queries_total") == {("done", "prometheus"): 1, ("refused", "prometheus"): 1}
    assert read(meters, "rollout_query_seconds_count") == {("prometheus",): 2}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (says('{"stats": []}'), "done"),
        (says("no such filter", status=400), "refused"),
        (says("overloaded", status=503), "unavailable"),
        (says("<html>"), "unavailable"),
    ],
)
async def test_questions_to_envoy_are_counted(liar: Liar, answer: Answer, outcome: str) -> None:
    """Once for each question, by what it came to for whoever asked."""
    liar.answers = [answer]
    meters = Meters()
    client = AdminClient(liar.url, count=partial(meters.asked, "envoy"))
    with suppress(RolloutError):
        await client.stats("^a")
    await client.aclose()

    assert read(meters, "rollout_queries_total") == {(outcome, "envoy"): 1}
    assert read(meters, "rollout_query_seconds_count") == {("envoy",): 1}


def test_two_services_do_not_share_counts() -> None:
    """Each has a registry of its own."""
    one, other = Meters(), Meters()
    one.rate_limited()

    assert read(one, "rollout_rate_limited_total") == {(): 1}
    assert read(other, "rollout_rate_limited_total") == {(): 0}


def test_values_of_labels_are_escaped() -> None:
    """Quotes, backslashes and line ends come out as they went in."""
    value = 'a"b\\c\nd'
    meters = Meters()
    meters.moved("Aborting", value)

    assert read(meters, "rollout_transitions_total") == {("Aborting", value): 1}


def test_every_row_is_told_once() -> None:
    """Names are ours and unique, and each says something."""
    names = [row.name for row in TABLE]

    assert len(names) == len(set(names))
    assert all(row.name.startswith("rollout_") and row.meaning.endswith(".") for row in TABLE)
    assert not [row.name for row in TABLE if row.kind is Kind.COUNTER and row.name.endswith("_total")]


@pytest.mark.parametrize(
    ("status", "shown"), [("True", {("web", "shop"): 1.0}), ("False", {("web", "shop"): 0.0}), ("Unknown", {})]
)
def test_weights_that_nobody_could_compare_are_not_shown(status: str, shown: dict[tuple[str, ...], float]) -> None:
    """An alert on weights without effect rests on what was counted."""
    meters, condition = Meters(), Condition("WeightsEffective", status, "Told", "", 1_800_000_000.0)
    meters.registry.register(RolloutGauges(lambda: [(Key("shop", "web"), State(conditions=(condition,)))]))

    assert read(meters, "rollout_weights_effective") == shown


@pytest.mark.real
def test_promtool_accepts_all() -> None:
    """The checker of Prometheus has nothing to say about a service with Rollouts at rest and at work."""
    promtool = find_promtool() or missing("no promtool on PATH or in the cache: run `make tools`")
    meters = Meters()
    meters.request_began()
    meters.request_ended("GET", "/api/v1/rollouts/{namespace}", 200, 0.1)
    meters.asked("envoy", 0.1, None)
    made = Transition(1, 1_800_000_000.0, Phase.PROGRESSING, 1, (("v1", 90), ("v2", 10)), "Started", "It began.")
    working = State(phase=Phase.PROGRESSING, stable="v1", canary="v2", attempt=1, step=1, transitions=(made,))
    meters.registry.register(RolloutGauges(lambda: [(Key("shop", "web"), State()), (Key("shop", "mail"), working)]))
    told = subprocess.run(
        [promtool, "check", "metrics"],
        input=generate_latest(meters.registry),
        capture_output=True,
        timeout=20,
        check=False,
    )

    assert (told.returncode, told.stdout, told.stderr) == (0, b"", b"")
