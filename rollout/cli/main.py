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
    "get": ("rollout.cli.get:get", "List Rollouts or policies, or show one."),
    "describe": ("rollout.cli.describe:describe", "Tell all about one Rollout."),
    "why": ("rollout.cli.why:why", "Tell why a Rollout is where it is, and what it waits for."),
    "watch": ("rollout.cli.watch:watch", "Look on while an attempt runs; the exit code tells how it ended."),
    "apply": ("rollout.cli.apply:apply", "Make or change Rollouts and policies from manifests."),
    "delete": ("rollout.cli.delete:delete", "Delete Rollouts or policies."),
    "start": ("rollout.cli.orders:start", "Begin an attempt."),
    "pause": ("rollout.cli.orders:pause", "Stop the attempt at its weight."),
    "resume": ("rollout.cli.orders:resume", "Go on after a pause."),
    "promote": ("rollout.cli.orders:promote", "Move on to the next step now, or to the end."),
    "skip": ("rollout.cli.orders:skip", "Skip the rest of the step's hold time."),
    "approve": ("rollout.cli.orders:approve", "Approve the step, or the failover, that waits for a person."),
    "abort": ("rollout.cli.orders:abort", "Give all weight back to stable at once."),
    "retry": ("rollout.cli.orders:retry", "Try the aborted revision again."),
    "undo": ("rollout.cli.orders:undo", "Give the previous stable its role back."),
    "adopt": ("rollout.cli.orders:adopt", "Say which backend is stable."),
    "failover": ("rollout.cli.failover_orders:failover", "Move all traffic to a backup now."),
    "failback": ("rollout.cli.failover_orders:failback", "Begin the way back to the primary."),
    "unlatch": ("rollout.cli.failover_orders:unlatch", "Let failover decide by itself again."),
    "hold": ("rollout.cli.failover_orders:hold", "Let failover move nothing until unlatch."),
    "drill": ("rollout.cli.failover_orders:drill", "Give the backup a share of the traffic for practice."),
    "switch": ("rollout.cli.switch:switch", "Stop all automatic failover at once, or let it be again."),
    "notify": ("rollout.cli.notify:app", "Sinks that are told of transitions: list, test."),
    "history": ("rollout.cli.history:history", "List the transitions of a Rollout, newest first."),
    "events": ("rollout.cli.events:events", "Follow transitions as they happen."),
    "context": ("rollout.cli.context:app", "Servers under names: list, use, set, remove, show."),
    "token": ("rollout.cli.token:app", "Tokens of the API: who may look, who may change."),
    "config": ("rollout.cli.config:config", "Print the effective settings of serve, and where each comes from."),
    "serve": ("rollout.cli.serve:serve", "Run the controller beside a plain Envoy."),
    "crd": ("rollout.cli.crd:crd", "Print the custom resource definitions for a Kubernetes cluster."),
    "lint": ("rollout.cli.lint:lint", "Check manifests: every problem at once, with file, line and field."),
    "explain": ("rollout.cli.explain:app", "What a rule comes to: how Spill shares traffic among tiers."),
    "rehearse": ("rollout.cli.rehearse:rehearse", "Run a Rollout through the controller in simulated time."),
    "demo": ("rollout.cli.demo:demo", "Show canaries on a real Envoy: a good one promoted, two bad ones rolled back."),
    "version": ("rollout.cli.version:version", "Print the version, with --server that of the server too."),
}
"""Name -> (where the command or group is, what it does in one sentence)."""


class LateCommands(TyperGroup):
    """Lists the commands without importing them; imports the one that is called or completed."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - typer's own
        """Have commands that only know their name and sentence."""
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=sentence) for name, (_, sentence) in COMMANDS.items()}

    def get_params(self, ctx: Any) -> Any:  # noqa: ANN401 - click's own type is not exported
        """Return the flags; those that are not given are False, since reading None would cost typer a library."""
        found = super().get_params(ctx)
        for parameter in found:
            parameter.default = False if parameter.default is None else parameter.default
        return found

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Return the command that is called, imported now."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


def load(name: str) -> Any:  # noqa: ANN401 - a click command
    """Return the command or group with this name, imported."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    found = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        group = get_command(found)
        group.name = name
        return group
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name)(found)
    return get_command(app)


app = typer.Typer(cls=LateCommands, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Shift route weights step by step, judge the canary, put the weights back at once when it is bad."""


def run() -> None:
    """Run the command line; the entry point of the package."""
    if sys.argv[1:] == ["version"]:  # asked by scripts again and again; needs no library
        sys.stdout.write(f"{__version__}\n")
        return
    sys.exit(app())
