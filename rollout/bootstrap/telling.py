"""Sinks joined with the controller: the operator's file, what sends to each, their quiet hours, and who is told.

Called by both runtimes, which say when it begins and ends; ``read_sinks`` also by the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from rollout.api.service import NoSinks
from rollout.clock import SystemClock
from rollout.controller.controller import Controller, Ports
from rollout.controller.passes import Told
from rollout.controller.timetable import Timetable
from rollout.controller.zones import unknown_zone, zone_of
from rollout.errors import NotOursError
from rollout.meters import Meters
from rollout.notify import reading
from rollout.notify.delivery.notifier import Notifier
from rollout.notify.delivery.options import Reach
from rollout.notify.gauges import SinkGauges
from rollout.notify.notices import trial
from rollout.notify.senders.make import make_sender
from rollout.notify.sinks import FILES, Sink, Sinks
from rollout.ports import Clock
from rollout.signals import NoticeDesk

log = structlog.get_logger(__name__)


def read_sinks(path: Path) -> Sinks:
    """Return the sinks that the file names.

    Raises:
        ConfigurationError: it cannot be read, or holds what is wrong.
    """
    return reading.read_sinks(path, unknown_zone)


async def with_sinks(ports: Ports, path: Path | None, meters: Meters) -> Ports:
    """Return the ports with the sinks of the file as those who are told, their figures in ``meters``.

    Raises:
        ConfigurationError: the file is wrong, or names a sink that cannot be had.
    """
    if path is None:
        return ports
    sinks = await asyncio.to_thread(read_sinks, path)
    for sink, file in await asyncio.to_thread(lambda: list(_absent(sinks))):
        log.warning("a file of a sink is not there; nothing can be sent until it is", sink=sink.name, file=str(file))
    notifier = _notifier(sinks, ports.clock)
    meters.registry.register(SinkGauges(notifier.standings, ports.clock.now))
    log.info("sinks are told of transitions", file=str(path), sinks=[sink.name for sink in sinks.sinks])
    return replace(ports, notices=notifier)


async def try_sink(path: Path, name: str, *, by: str) -> None:
    """Send a sink of the file a message that says it is a trial, and by whom it was asked for; try once.

    Raises:
        ConfigurationError: the file is wrong, or the sink cannot be had.
        NotOursError: there is no such sink.
        TemporaryError, PermanentError: it was not delivered.
    """
    sinks, clock = await asyncio.to_thread(read_sinks, path), SystemClock()
    sink = next((one for one in sinks.sinks if one.name == name), None)
    if sink is None:
        names = ", ".join(one.name for one in sinks.sinks) or "none"
        raise NotOursError(f"there is no sink {name} in {path}; there is: {names}")
    async with aclosing(make_sender(sink, clock=clock)) as sender:
        await sender.send(trial(name, by=by, at=clock.now()))


def _notifier(sinks: Sinks, clock: Clock) -> Notifier:
    senders = {sink.name: make_sender(sink, clock=clock) for sink in sinks.sinks}
    quiet = {
        sink.name: Timetable(sink.quiet.during, zone_of(sink.quiet.time_zone) or ZoneInfo("UTC"))
        for sink in sinks.sinks
        if sink.quiet is not None
    }
    return Notifier(sinks, senders, clock=clock, quiet=quiet)


def _absent(sinks: Sinks) -> Iterator[tuple[Sink, Path]]:
    for sink in sinks.sinks:
        for file in (getattr(sink, name) for name in FILES):
            if file is not None and not file.is_file():
                yield sink, file


def begin_telling(ports: Ports, controller: Controller, stack: AsyncExitStack) -> None:
    """Tell what the controller does until ``stack`` is closed, which ends the controller after this.

    So what was told last can still be recorded.
    """
    notifier = ports.notices
    if not isinstance(notifier, Notifier):
        return

    def heard(told: Told) -> None:
        if told.transition is not None:
            notifier.heard(told.key)

    controller.subscribe(heard)
    notifier.begin(
        Reach(
            state=controller.state,
            stored=ports.store.read,
            holds=controller.acts_for,
            wake=controller.wake,
        )
    )
    stack.push_async_callback(notifier.aclose)


def desk_of(ports: Ports) -> NoticeDesk:
    """Return who answers for the sinks."""
    return ports.notices if isinstance(ports.notices, Notifier) else NoSinks()
