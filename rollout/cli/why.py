"""`rollout why`: why a Rollout is where it is, what the next step waits for and how long, and what the judge sees."""

from __future__ import annotations

import sys

import typer

from rollout.cli.arguments import Name, Shape, Written
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

PLAIN_WIDTH = 10_000
"""Where no terminal looks on, no line is broken."""


@asks_server
def why(connection: Connection, name: Name, *, output: Written = Shape.TEXT) -> None:
    """Tell why a Rollout is where it is, and all that its next step waits for, with how long that takes.

    Below it stands what each check has seen, and which endpoints are ready. Durations are at present rates: of
    requests, of the weight, of samples. What a person or a gate decides has none.
    """
    key = key_of(name, connection)
    live = ask(connection, lambda api: api.live(*key))
    if output is not Shape.TEXT:
        from rollout.cli.outputs import write

        write(live, output)
        return
    from rich.console import Console

    from rollout.cli.why_text import why_text

    on_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, highlight=False, width=None if on_terminal else PLAIN_WIDTH)
    with console.capture() as written:
        console.print(why_text(live, bars=on_terminal))
    typer.echo("\n".join(line.rstrip() for line in written.get().splitlines()))
