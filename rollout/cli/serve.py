"""`rollout serve`: the controller beside a plain Envoy, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from rollout.errors import RolloutError
from rollout.settings import ServeSettings
from rollout.telemetry import LogFormat, configure_logs

UNUSABLE = 1
MISUSED = 2


def serve(  # noqa: PLR0913 - one argument for each flag
    *,
    manifests: Annotated[
        Path, typer.Option(envvar="ROLLOUT_MANIFESTS", help="Folder of Rollout and policy manifests.")
    ],
    rds: Annotated[
        list[Path],
        typer.Option(envvar="ROLLOUT_RDS", help="An RDS file whose named routes may be changed; may be given again."),
    ],
    admin: Annotated[
        str, typer.Option(envvar="ROLLOUT_ADMIN", help="Envoy's admin address.")
    ] = "http://127.0.0.1:9901",
    database: Annotated[Path, typer.Option(envvar="ROLLOUT_DATABASE", help="SQLite file for intent and state.")] = Path(
        "rollout.db"
    ),
    staging: Annotated[
        Path | None,
        typer.Option(
            envvar="ROLLOUT_STAGING",
            help="Folder for unfinished files, on the filesystem of the RDS files and not watched by Envoy.",
        ),
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(
            envvar="ROLLOUT_PROMETHEUS", help="Prometheus' address; without it, Envoy's own counters are read."
        ),
    ] = None,
    prometheus_token_file: Annotated[
        Path | None,
        typer.Option(envvar="ROLLOUT_PROMETHEUS_TOKEN_FILE", help="File with a bearer token for Prometheus."),
    ] = None,
    tick: Annotated[str, typer.Option(envvar="ROLLOUT_TICK", help="How often counters are asked for.")] = "10s",
    gate_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="ROLLOUT_GATE_HOSTS", help="A host (or host:port) that gates and hooks may call; may be given again."
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="ROLLOUT_LOG_FORMAT", help="How log lines are written.")
    ] = LogFormat.CONSOLE,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every write, too.")] = False,
) -> None:
    """Run the controller beside a plain Envoy: Rollouts from a folder, weights in your own RDS files."""
    settings = _checked(
        manifests=manifests,
        rds=tuple(rds),
        admin=admin,
        database=database,
        staging=staging,
        prometheus=prometheus,
        prometheus_token_file=prometheus_token_file,
        tick_seconds=_seconds(tick),
        gate_hosts=tuple(gate_host or ()),
        log_format=log_format,
        verbose=verbose,
    )
    configure_logs(log_format, verbose=verbose)
    try:
        asyncio.run(_serve(settings))
    except RolloutError as error:
        typer.echo(f"rollout serve: {error}", err=True)
        raise typer.Exit(UNUSABLE) from error


def _seconds(tick: str) -> float:
    from rollout.spec.quantities import parse_duration

    try:
        return parse_duration(tick)
    except ValueError as error:
        raise typer.BadParameter(f"{tick!r} {error}", param_hint="--tick") from error


def _checked(**values: object) -> ServeSettings:
    from pydantic import ValidationError

    try:
        return ServeSettings.model_validate(values)
    except ValidationError as error:
        for problem in error.errors():
            flag = "--" + str(problem["loc"][0]).replace("_seconds", "").replace("_", "-")
            typer.echo(f"rollout serve: {flag}: {problem['msg']} (given: {str(problem['input'])[:80]})", err=True)
        raise typer.Exit(MISUSED) from error


async def _serve(settings: ServeSettings) -> None:
    import structlog

    from rollout.bootstrap import envoy_runtime

    log = structlog.get_logger("rollout.serve")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with envoy_runtime(settings) as runtime:
        source = settings.prometheus or settings.admin
        log.info(
            "serving",
            rollouts=len(list(runtime.store.keys())),
            counters_from=source,
            tick_seconds=settings.tick_seconds,
        )
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, runtime.done}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if runtime.done.done():
            await runtime.done
        log.info("stopping")
