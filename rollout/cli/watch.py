"""`rollout watch`: looks on until an attempt has ended, or traffic is back at the primary; the exit code tells how."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from rollout.cli.arguments import Name, seconds_of
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

if TYPE_CHECKING:
    from rollout.api.models import Live
    from rollout.cli.client import ApiClient
    from rollout.cli.endings import Awaited, Ending


@asks_server
def watch(
    connection: Connection,
    name: Name,
    *,
    timeout: Annotated[str, typer.Option(help="How long at most, such as 90s or 1h.")] = "30m",
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Wait for this attempt and no later one.", show_default=False)
    ] = None,
    following: Annotated[
        bool, typer.Option("--next", help="Where nothing is running, wait for the next attempt.")
    ] = False,
    failover: Annotated[
        bool, typer.Option("--failover", help="Wait until failover is Normal: failback or a drill is over.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of a picture, on a terminal too.")] = False,
) -> None:
    """Look on until the running attempt has ended; a newer one takes its place.

    Where nothing is running, it says so and ends at once as the last attempt did. Exit codes: 0 promoted (or undone,
    or there was no attempt yet), 3 rolled back, 4 the time ran out, 1 it cannot be told, 2 the command line is wrong.
    With --failover: 0 all traffic is at the primary, 3 failback broke or the drill failed.
    """
    if attempt is not None and following:
        raise typer.BadParameter("does not go with --attempt", param_hint="--next")
    if failover and (attempt is not None or following):
        raise typer.BadParameter("does not go with --attempt or --next", param_hint="--failover")
    key, seconds = key_of(name, connection), seconds_of(timeout, "--timeout")
    awaited = _failover if failover else _awaited(attempt, following=following)
    picture = sys.stdout.isatty() and not plain
    ending = ask(connection, lambda api: _watch(api, key, awaited, seconds, picture=picture))
    from rollout.cli.texts import safe

    typer.echo(safe(f"{key[0]}/{key[1]}: {ending.sentence}"))
    raise typer.Exit(ending.code)


def _awaited(attempt: int | None, *, following: bool) -> Callable[[Live], Awaited]:
    """Return what says, once the Rollout is seen, what is waited for."""
    from rollout.cli.endings import Awaited, is_running

    def awaited(live: Live) -> Awaited:
        if attempt is not None:
            return Awaited(attempt, exact=True)
        return Awaited(live.attempt + 1 if following and not is_running(live) else live.attempt)

    return awaited


def _failover(_live: Live) -> Awaited:
    from rollout.cli.endings import Awaited

    return Awaited(failover=True)


async def _watch(
    api: ApiClient, key: tuple[str, str], awaited: Callable[[Live], Awaited], seconds: float, *, picture: bool
) -> Ending:
    from rollout.cli.watching import watch_until_end

    if not picture:
        from rollout.cli.watch_lines import Lines

        return await watch_until_end(api, key, Lines(*key), awaited=awaited, timeout_seconds=seconds)
    from rich.live import Live as Screen

    from rollout.cli.watch_picture import Picture

    with Screen(auto_refresh=False, vertical_overflow="crop") as screen:
        return await watch_until_end(api, key, Picture(screen), awaited=awaited, timeout_seconds=seconds)
