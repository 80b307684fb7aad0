"""Events of Rollouts on a real API server."""

import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from rollout.clock import SystemClock
from rollout.kube.api import KubeApi
from rollout.kube.events import EventOptions, EventRecorder
from rollout.kube.notices import Notice
from rollout.kube.resources import EVENTS, version_of
from rollout.ports import Key
from tests.kubernetes.cluster import SOMEBODY, Cluster
from tests.kubernetes.proxy import Mode, Proxy
from tests.waiting import until

Found = list[dict[str, Any]]
QUICK = EventOptions(first_gap_seconds=0.05, rounds=2, flush_seconds=1.0)


@pytest.fixture
def notice(namespace: str) -> Notice:
    """Return something to tell of a Rollout in the namespace of the test."""
    return Notice(Key(namespace, "checkout"), "u1", "transition 1", "NoEvidence", "no samples yet", "Holding", 0.0)


@pytest.fixture
def found(cluster: Cluster, namespace: str) -> Callable[[], Found]:
    """Return how to read the events of the namespace, oldest first."""

    def read() -> Found:
        _, answer = cluster.ask("GET", EVENTS.path(namespace))
        events: Found = answer["items"]
        return sorted(events, key=lambda event: int(version_of(event)))

    return read


def recorder_of(
    api: KubeApi, options: EventOptions = QUICK, count_lost: Callable[[], None] = lambda: None
) -> EventRecorder:
    """Return a recorder, not yet started."""
    clock, chance = SystemClock(), random.random
    return EventRecorder(api, clock, instance="rollout-0", chance=chance, options=options, count_lost=count_lost)


@pytest.fixture
async def recorder(api: KubeApi) -> AsyncIterator[EventRecorder]:
    """Run a recorder."""
    made = recorder_of(api)
    await made.start()
    yield made
    await made.aclose()


async def test_an_event_is_there_soon(
    recorder: EventRecorder, notice: Notice, found: Callable[[], Found], cluster: Cluster
) -> None:
    """With all that a person asks for, and as `kubectl events --for` finds it."""
    recorder.tell(replace(notice, warning=True))

    await until(found)
    (event,) = found()
    assert (event["type"], event["reason"], event["action"], event["note"]) == (
        "Warning",
        "NoEvidence",
        "Holding",
        "no samples yet",
    )
    assert (event["reportingController"], event["reportingInstance"]) == ("rollout.dev/controller", "rollout-0")
    printed = await cluster.kubectl("events", "-n", notice.key.namespace, "--for", "rollout.rollout.dev/checkout")
    assert "no samples yet" in printed


async def test_the_same_again_raises_a_count(
    recorder: EventRecorder, notice: Notice, found: Callable[[], Found]
) -> None:
    """One event, whose series says how often; another sentence is another event."""
    for number in range(1, 6):
        recorder.tell(replace(notice, mark=f"transition {number}"))
        await until(lambda number=number: [told.get("series", {"count": 1})["count"] for told in found()] == [number])  # type: ignore[misc] # a default binds it
    recorder.tell(replace(notice, mark="transition 6", message="12 samples of 50"))

    await until(lambda: len(found()) == 2)
    assert found()[0]["series"]["lastObservedTime"] > found()[0]["eventTime"]
    assert found()[1].get("series") is None
    assert recorder.lost == 0


async def test_a_hundred_that_say_the_same_go_in_one_event(
    api: KubeApi, notice: Notice, found: Callable[[], Found]
) -> None:
    """What comes while the event waits goes along with it."""
    recorder = recorder_of(api)
    for number in range(100):
        recorder.tell(replace(notice, mark=f"transition {number}"))
    await recorder.start()

    await until(found)
    await recorder.aclose()
    (event,) = found()
    assert event["series"]["count"] == 100


async def test_what_was_told_before_a_crash_is_not_told_twice(
    recorder: EventRecorder, api: KubeApi, notice: Notice, found: Callable[[], Found]
) -> None:
    """Another recorder that tells of the same transition finds it there."""
    recorder.tell(notice)
    await until(found)
    second = recorder_of(api)
    await second.start()

    second.tell(notice)
    await second.aclose()

    assert len(found()) == 1
    assert second.lost == 0


async def test_an_event_that_the_api_server_has_lost_is_made_again(
    recorder: EventRecorder, api: KubeApi, notice: Notice, found: Callable[[], Found]
) -> None:
    """It keeps them for an hour."""
    recorder.tell(notice)
    await until(found)
    await api.delete(EVENTS, notice.key.namespace, found()[0]["metadata"]["name"])

    recorder.tell(replace(notice, mark="transition 2"))

    await until(found)
    recorder.tell(replace(notice, mark="transition 3"))
    await until(lambda: found()[0].get("series"))
    assert len(found()) == 1
    assert recorder.lost == 0


async def test_no_more_than_so_many_a_second(api: KubeApi, notice: Notice, found: Callable[[], Found]) -> None:
    """Five at once, then 20 a second: none is lost, they only come later."""
    recorder = recorder_of(api, replace(QUICK, per_second=20.0, burst=5))
    await recorder.start()
    began = time.monotonic()

    for number in range(30):
        recorder.tell(replace(notice, mark=f"transition {number}", message=f"{number} samples"))
    await until(lambda: len(found()) == 30)

    assert time.monotonic() - began > 25 / 20.0
    assert recorder.lost == 0
    await recorder.aclose()


async def test_what_the_api_server_refuses_is_lost_and_counted(
    cluster: Cluster, notice: Notice, found: Callable[[], Found]
) -> None:
    """Somebody without the right; the next one is tried all the same."""
    door = KubeApi(cluster.configuration(SOMEBODY), random.random)
    losses: list[int] = []
    recorder = recorder_of(door, count_lost=lambda: losses.append(1))
    await recorder.start()

    for number in range(3):
        recorder.tell(replace(notice, mark=f"transition {number}", message=f"{number} samples"))
        await until(lambda number=number: recorder.lost == number + 1)  # type: ignore[misc] # a default binds it

    assert found() == []
    assert losses == [1, 1, 1]
    await recorder.aclose()
    await door.aclose()


async def test_an_event_that_is_none_does_not_hold_up_others(
    recorder: EventRecorder, notice: Notice, found: Callable[[], Found]
) -> None:
    """A time that is none, and a namespace that does not exist."""
    recorder.tell(replace(notice, at=float("inf"), mark="a"))
    recorder.tell(replace(notice, key=Key("nowhere", "checkout"), uid="u2"))
    recorder.tell(replace(notice, uid="u3"))

    await until(found)
    assert recorder.lost == 2
    assert len(found()) == 1


async def test_nobody_waits_for_an_api_server_that_does_not_answer(
    far: KubeApi, proxy: Proxy, notice: Notice, found: Callable[[], Found]
) -> None:
    """Ten wait in the queue, the others are lost at once; when it answers again what waits is told."""
    recorder = recorder_of(far, replace(QUICK, most_waiting=10, rounds=10))
    await recorder.start()
    proxy.set(Mode.SWALLOW)

    for number in range(1000):
        recorder.tell(replace(notice, mark=f"transition {number}", message=f"{number} samples"))

    assert recorder.lost == 990
    proxy.set(Mode.PASS)
    await until(lambda: len(found()) == 10, seconds=15.0)
    await recorder.aclose()


async def test_an_end_waits_a_moment_for_what_waits(far: KubeApi, proxy: Proxy, notice: Notice) -> None:
    """And no longer: what could not be told by then is lost and counted."""
    recorder = recorder_of(far)
    await recorder.start()
    proxy.set(Mode.SWALLOW)
    for number in range(3):
        recorder.tell(replace(notice, mark=f"transition {number}", message=f"{number} samples"))
    began = time.monotonic()

    await recorder.aclose()

    assert time.monotonic() - began < 2.0
    assert recorder.lost == 3
