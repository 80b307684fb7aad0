"""Arguments and flags that several commands share, with the same words and the same completion.

Imports nothing heavy: every help and every completion passes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from rollout.cli.contexts import shown


class Shape(StrEnum):
    """How one answer is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class Lines(StrEnum):
    """How lines of a stream are written."""

    TEXT = "text"
    JSON = "json"


def _rollouts(ctx: typer.Context, incomplete: str) -> list[str]:
    from rollout.cli.completion import rollout_names

    return rollout_names(ctx, incomplete)


def seconds_of(text: str, flag: str) -> float:
    """Return the seconds of a duration such as ``30s``, ``5m`` or ``1h30m``; a bare number counts seconds.

    Raises:
        typer.BadParameter: it is no duration.
    """
    from rollout.spec.quantities import DURATION_ALLOWED, parse_duration

    try:
        return parse_duration(f"{text}s" if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        message = f"{shown(text)!r} {error}; allowed: {DURATION_ALLOWED}"
        raise typer.BadParameter(message, param_hint=flag) from error


def given(**values: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever a flag holds
    """Return the values that were given: those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


Name = Annotated[
    str, typer.Argument(help="The Rollout: NAME or NAMESPACE/NAME.", autocompletion=_rollouts, show_default=False)
]
MaybeName = Annotated[
    str | None,
    typer.Argument(
        help="One Rollout: NAME or NAMESPACE/NAME; without it, all.", autocompletion=_rollouts, show_default=False
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help="Rollouts: NAME or NAMESPACE/NAME; without, all. Or policies, and the names of some.",
        autocompletion=_rollouts,
        show_default=False,
    ),
]
SomeNames = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...",
        help="Rollouts: NAME or NAMESPACE/NAME. Or policies, and the names of some.",
        autocompletion=_rollouts,
        show_default=False,
    ),
]
Reason = Annotated[
    str | None, typer.Option(help="Why, in one sentence, for history and notifications.", show_default=False)
]
Wait = Annotated[str, typer.Option(help="How long to wait until it is carried out, such as 30s.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave the command and do not wait.")]
Written = Annotated[Shape, typer.Option("--output", "-o", help="A sentence, or the answer as JSON or YAML.")]
Tabled = Annotated[Shape, typer.Option("--output", "-o", help="A table, or JSON or YAML.")]
