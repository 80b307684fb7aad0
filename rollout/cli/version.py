"""`rollout version`: of this program, and of the server when asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rollout import __version__
from rollout.cli.arguments import Shape
from rollout.cli.connection import Connection, Flags, connection_from
from rollout.cli.running import ask, fail
from rollout.errors import ConfigurationError


def version(
    *,
    server: Annotated[bool, typer.Option("--server", help="Ask the server, too; see `rollout context`.")] = False,
    context: Annotated[str | None, typer.Option(help="With --server: the context to ask with.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="With --server: a file with the token.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="With --server: certificates to check its own against.")] = None,
    output: Annotated[Shape, typer.Option("--output", "-o", help="Lines, or JSON or YAML.")] = Shape.TEXT,
) -> None:
    """Print the version of this program; with --server that of the server, too. Alone it asks nobody."""
    told: dict[str, object] = {"client": __version__}
    if server:
        connection = _connection(Flags(context=context, token_file=token_file, ca_file=ca_file))
        found = ask(connection, lambda api: api.version())
        told |= {"server": found.version, "runtime": found.runtime, "address": connection.server}
    if output is not Shape.TEXT:
        from rollout.cli.outputs import write

        write(told, output)
    elif server:
        from rollout.cli.texts import safe

        typer.echo(f"client {__version__}")
        typer.echo(safe(f"server {told['server']} ({told['runtime']}) at {told['address']}"))
    else:
        typer.echo(__version__)


def _connection(flags: Flags) -> Connection:
    try:
        return connection_from(flags, os.environ)
    except ConfigurationError as error:
        raise fail(error) from None
