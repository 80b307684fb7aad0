"""The edge of a command: an error becomes a sentence on standard error and an exit code, work becomes a loop that runs.

Called by every command that asks the server. Exit codes: 0 done; 1 it could not be done; 2 refused, or the command
line is wrong; 3 the attempt that was waited for did not end well; 4 a time limit went by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import TYPE_CHECKING, TypeVar

import typer

from rollout.cli.connection import Connection
from rollout.errors import ConfigurationError, RolloutError

if TYPE_CHECKING:
    from rollout.cli.client import ApiClient

T = TypeVar("T")


class Code(IntEnum):
    """What a command ends with."""

    DONE = 0
    COULD_NOT = 1
    REFUSED = 2
    ROLLED_BACK = 3
    TIMED_OUT = 4


def ask(connection: Connection, work: Callable[[ApiClient], Awaitable[T]]) -> T:
    """Return what ``work`` returns, which gets a client of the server.

    Raises:
        typer.Exit: it could not be done; the sentence is on standard error.
    """
    from rollout.cli.client import ApiClient

    async def run() -> T:
        async with ApiClient(connection) as api:
            return await work(api)

    try:
        return asyncio.run(run())
    except RolloutError as error:
        raise fail(error) from None


def fail(error: RolloutError) -> typer.Exit:
    """Write what is wrong to standard error, a line for each problem; return the exit."""
    for line in sentences(error):
        typer.echo(f"error: {line}", err=True)
    return typer.Exit(code_of(error))


def sentences(error: RolloutError) -> list[str]:
    """Return what ``error`` says, one sentence for each problem, safe for a terminal."""
    from rollout.cli.texts import safe

    if isinstance(error, ConfigurationError):
        return [safe(str(problem)) for problem in error.problems]
    told = str(error)
    problems = [str(problem) for problem in getattr(error, "problems", ())]
    return [safe(told), *(f"  {safe(problem)}" for problem in problems if problem not in told)]


def code_of(error: RolloutError) -> Code:
    """Return the exit code for ``error``."""
    if isinstance(error, ConfigurationError):
        return Code.REFUSED
    code: Code = getattr(error, "code", Code.COULD_NOT)
    return code
