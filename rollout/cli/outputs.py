"""Writes answers: JSON and YAML exactly, text with colours where a person looks on.

Standard output carries the answer and nothing else; what is said beside it goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import typer
from pydantic import BaseModel

from rollout.cli.arguments import Shape

COLOURS: Mapping[str, str] = {
    "Idle": "green",
    "Progressing": "cyan",
    "Paused": "yellow",
    "Promoting": "green",
    "Aborting": "red",
    "Aborted": "red",
    "Invalid": "red",
    "Confirming": "yellow",
    "FailedOver": "red",
    "FailingBack": "cyan",
    "Latched": "red",
    "Drill": "cyan",
}
"""The colour of each phase, of an attempt and of failover."""

_CODES = {"green": 32, "yellow": 33, "cyan": 36, "red": 31}
ANSI: Mapping[str, str] = {phase: f"\x1b[{_CODES[colour]}m" for phase, colour in COLOURS.items()}
"""The colour of each phase as a terminal takes it."""


def is_coloured(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether colours may be written: on a terminal that has them, unless ``NO_COLOR`` is set."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def painted(text: str, colour: str | None) -> str:
    """Return ``text`` in the colour where standard output shows colours."""
    return typer.style(text, fg=colour) if colour and is_coloured(sys.stdout) else text


def note(text: str) -> None:
    """Say something beside the answer."""
    typer.echo(text, err=True)


def write(value: Any, shape: Shape) -> None:  # noqa: ANN401 - what JSON can hold, or models of it
    """Write an answer as JSON or YAML."""
    typer.echo(as_text(value, shape), nl=False)


def as_text(value: Any, shape: Shape) -> str:  # noqa: ANN401 - as above
    """Return an answer as JSON (ASCII, so that no terminal takes orders from it) or as YAML, with a line end."""
    plain = _plain(value)
    if shape is Shape.YAML:
        return _yaml(plain)
    return json.dumps(plain, indent=2) + "\n"


def line_of(value: Any) -> str:  # noqa: ANN401 - as above
    """Return an answer as JSON on one line."""
    return json.dumps(_plain(value), separators=(",", ":"))


def _plain(value: Any) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _yaml(plain: Any) -> str:  # noqa: ANN401 - as above
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output, yaml.width = False, False, 4096  # type: ignore[assignment]
    yaml.allow_unicode = False
    text = StringIO()
    yaml.dump(plain, text)
    return text.getvalue()
