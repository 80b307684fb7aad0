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


def _flag(help_text: str, variable: str) -> typer.models.OptionInfo:
    """Return an option that can also be given by the environment."""
    option: typer.models.OptionInfo = typer.Option(envvar=f"ROLLOUT_{variable}", help=help_text)
    return option


Manifests = Annotated[Path, _flag("Folder of Rollout and policy manifests.", "MANIFESTS")]
Rds = Annotated[list[Path], _flag("An RDS file whose named routes may be changed; may be given again.", "RDS")]
Admin = Annotated[str, _flag("Envoy's admin address.", "ADMIN")]
Database = Annotated[Path, _flag("SQLite file for intent and state.", "DATABASE")]
Staging = Annotated[
    Path | None,
    _flag("Folder for unfinished files: on the filesystem of the RDS files, not watched by Envoy.", "STAGING"),
]
Prometheus = Annotated[
    str | None, _flag("Prometheus' address; without it, Envoy's own counters are read.", "PROMETHEUS")
]
TokenFile = Annotated[Path | None, _flag("File with a bearer token for Prometheus.", "PROMETHEUS_TOKEN_FILE")]
CaFile = Annotated[
    Path | None, _flag("File with the certificates that Prometheus' own is checked against.", "PROMETHEUS_CA_FILE")
]
Tick = Annotated[str, _flag("How often counters are asked for.", "TICK")]
GateHosts = Annotated[
    list[str] | None, _flag("A host (or host:port) that gates and hooks may call; may be given again.", "GATE_HOSTS")
]
Format = Annotated[LogFormat, _flag("How log lines are written.", "LOG_FORMAT")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log every write, too.")]


def serve(
    *,
    manifests: Manifests,
    rds: Rds,
    admin: Admin = "http://127.0.0.1:9901",
    database: Database = Path("rollout.db"),
    staging: Staging = None,
    prometheus: Prometheus = None,
    prometheus_token_file: TokenFile = None,
    prometheus_ca_file: CaFile = None,
    tick: Tick = "10s",
    gate_host: GateHosts = None,
    log_format: Format = LogFormat.CONSOLE,
    verbose: Verbose = False,
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
        prometheus_ca_file=prometheus_ca_file,
        tick_seconds=_seconds(tick),
        gate_hosts=tuple(gate_host or ()),
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
        rollouts, source = len(list(runtime.store.keys())), settings.prometheus or settings.admin
        log.info("serving", rollouts=rollouts, counters_from=source, tick_seconds=settings.tick_seconds)
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({stopped, runtime.done}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if runtime.done.done():
            await runtime.done
        log.info("stopping")
