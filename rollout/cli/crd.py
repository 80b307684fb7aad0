"""`rollout crd`: prints the custom resource definitions, for `kubectl apply --filename -`.

Registered as a command by ``rollout.cli.main``; what it prints comes from ``rollout.spec.crd``. The
program that writes ``deploy/crds`` asks here for the same text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Output(StrEnum):
    """How the definitions are written."""

    YAML = "yaml"
    JSON = "json"


def crd(
    *,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Three YAML documents, or one JSON list of them.")
    ] = Output.YAML,
) -> None:
    """Print the custom resource definitions of Rollout, RolloutPolicy and ClusterRolloutPolicy.

    They are those of this version; install them before the controller: `rollout crd | kubectl apply --filename -`.
    """
    typer.echo("---\n".join(documents().values()) if output is Output.YAML else as_list(), nl=False)


def documents() -> dict[str, str]:
    """Return each definition as a YAML document, by its name."""
    from rollout.cli.arguments import Shape
    from rollout.cli.outputs import as_text
    from rollout.spec.crd import crds

    return {str(crd["metadata"]["name"]): as_text(crd, Shape.YAML) for crd in crds()}


def as_list() -> str:
    """Return the definitions as one list, which is how `kubectl` takes several resources in JSON."""
    from rollout.cli.arguments import Shape
    from rollout.cli.outputs import as_text
    from rollout.spec.crd import crds

    return as_text({"apiVersion": "v1", "kind": "List", "items": crds()}, Shape.JSON)
