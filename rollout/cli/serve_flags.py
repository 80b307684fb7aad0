"""The flags of ``rollout serve`` and ``rollout config``, made from the table of settings, and what comes of them.

Both commands are wrapped here, so that they take the same flags and say the same of wrong ones.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from rollout.errors import ConfigurationError, Problem
from rollout.settings.reading import Effective, read_settings
from rollout.settings.rows import CONFIG_VARIABLE, SETTINGS, Setting
from rollout.telemetry import LogLevel

MISUSED = 2

_KEYWORD = inspect.Parameter.KEYWORD_ONLY


def takes_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with a flag for each setting; it is called with what is effective as ``effective``.

    Flags count more than ``ROLLOUT_...`` variables, those more than the file, that more than the defaults. What is
    wrong ends the command with code 2 and a line for each problem on standard error.
    """
    own = inspect.signature(command, eval_str=True)
    kept = [parameter for name, parameter in own.parameters.items() if name != "effective"]

    @functools.wraps(command)
    def called(**values: object) -> None:
        others = {parameter.name: values.pop(parameter.name) for parameter in kept}
        command(effective=_effective(str(command.__name__), values), **others)

    flags = [_config_flag(), *map(_flag, SETTINGS), _verbose_flag()]
    called.__signature__ = own.replace(parameters=[*flags, *kept])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    return called


def _effective(command: str, values: Mapping[str, object]) -> Effective:
    flags = {row.name: values[row.name] for row in SETTINGS if values[row.name] not in (None, [])}
    if values["verbose"]:
        flags.setdefault("log_level", LogLevel.DEBUG.value)
    file = values["config"]
    try:
        return read_settings(flags, os.environ, file if isinstance(file, Path) else None)
    except ConfigurationError as error:
        for problem in error.problems:
            typer.echo(f"rollout {command}: {printable(problem)}", err=True)
        raise typer.Exit(MISUSED) from error


def printable(problem: Problem) -> str:
    """Return the problem as one line that is safe for a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(problem))


def _flag(row: Setting) -> inspect.Parameter:
    default = f"; default: {row.default}" if row.default else ""
    text = f"{row.meaning.replace('``', '')}  [env: {row.variable}{default}]"
    kind: Any = list[str] | None if row.many else str | None
    option = typer.Option(row.flag, metavar=row.metavar, help=text)
    return inspect.Parameter(row.name, _KEYWORD, default=None, annotation=Annotated[kind, option])


def _config_flag() -> inspect.Parameter:
    text = f"File of settings (TOML, YAML or JSON, by its suffix).  [env: {CONFIG_VARIABLE}]"
    option = typer.Option("--config", metavar="FILE", help=text)
    return inspect.Parameter("config", _KEYWORD, default=None, annotation=Annotated[Path | None, option])


def _verbose_flag() -> inspect.Parameter:
    option = typer.Option("--verbose", "-v", help="The same as --log-level debug.")
    return inspect.Parameter("verbose", _KEYWORD, default=False, annotation=Annotated[bool, option])
