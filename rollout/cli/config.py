"""`rollout config`: the settings that `rollout serve` would have with the same flags, file and environment.

Registered as a command by ``rollout.cli.main``. It opens nothing but the file of settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from rollout.cli.serve_flags import printable, takes_settings
from rollout.settings.reading import Effective
from rollout.settings.rows import SETTINGS, Setting


class Output(StrEnum):
    """How settings are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    TOML = "toml"


@takes_settings
def config(
    *,
    effective: Effective,
    output: Annotated[
        Output,
        typer.Option("--output", "-o", help="A table, JSON, or a file that serve takes, with sources as comments."),
    ] = Output.TABLE,
) -> None:
    """Print the settings that serve would have, and where each comes from; passwords in URLs are hidden.

    Takes the flags of serve. Exit code 2 when serve would refuse them.
    """
    for warning in effective.warnings:
        typer.echo(f"rollout config: warning: {printable(warning)}", err=True)
    match output:
        case Output.TABLE:
            _print_table(effective)
        case Output.JSON:
            listed = [
                {"name": row.name, "value": value, "source": source} for row, value, source in _settings(effective)
            ]
            typer.echo(json.dumps({"settings": listed}, indent=2))
        case Output.YAML:
            typer.echo("\n".join(_file(effective, ": ")))
        case Output.TOML:
            typer.echo("\n".join(_file(effective, " = ")))


def _settings(effective: Effective) -> Iterator[tuple[Setting, object, str]]:
    """Yield each setting with its value as written (None: not given) and its source."""
    for row in SETTINGS:
        value = row.written(getattr(effective.settings, row.field))
        if row.name == "tokens":
            value = str(effective.settings.tokens_file)
        yield row, value, str(effective.origins[row.field])


def _print_table(effective: Effective) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("setting", "value", "source"):
        table.add_column(title, overflow="fold")
    for row, value, source in _settings(effective):
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
        table.add_row(row.name, shown or "-", source)
    Console(markup=False, highlight=False).print(table)


def _file(effective: Effective, joint: str) -> Iterator[str]:
    """Yield the lines of a file of settings; the values of JSON are values of TOML and of YAML."""
    for row, value, source in _settings(effective):
        text = "" if value is None else json.dumps(value, ensure_ascii=False)
        yield f"{row.name}{joint}{text}  # {source}" if text else f"# {row.name}: not given"
