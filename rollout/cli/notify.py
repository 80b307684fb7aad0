"""`rollout notify`: how it goes with the sinks that are told of transitions, and a message for trial."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Shape, Written
from rollout.cli.connection import Connection, asks_server
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.api.sink_models import TrialView

app = typer.Typer(
    help="Sinks that are told of transitions: how it goes with them, and a message for trial.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Output(StrEnum):
    """How the list is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def _sinks(ctx: typer.Context, incomplete: str) -> list[str]:
    from rollout.cli.completion import sink_names

    return sink_names(ctx, incomplete)


@app.command("list")
@asks_server
def list_sinks(
    connection: Connection,
    *,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table (wide: all columns), or JSON or YAML.")
    ] = Output.TABLE,
) -> None:
    """List the sinks: what each has taken, what it was not told yet, and why the last try failed.

    Counts are those since the replica started that answers.
    """
    import shutil
    import sys
    import time

    from rollout.cli import sink_rows, tables
    from rollout.cli.outputs import note, write

    found = ask(connection, lambda api: api.sinks())
    if output in {Output.JSON, Output.YAML}:
        write(found, Shape(output.value))
        return
    if not found.items:
        note("No sinks are set up: see the setting sinks of rollout serve.")
        return
    is_wide = output is Output.WIDE
    rows = [sink_rows.row_of(item, now=time.time(), wide=is_wide) for item in found.items]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    typer.echo("\n".join(tables.lines(sink_rows.WIDE if is_wide else sink_rows.COLUMNS, rows, width=width)))


@app.command("test")
@asks_server
def try_sink(
    connection: Connection,
    sink: Annotated[str, typer.Argument(help="The sink.", autocompletion=_sinks, show_default=False)],
    *,
    sinks: Annotated[
        Path | None,
        typer.Option(
            "--sinks", help="File of sinks: the message is sent from here, and no server is asked.", show_default=False
        ),
    ] = None,
    output: Written = Shape.TEXT,
) -> None:
    """Send a sink a message that says it is a trial, and who asked for it; it is tried once.

    Without --sinks the service sends it: that needs the right to update Rollouts in all namespaces.
    """
    from rollout.cli.outputs import write
    from rollout.cli.texts import safe

    view = ask(connection, lambda api: api.test_sink(sink)) if sinks is None else _from_here(sinks, sink)
    if output is Shape.TEXT:
        typer.echo(safe(view.message))
    else:
        write(view, output)


def _from_here(file: Path, sink: str) -> TrialView:
    """Send the message from this process.

    Raises:
        typer.Exit: it could not be sent; the sentence is on standard error.
    """
    from rollout.api.sink_models import TrialView
    from rollout.bootstrap import telling
    from rollout.cli.running import fail
    from rollout.errors import RolloutError

    try:
        asyncio.run(telling.try_sink(file, sink, by=_person()))
    except RolloutError as error:
        raise fail(error) from None
    return TrialView(sink=sink, message=f"Sink {sink} has taken a message for trial.")


def _person() -> str:
    """Return who uses this machine; the system may not know."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
