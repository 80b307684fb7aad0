"""Facts about the calendar: what it plans, and that it calls it."""

import asyncio

from rollout.controller.calendar import Calendar


async def _nothing() -> None:
    """Do nothing."""


def _resync() -> None:
    """Do nothing."""


async def test_it_plans_the_resync_and_the_trim() -> None:
    """Two jobs are there from the start, whatever the number of Rollouts."""
    calendar = Calendar(resync=_resync, trim=_nothing)

    assert set(calendar.jobs()) == {"resync", "trim"}


async def test_where_nothing_is_kept_nothing_is_trimmed() -> None:
    """A store that keeps no history of its own has the resync alone."""
    calendar = Calendar(resync=_resync)

    assert calendar.jobs() == ("resync",)


async def test_it_starts_and_stops_with_the_loop() -> None:
    """After a stop nothing is planned any more, and nothing was called meanwhile."""
    called: list[str] = []
    calendar = Calendar(resync=lambda: called.append("resync"), trim=_nothing)
    calendar.start()
    await asyncio.sleep(0)
    calendar.stop()

    assert called == []
