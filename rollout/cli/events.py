"""`rollout events`: transitions as they happen, a line each, until interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Lines, MaybeName
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.cli.client import ApiClient
    from rollout.cli.stream import Told


@asks_server
def events(
    connection: Connection,
    name: MaybeName = None,
    *,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
    output: Annotated[Lines, typer.Option("--output", "-o", help="A sentence, or JSON, on each line.")] = Lines.TEXT,
) -> None:
    """Follow what happens from now on; after a break of the connection it goes on where it was."""
    if name is not None and all_namespaces:
        raise typer.BadParameter("does not go with a name", param_hint="--all-namespaces")
    namespace = "" if all_namespaces else connection.namespace
    key = key_of(name, connection) if name is not None else None
    ask(connection, lambda api: _follow(api, key, namespace, output))


async def _follow(api: ApiClient, key: tuple[str, str] | None, namespace: str, output: Lines) -> None:
    from contextlib import aclosing

    from rollout.cli.outputs import note
    from rollout.cli.stream import ALL_EVENTS, follow, path_of

    path = path_of(*key) if key is not None else ALL_EVENTS
    query = [("namespace", namespace)] if key is None and namespace else []
    async with aclosing(follow(api, path, query, lost=lambda why: note(f"{why}; trying again"))) as told:
        async for each in told:
            _say(each, output)


def _say(told: Told, output: Lines) -> None:
    from rollout.cli.outputs import line_of, note
    from rollout.cli.stream import Happened, Missed, Opened
    from rollout.cli.transitions import line

    match told:
        case Opened():
            note("following; Ctrl-C ends it")
        case Missed():
            note(f"transitions {told.after + 1} to {told.first - 1} of the journal are no longer kept")
        case Happened() if output is Lines.JSON:
            typer.echo(line_of({"sequence": told.sequence, **told.event.model_dump(mode="json", by_alias=True)}))
        case Happened():
            typer.echo(line(told.event.namespace, told.event.name, told.event.transition))
