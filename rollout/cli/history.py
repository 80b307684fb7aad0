"""`rollout history`: the transitions of a Rollout, newest first."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Name, Shape, Tabled
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.api.models import TransitionItem
    from rollout.cli.client import ApiClient

PAGE = 1000
MOST = 100_000
"""With --all, no more than this is read."""


@asks_server
def history(
    connection: Connection,
    name: Name,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="So many at most.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="All that are kept.")] = False,
    output: Tabled = Shape.TEXT,
) -> None:
    """List what happened to a Rollout, newest first: when, phase, step, weights, reason and why."""
    key = key_of(name, connection)
    items = ask(connection, lambda api: _transitions(api, key, MOST if everything else limit))
    if output is not Shape.TEXT:
        from rollout.cli.outputs import write

        write({"items": items}, output)
    elif items:
        from rollout.cli.transitions import table

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        typer.echo("\n".join(table(items, width=width)))
    else:
        typer.echo(f"{key[0]}/{key[1]} has no transitions yet.", err=True)


async def _transitions(api: ApiClient, key: tuple[str, str], most: int) -> list[TransitionItem]:
    """Return up to ``most`` transitions, page by page."""
    found: list[TransitionItem] = []
    before: int | None = None
    while len(found) < most:
        page = await api.history(*key, limit=min(PAGE, most - len(found)), before=before)
        found += page.items
        if (before := page.next) is None:
            break
    return found
