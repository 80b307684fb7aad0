"""The commands of failover: `rollout failover`, `failback`, `unlatch`, `hold`, `drill`.

Left and waited for as all commands are (``rollout.cli.orders``); `rollout approve --epoch` approves a failover.
Registered as commands by ``rollout.cli.main``.
"""

from __future__ import annotations

from typing import Annotated

import typer

from rollout.cli.arguments import Name, NoWait, Reason, Shape, Wait, Written
from rollout.cli.connection import Connection, asks_server
from rollout.cli.orders import DEFAULT_WAIT, Epoch, Order


def _backups(ctx: typer.Context, incomplete: str) -> list[str]:
    from rollout.cli.completion import backup_names

    return backup_names(ctx, incomplete)


@asks_server
def failover(
    connection: Connection,
    name: Name,
    *,
    to: Annotated[
        str | None,
        typer.Option(help="The backup; else the most preferred one that is healthy.", autocompletion=_backups),
    ] = None,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Move all traffic to a backup now; it stays there until `rollout failback`."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("failover", to=to)


@asks_server
def failback(
    connection: Connection,
    name: Name,
    *,
    epoch: Epoch,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Begin the way back to the primary, in the steps of spec.failover.failback.

    `rollout watch --failover` looks on until it is over.
    """
    Order(connection, name, reason, wait, no_wait, output).carry_out("failback", epoch=epoch)


@asks_server
def unlatch(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """End the latch after too many failovers, or a hold: failover decides by itself again."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("unlatch")


@asks_server
def hold(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Let failover move nothing, whatever happens, until `rollout unlatch`."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("hold")


@asks_server
def drill(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Give the backup its share of spec.failover.drill now, for as long as that says.

    `rollout watch --failover` looks on until it is over; `rollout describe` tells how it ended.
    """
    Order(connection, name, reason, wait, no_wait, output).carry_out("drill")
