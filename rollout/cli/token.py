"""`rollout token`: makes, lists and takes back the tokens of the API, in the file that the service reads.

Works on the file alone, whether the service runs or not; a running one sees the change within a second.
Registered as a group by ``rollout.cli.main``. The file itself is ``rollout.tokens``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from rollout.errors import ConflictError, RolloutError
from rollout.tokens.roles import Role

if TYPE_CHECKING:
    from rollout.tokens.entries import Entry
    from rollout.tokens.file import TokenFile

P = ParamSpec("P")

app = typer.Typer(
    help="Tokens of the API: who may look, who may change. Kept as hashes in one file, which the service reads again.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Output(StrEnum):
    """How the list is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Name = Annotated[str, typer.Argument(help="Whose token it is; stands in logs and histories.", show_default=False)]
File = Annotated[Path, typer.Option("--file", envvar="ROLLOUT_TOKENS", help="The file of tokens.")]
DEFAULT_FILE = Path("rollout.tokens")


def _told(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what goes wrong into a sentence and an exit code: 2 where the question was wrong, else 1."""

    @wraps(command)
    def telling(*args: P.args, **kwargs: P.kwargs) -> None:
        from rollout.cli.running import Code, fail

        try:
            command(*args, **kwargs)
        except ConflictError as error:
            fail(error)
            raise typer.Exit(Code.REFUSED) from None
        except RolloutError as error:
            raise fail(error) from None

    return telling


@app.command()
@_told
def create(
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="A viewer may look, an operator may also change.", show_default=False)],
    expires: Annotated[
        str | None, typer.Option(help="For how long it is good, such as 90d; without it: until it is revoked.")
    ] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Make a token and print it. Only its hash is kept: it cannot be shown again."""
    from rollout.cli.outputs import note

    is_new = not file.exists()
    token = _tokens(file).create(name, role, None if expires is None else _seconds(expires))
    typer.echo(token)
    until = "until it is revoked" if expires is None else f"for {expires}"
    note(f"The token of {name} ({role.value}) is good {until}. Keep it now: it is not shown again.")
    if is_new:
        note(f"The file {file} is new: a server takes the token only if its setting `tokens` names this file.")


@app.command("list")
@_told
def list_tokens(
    *,
    output: Annotated[Output, typer.Option("--output", "-o", help="A table, or JSON or YAML.")] = Output.TABLE,
    file: File = DEFAULT_FILE,
) -> None:
    """List the tokens: names, roles and times, never what would let somebody in."""
    from rollout.cli.arguments import Shape
    from rollout.cli.outputs import note, write
    from rollout.clock import SystemClock

    entries, now = _tokens(file).entries(), SystemClock().now()
    match output:
        case Output.JSON | Output.YAML:
            write({"tokens": [_shown(entry, now) for entry in entries]}, Shape(output.value))
        case Output.TABLE if entries:
            typer.echo("\n".join(_table(entries, now)))
        case Output.TABLE:
            note(f"There is no token in {file}.")


@app.command()
@_told
def revoke(name: Name, *, file: File = DEFAULT_FILE) -> None:
    """Take a token back: within a second it opens nothing any more."""
    from rollout.cli.outputs import note

    _tokens(file).revoke(name)
    note(f"The token of {name} is revoked.")


def _tokens(file: Path) -> TokenFile:
    from rollout.clock import SystemClock
    from rollout.tokens.file import TokenFile

    return TokenFile(file, SystemClock())


def _seconds(expires: str) -> float:
    from rollout.cli.contexts import shown
    from rollout.spec.quantities import DURATION_ALLOWED, parse_duration

    try:
        return parse_duration(expires)
    except ValueError as error:
        message = f"{shown(expires)!r} {error}; allowed: {DURATION_ALLOWED}"
        raise typer.BadParameter(message, param_hint="--expires") from error


def _shown(entry: Entry, now: float) -> dict[str, object]:
    """Return what may be known of a token; times are Unix seconds."""
    return {
        "name": entry.name,
        "role": entry.role.value,
        "id": entry.id,
        "created": entry.created,
        "expires": entry.expires,
        "expired": entry.has_expired(now),
    }


def _table(entries: Sequence[Entry], now: float) -> list[str]:
    from rollout.cli.tables import Column, lines
    from rollout.cli.texts import age

    columns = [Column(title) for title in ("NAME", "ROLE", "ID", "AGE", "EXPIRES")]
    rows = [
        [entry.name, entry.role.value, entry.id, age(now - entry.created), _expiry(entry, now)] for entry in entries
    ]
    return lines(columns, rows)


def _expiry(entry: Entry, now: float) -> str:
    from rollout.cli.texts import age

    if entry.expires is None:
        return "never"
    return "expired" if entry.has_expired(now) else f"in {age(entry.expires - now)}"
