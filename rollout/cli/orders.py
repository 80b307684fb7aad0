"""The commands to a Rollout: `rollout start`, `pause`, `resume`, `promote`, `skip`, `approve`, `abort`, `retry`, ...

Each leaves one command with the server, under an id made here, and waits for what becomes of it. Which is legal where
is the engine's word alone: it comes back as a sentence. Registered as commands by ``rollout.cli.main``.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rollout.cli.arguments import Name, NoWait, Reason, Shape, Wait, Written, given, seconds_of
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import Code, ask, fail

if TYPE_CHECKING:
    from rollout.api.models import CommandOutcome, CommandRequest
    from rollout.cli.client import ApiClient
    from rollout.cli.failures import ApiProblem

DEFAULT_WAIT = "10s"
AGAIN_SECONDS = 0.2
"""How long until the same command is asked after again, whose time has not run out."""


def _epochs(ctx: typer.Context, incomplete: str) -> list[str]:
    from rollout.cli.completion import epochs

    return epochs(ctx, incomplete)


Epoch = Annotated[
    int,
    typer.Option(
        min=1,
        max=2**53 - 1,
        help="The number of the failover that is meant; `rollout describe` tells it.",
        autocompletion=_epochs,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Order:
    """A command as the command line gives it; ``wait_seconds`` 0: it is left and not waited for."""

    connection: Connection
    name: str
    reason: str | None
    wait: str
    no_wait: bool
    output: Shape

    def carry_out(self, action: str, **arguments: Any) -> None:  # noqa: ANN401 - what a flag holds
        """Leave the command, wait, and say what became of it."""
        key = key_of(self.name, self.connection)
        wait_seconds = 0.0 if self.no_wait else seconds_of(self.wait, "--wait")
        request = _request(action, given(reason=self.reason, **arguments))
        outcome, refusal = ask(self.connection, lambda api: _outcome(api, key, request, wait_seconds))
        if refusal is None or self.output is not Shape.TEXT:
            _say(outcome, key, self.output)
        if refusal is not None:
            raise fail(refusal)
        if outcome.state == "waiting" and wait_seconds:
            raise typer.Exit(Code.TIMED_OUT)


def _request(action: str, arguments: Any) -> CommandRequest:  # noqa: ANN401 - as above
    from pydantic import ValidationError

    from rollout.api.models import CommandRequest
    from rollout.cli.asking import new_id

    try:
        return CommandRequest.model_validate({"action": action, "id": new_id(), **arguments})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        hint = f"--{first['loc'][0]}" if first["loc"] else action
        raise typer.BadParameter(str(first["msg"]), param_hint=hint) from error


async def _outcome(
    api: ApiClient, key: tuple[str, str], request: CommandRequest, wait_seconds: float
) -> tuple[CommandOutcome, ApiProblem | None]:
    """Return what became of the command, after at most ``wait_seconds``, and the problem when it was refused."""
    from rollout.cli.failures import ApiProblem

    until = time.monotonic() + wait_seconds
    try:
        outcome = await api.command(*key, request, wait_seconds=wait_seconds)
        while outcome.state == "waiting" and (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, AGAIN_SECONDS))
            outcome = await api.command(*key, request, wait_seconds=left)
    except ApiProblem as problem:
        if problem.command is None or problem.command.id != request.id:
            raise
        return problem.command, problem
    return outcome, None


def _say(outcome: CommandOutcome, key: tuple[str, str], output: Shape) -> None:
    from rollout.cli.outputs import write
    from rollout.cli.texts import safe

    if output is not Shape.TEXT:
        write(outcome, output)
    elif outcome.state == "waiting":
        typer.echo(safe(f"{key[0]}/{key[1]}: {outcome.action} waits to be carried out (id {outcome.id})."))
    else:
        typer.echo(safe(f"{key[0]}/{key[1]}: {outcome.message}"))


@asks_server
def start(
    connection: Connection,
    name: Name,
    *,
    revision: Annotated[
        str | None, typer.Option(help="What the canary runs, such as an image tag; else spec.revision.")
    ] = None,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Begin an attempt: the canary gets weight, step by step."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("start", revision=revision)


@asks_server
def pause(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Stop the attempt at its weight; the canary is still judged."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("pause")


@asks_server
def resume(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Go on after a pause."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("resume")


@asks_server
def promote(
    connection: Connection,
    name: Name,
    *,
    full: Annotated[bool, typer.Option("--full", help="To the end at once, past all further steps.")] = False,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Move on to the next step now, whatever it still waits for."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("promote", full=full or None)


@asks_server
def skip(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Skip the rest of the step's hold time; all else is still asked for."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("skip")


@asks_server
def approve(
    connection: Connection,
    name: Name,
    *,
    step: Annotated[int | None, typer.Option(min=1, max=1000, help="The step; else the one that waits for it.")] = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=2**53 - 1,
            help="The failover that is proposed, by its number, in place of a step.",
            autocompletion=_epochs,
        ),
    ] = None,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Approve the step that waits for a person, or with --epoch the failover that is proposed."""
    if step is not None and epoch is not None:
        raise typer.BadParameter("does not go with --step", param_hint="--epoch")
    Order(connection, name, reason, wait, no_wait, output).carry_out("approve", step=step, epoch=epoch)


@asks_server
def abort(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Give all weight back to stable at once."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("abort")


@asks_server
def retry(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Try the aborted revision again."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("retry")


@asks_server
def undo(
    connection: Connection,
    name: Name,
    *,
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Give the previous stable its role and all weight back, after a promotion."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("undo")


@asks_server
def adopt(
    connection: Connection,
    name: Name,
    *,
    stable: Annotated[str, typer.Option(help="The backend that holds the stable role.", show_default=False)],
    reason: Reason = None,
    wait: Wait = DEFAULT_WAIT,
    no_wait: NoWait = False,
    output: Written = Shape.TEXT,
) -> None:
    """Say which backend is stable where the weights do not tell it."""
    Order(connection, name, reason, wait, no_wait, output).carry_out("adopt", stable=stable)
