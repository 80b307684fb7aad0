"""`rollout switch`: stops all automatic failover at once, lets it be again, or tells how it stands."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Reason, Shape, Written
from rollout.cli.connection import Connection, asks_server
from rollout.cli.running import Code, ask

if TYPE_CHECKING:
    from rollout.api.models import SwitchRequest


class Turn(StrEnum):
    """What is done with the switch."""

    STATUS = "status"
    STOP = "stop"
    RELEASE = "release"


@asks_server
def switch(
    connection: Connection,
    turn: Annotated[
        Turn, typer.Argument(help="Tell how it stands, stop all automatic failover, or let it be again.")
    ] = Turn.STATUS,
    *,
    reason: Reason = None,
    output: Written = Shape.TEXT,
) -> None:
    """Stop all automatic failover of all Rollouts at once, for as long as it takes.

    Nothing is moved by itself then, neither away nor back; what people command is carried out. Everybody sees who
    stopped it, when and why. Asks for the right to update Rollouts in all namespaces.
    """
    if turn is Turn.STATUS and reason is not None:
        raise typer.BadParameter("goes with stop and release", param_hint="--reason")
    from rollout.cli.outputs import note, write

    if turn is Turn.STATUS:
        view = ask(connection, lambda api: api.switch())
    else:
        wanted = _request(reason, stopped=turn is Turn.STOP)
        view = ask(connection, lambda api: api.turn_switch(wanted))
    if output is Shape.TEXT:
        from rollout.cli.texts import safe

        typer.echo(safe(view.message))
    else:
        write(view, output)
    if turn is Turn.RELEASE and view.stopped:
        note("warning: it is released, and the setting of the service stops it all the same")
        raise typer.Exit(Code.COULD_NOT)


def _request(reason: str | None, *, stopped: bool) -> SwitchRequest:
    from pydantic import ValidationError

    from rollout.api.models import SwitchRequest

    try:
        return SwitchRequest(stopped=stopped, reason=reason)
    except ValidationError as error:
        raise typer.BadParameter(str(error.errors(include_url=False)[0]["msg"]), param_hint="--reason") from error
