"""`rollout demo`: a real Envoy, real services and load, three canaries judged and a failover before your eyes.

Joins the world of ``rollout.demo`` with the controller of ``rollout.bootstrap`` in this process;
everything that makes load runs in others. Registered as a command by ``rollout.cli.main``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from rollout.demo.acts import ACTS, ActName, ActResult
from rollout.errors import RolloutError

if TYPE_CHECKING:
    from rollout.controller.controller import Controller
    from rollout.demo.scene import Spectator
    from rollout.demo.world import World

PAUSE_SECONDS = 4.0
"""Between two acts of a live picture, to read."""

KILLED_BY = 128
"""A program that a signal ends exits with this and the signal's number, as shells do."""


class Output(StrEnum):
    """How the results are written."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line; ``ends_with`` is the program with which the demo ends."""

    acts: tuple[ActName, ...]
    headless: bool
    keep: bool
    output: Output
    ends_with: int | None = None


def demo(
    *,
    act: Annotated[list[ActName] | None, typer.Option(help="Play only this act; may be given again.")] = None,
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines instead of a live picture.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end, until Ctrl-C.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table, or JSON as the only thing on standard output.")
    ] = Output.TABLE,
    ends_with: Annotated[int | None, typer.Option(hidden=True, help="End when this process ends.")] = None,
) -> None:
    """See it work on a real Envoy: canaries are promoted or rolled back, and a killed primary has a backup."""
    console = Console(stderr=output is Output.JSON)
    options = Options(tuple(act or ActName), headless or not console.is_terminal, keep, output, ends_with)
    try:
        code = asyncio.run(_interruptible(_demo(options, console), ends_with))
    except RolloutError as error:
        typer.echo(f"rollout demo: {error}", err=True)
        code = 1
    raise typer.Exit(code)


async def _interruptible(work: Coroutine[None, None, int], ends_with: int | None) -> int:
    """Return what ``work`` returns; a first signal ends it in order, and further ones do not disturb that."""
    loop, main, caught = asyncio.get_running_loop(), asyncio.ensure_future(work), list[int]()

    def end(number: int) -> None:
        if not caught:
            caught.append(number)
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)
    try:
        with _when_gone(ends_with, lambda: end(signal.SIGHUP)):
            return await main
    except asyncio.CancelledError:
        if not caught:
            raise
        return KILLED_BY + caught[0]


@contextmanager
def _when_gone(pid: int | None, call: Callable[[], None]) -> Iterator[None]:
    """Call ``call`` when the process ``pid`` ends, while inside."""
    if pid is None:
        yield
        return
    watched = os.pidfd_open(pid)
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(watched)
        call()

    loop.add_reader(watched, gone)
    try:
        yield
    finally:
        loop.remove_reader(watched)
        os.close(watched)


async def _demo(options: Options, console: Console) -> int:
    """Play the acts that were asked for, report, and return the exit code."""
    from rollout.demo.scraper import find_prometheus
    from rollout.demo.world import Plan, open_world

    console.print(
        "Starting Envoy, two services with two versions and a backup each, and 200 requests a second on either."
    )
    async with open_world(Plan(prometheus=find_prometheus())) as world:
        results = await _play(world, options, console)
    return 0 if all(result.as_expected for result in results) else 1


async def _play(world: World, options: Options, console: Console) -> tuple[ActResult, ...]:
    """Play before a controller that runs in this process; report; with ``keep`` go on until interrupted."""
    from rollout.bootstrap.envoy import envoy_runtime
    from rollout.demo.waiting import alongside

    with _logs(world):
        async with envoy_runtime(world.settings()) as runtime:
            controller = asyncio.shield(runtime.done)
            results = await alongside(_show(world, runtime.controller, options, console), controller)
            _report(results, options, console)
            if options.keep:
                console.print(_kept(world), markup=False, highlight=False, soft_wrap=True)
                await alongside(world.watch(), asyncio.shield(runtime.done))
    return results


async def _show(world: World, controller: Controller, options: Options, console: Console) -> tuple[ActResult, ...]:
    from rollout.demo.attempts import states_of
    from rollout.demo.show import Show

    source = f"Prometheus at {world.prometheus_url}" if world.prometheus_url else "Envoy's admin endpoint"
    acts = [ACTS[name] for name in options.acts]
    pause = 0.0 if options.headless else PAUSE_SECONDS
    with _spectator(options, console) as spectator:
        return await Show(world, states_of(controller), spectator, acts, source, pause_seconds=pause).play()


def _report(results: tuple[ActResult, ...], options: Options, console: Console) -> None:
    from rollout.demo.report import as_json, as_table

    console.print(as_table(results))
    if options.output is Output.JSON:
        typer.echo(json.dumps(as_json(results), indent=2))


@contextmanager
def _spectator(options: Options, console: Console) -> Iterator[Spectator]:
    """Give who looks on: a live picture, or plain lines."""
    from rich.live import Live

    from rollout.demo.lines import Lines
    from rollout.demo.live import Screen

    if options.headless:
        yield Lines(lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True))
        return
    with Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop") as live:
        yield Screen(live)


@contextmanager
def _logs(world: World) -> Iterator[None]:
    """Let the controller's log go to a file of the world, so that it does not run through the picture."""
    import structlog

    with (world.folder / "controller.log").open("w", encoding="utf-8") as file:
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
        render = structlog.processors.JSONRenderer()
        structlog.configure(
            processors=[structlog.processors.add_log_level, stamp, structlog.processors.format_exc_info, render],
            logger_factory=structlog.WriteLoggerFactory(file),
        )
        logging.basicConfig(stream=file, level=logging.WARNING, force=True)
        try:
            yield
        finally:
            structlog.reset_defaults()
            logging.basicConfig(stream=sys.stderr, force=True)


def _kept(world: World) -> str:
    """Return what is told when everything keeps running."""
    gateway = world.gateway
    lines = [
        "\nEverything keeps running until Ctrl-C:",
        f"  HTTP        http://{gateway.clients}/shop",
        f"  gRPC        {gateway.clients}, method demo.Cart/Add",
        f"  Envoy       {gateway.admin_url}",
        f"  Prometheus  {world.prometheus_url or 'none on this machine'}",
        f"  manifests   {world.manifests} (change spec.revision to start an attempt)",
        f"  routes      {gateway.routes}",
        f"  logs        {world.folder}/*.log",
        f"To end it from elsewhere: kill {os.getpid()}",
    ]
    return "\n".join(lines)
