"""`rollout serve`: the controller and its API, beside a plain Envoy or on a cluster, until SIGTERM or Ctrl-C.

Registered as a command by ``rollout.cli.main``. Its flags are made from the table of settings.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, assert_never

import structlog
import typer

from rollout.cli.serve_flags import printable, takes_settings
from rollout.errors import RolloutError, Unavailable
from rollout.settings.reading import Effective
from rollout.settings.table import RuntimeName, ServeSettings
from rollout.telemetry import configure_logs

if TYPE_CHECKING:
    from rollout.bootstrap.running import Runtime

log = structlog.get_logger("rollout.serve")

UNUSABLE = 1
SIGNALS = (signal.SIGTERM, signal.SIGINT)
FIRST_SENTENCE = "The first token, for an operator, is shown only now (its hash is in {file}): {token}"


@takes_settings
def serve(*, effective: Effective) -> None:
    """Run the controller: beside a plain Envoy (weights in your own RDS files), or on a Kubernetes cluster."""
    settings = effective.settings
    configure_logs(settings.log_format, settings.log_level)
    for warning in effective.warnings:
        log.warning(printable(warning))
    try:
        asyncio.run(_serve(settings))
    except RolloutError as error:
        typer.echo(f"rollout serve: {error}", err=True)
        raise typer.Exit(UNUSABLE) from error


async def _serve(settings: ServeSettings) -> None:
    """Serve until a signal; what should go on until then and ends by itself is an error.

    Raises:
        RolloutError: it cannot be begun, or a part of it has ended.
    """
    from rollout.bootstrap.files import ask_for_files
    from rollout.controller.memory import settle_all

    stop = _stopped_by_signals()
    ask_for_files()
    opening = _runtime(settings)
    settle_all()  # all is imported and no pass has begun; what many Rollouts add is settled by the controller
    async with opening as runtime:
        if runtime.first_token:
            _show(FIRST_SENTENCE.format(file=settings.tokens_file, token=runtime.first_token))
        log.info(
            "serving",
            rollouts=len(list(runtime.store.keys())),
            runtime=settings.runtime.value,
            counters_from=runtime.counters_from,
            tick_seconds=settings.tick_seconds,
            api=runtime.url or "off",
        )
        await until_stopped(stop, runtime.parts)
    log.info("stopped")


def _runtime(settings: ServeSettings) -> AbstractAsyncContextManager[Runtime]:
    match settings.runtime:
        case RuntimeName.ENVOY:
            from rollout.bootstrap.envoy import envoy_runtime

            return envoy_runtime(settings)
        case RuntimeName.KUBERNETES:
            from rollout.bootstrap.kubernetes import kubernetes_runtime

            return kubernetes_runtime(settings)
        case never:
            assert_never(never)


async def until_stopped(stop: asyncio.Event, parts: Collection[asyncio.Task[None]]) -> None:
    """Return when ``stop`` is set.

    Raises:
        Unavailable: one of ``parts`` has ended, which none should; or what ended it.
    """
    stopped = asyncio.create_task(stop.wait())
    ended, _ = await asyncio.wait({stopped, *parts}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    log.info("stopping")
    for part in parts:
        if part in ended:
            await part
            raise Unavailable(f"{part.get_name()} has ended by itself")


def _show(sentence: str) -> None:
    """Print a sentence that has a token; it must not go anywhere else."""
    try:
        typer.echo(sentence)
    except OSError as error:
        log.warning("the first token could not be shown; make another with `rollout token create`", why=str(error))


def _stopped_by_signals() -> asyncio.Event:
    """Return what the first SIGTERM or SIGINT sets; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def begin() -> None:
        stop.set()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in SIGNALS:
        loop.add_signal_handler(number, begin)
    return stop
