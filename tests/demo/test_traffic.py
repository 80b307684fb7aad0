"""Adding up the load program's reports."""

import asyncio

import pytest

from rollout.demo.tally import Report, Seen, Tally
from rollout.demo.traffic import Traffic


def a_report(*, since: float = 0.0, answered: int = 50, failed: int = 0) -> Report:
    """Return a report of a quarter of a second with these answers of each service."""
    tally = Tally(answered, {"blue": Seen(answered, failed)})
    return Report(since, since + 0.25, {"shop": tally, "cart": tally})


async def test_window_counts_from_its_opening_to_its_closing() -> None:
    """Reports before and after a window are not in it."""
    traffic = Traffic()
    await traffic.take(a_report())
    window = traffic.open_window()
    await traffic.take(a_report())
    await traffic.take(a_report())
    traffic.close_window(window)
    await traffic.take(a_report())

    assert window.of("shop").answered == 100
    assert traffic.total.of("shop").answered == 200


async def test_rate_comes_from_the_last_two_seconds() -> None:
    """Only the last eight reports count for a rate, over the time that they cover."""
    traffic = Traffic()
    for number in range(20):
        await traffic.take(a_report(since=number * 0.25, answered=50 if number > 11 else 1))

    recent, seconds = traffic.recent("cart")

    assert recent.answered / seconds == pytest.approx(200)


async def test_no_report_is_no_rate() -> None:
    """Before the first report nothing was seen in no time."""
    assert Traffic().recent("shop") == (Tally(), 0.0)


async def test_traffic_flows_once_each_service_answered_well() -> None:
    """Failed answers alone are not traffic."""
    traffic = Traffic()
    flows = asyncio.ensure_future(traffic.flows())
    await asyncio.sleep(0)
    await traffic.take(a_report(answered=5, failed=5))
    await asyncio.sleep(0)
    assert not flows.done()
    await traffic.take(a_report(answered=5, failed=0))

    await asyncio.wait_for(flows, 1)


async def test_settling_waits_for_two_reports() -> None:
    """What is under way when an attempt ends is in the next report but one at the latest."""
    traffic = Traffic()
    settled = asyncio.ensure_future(traffic.settle())
    await asyncio.sleep(0)
    await traffic.take(a_report())
    await asyncio.sleep(0)
    assert not settled.done()
    await asyncio.sleep(0)
    await traffic.take(a_report())

    await asyncio.wait_for(settled, 1)
