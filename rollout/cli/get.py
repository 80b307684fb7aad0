"""`rollout get`: Rollouts and policies as a table, as names, or as whole resources.

Takes the flags; ``rollout.cli.listing`` asks and writes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from rollout.cli.arguments import Names
from rollout.cli.connection import Connection, asks_server, key_of
from rollout.cli.running import ask

POLICIES = "policies"


class Output(StrEnum):
    """How a list is written."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"


def _phases(incomplete: str) -> list[str]:
    from rollout.engine.table import Phase

    return [phase.value for phase in Phase if phase.value.startswith(incomplete)]


def _failover_phases(incomplete: str) -> list[str]:
    from rollout.failover.table import Stage

    return [stage.value for stage in Stage if stage.value.startswith(incomplete)]


@asks_server
def get(
    connection: Connection,
    names: Names = None,
    *,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="A table (wide: all columns), names, or whole resources.")
    ] = Output.TABLE,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Then follow: a line for each that changes.")] = False,
    phase: Annotated[
        list[str] | None,
        typer.Option(help="Only those in this phase, such as Progressing; may be given again.", autocompletion=_phases),
    ] = None,
    failover: Annotated[
        list[str] | None,
        typer.Option(
            help="Only those with failover in this phase, such as FailedOver; may be given again.",
            autocompletion=_failover_phases,
        ),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only those with NAME=VALUE; may be given again.")
    ] = None,
    all_namespaces: Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")] = False,
) -> None:
    """List Rollouts, or show those that are named. `rollout get policies` lists policies.

    Where a Rollout is itself called policies, it is NAMESPACE/policies.
    """
    filtered = {"--phase": phase, "--failover": failover, "--label": label}
    if names and names[0] == POLICIES:
        _refuse({**filtered, "--watch": watch}, "goes with Rollouts, not with policies")
    elif names:
        _refuse({**filtered, "--all-namespaces": all_namespaces}, "does not go with names")
    if watch and output not in {Output.TABLE, Output.WIDE}:
        raise typer.BadParameter("goes with -o table or wide; see `rollout events -o json`", param_hint="--watch")
    from rollout.cli.client import Filters
    from rollout.cli.listing import Listing

    namespace = "" if all_namespaces else connection.namespace
    keys = tuple(key_of(name, connection) for name in names or () if name != POLICIES)
    filters = Filters(namespace, tuple(phase or ()), tuple(label or ()), tuple(failover or ()))
    listing = Listing(keys, filters, output.value)
    if names and names[0] == POLICIES:
        ask(connection, listing.policies)
    else:
        ask(connection, listing.watched if watch else listing.rollouts)


def _refuse(flags: dict[str, object], why: str) -> None:
    for flag, value in flags.items():
        if value:
            raise typer.BadParameter(why, param_hint=flag)
