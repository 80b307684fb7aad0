"""`rollout serve`: the controller and its API beside a plain Envoy, until SIGTERM or Ctrl-C.

Registered as a command by ``rollout.cli.main``. Its flags are made from the table of settings.
"""

from __future__ import annotations

import asyncio
import signal

import typer

from rollout.cli.serve_flags import printable, takes_settings
from rollout.errors import RolloutError
from rollout.settings.reading import Effective
from rollout.settings.table import ServeSettings, masked
from rollout.telemetry import configure_logs

UNUSABLE = 1


@takes_settings
def serve(*, effective: Effective) -> None:
    """Run the controller beside a plain Envoy: Rollouts from a folder or by the API, weights in your own RDS files."""
    import structlog

    settings = effective.settings
    configure_logs(settings.log_format, settings.log_level)
    for warning in effective.warnings:
        structlog.get_logger("rollout.serve").warning(printable(warning))
    try:
        asyncio.run(_serve(settings))
    except RolloutError as error:
        typer.echo(f"rollout serve: {error}", err=True)
        raise typer.Exit(UNUSABLE) from error


async def _serve(settings: ServeSettings) -> None:
    import structlog

    from rollout.bootstrap import envoy_runtime

    log = structlog.get_logger("rollout.serve")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with envoy_runtime(settings) as runtime:
        rollouts, source = len(list(runtime.store.keys())), masked(settings.prometheus or settings.admin)
        log.info("serving", rollouts=rollouts, counters_from=source, tick_seconds=settings.tick_seconds)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, runtime.done}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if runtime.done.done():
            await runtime.done
        log.info("stopping")
