"""The command line. A command's module is imported when the command runs, so that help answers at once."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from rollout import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "config": ("rollout.cli.config:config", "Print the effective settings of serve, and where each comes from."),
    "demo": ("rollout.cli.demo:demo", "Show canaries on a real Envoy: a good one promoted, two bad ones rolled back."),
    "lint": ("rollout.cli.lint:lint", "Check manifests: every problem at once, with file, line and field."),
    "rehearse": ("rollout.cli.rehearse:rehearse", "Run a Rollout through the controller in simulated time."),
    "serve": ("rollout.cli.serve:serve", "Run the controller beside a plain Envoy."),
    "version": ("rollout.cli.main:version", "Print the version."),
}
"""Name -> (where the command is, what it does in one sentence)."""


class LateCommands(TyperGroup):
    """Lists the commands without importing them; imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - click's own type is not exported
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - as above
        """Return a command that only knows its name and sentence, or None."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Return the command that is called, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:  # noqa: ANN401 - a click command
    """Return the command with this name, imported."""
    where, sentence = COMMANDS[name]
    module, function = where.split(":")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, help=None if name != "version" else sentence)(getattr(import_module(module), function))
    return get_command(app)


app = typer.Typer(cls=LateCommands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Shift route weights step by step, judge the canary, put the weights back at once when it is bad."""


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def run() -> None:
    """Run the command line; the entry point of the package."""
    sys.exit(app())
