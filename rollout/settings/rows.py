"""The rows of the table: how each setting is called in a file, in the environment and as a flag, and how it is written.

Made from the model, so that nothing is said twice. Used by ``rollout.settings.reading``, by the flags of the
command line and by the reference in the docs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from rollout.settings.table import ServeSettings, masked
from rollout.spec.fields import Node, allowed_by, resolve, schema_of
from rollout.spec.quantities import format_duration

CONFIG_VARIABLE = "ROLLOUT_SERVE_CONFIG"
"""The variable that names the file of settings."""

_PREFIX = "ROLLOUT_"
_SECONDS = "_seconds"
_FLAGS = {"gate_hosts": "--gate-host"}
_DEFAULTS = {"tokens": "rollout.tokens beside the database"}


class Shape(StrEnum):
    """How a value is written."""

    TEXT = "text"
    FILE = "path"
    WHOLE = "whole number"
    DURATION = "duration"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: ``field`` is its name in the model, ``name`` its name in a file.

    ``many``: it has several values. ``default`` is as written, empty when there is none.
    """

    field: str
    name: str
    flag: str
    variable: str
    shape: Shape
    many: bool
    default: str
    allowed: str
    meaning: str

    @property
    def metavar(self) -> str:
        """Return what stands for the value in the help of the flag."""
        if self.shape is Shape.CHOICE:
            return self.allowed.replace(", ", "|").replace(" or ", "|")
        return {Shape.FILE: "PATH", Shape.WHOLE: "NUMBER"}.get(self.shape, self.shape.value.upper())

    def written(self, value: object) -> object:
        """Return a value of the model as one writes it in a file, with no password in it; None for "not given"."""
        if isinstance(value, tuple):
            return [self.written(item) for item in value]
        if self.shape is Shape.DURATION and isinstance(value, int | float):
            return format_duration(value)
        if isinstance(value, StrEnum):
            return value.value
        return str(value) if isinstance(value, Path) else masked(value)

    def parts(self, text: str) -> tuple[str, ...]:
        """Return the values in the text of a variable: paths with ``:`` between them, others with a comma or space."""
        if self.shape is Shape.FILE:
            return tuple(part for part in text.split(os.pathsep) if part)
        return tuple(text.replace(",", " ").split())


def _row(field: str, root: Node) -> Setting:
    node = resolve(root, root["properties"][field], kind=None)
    item = resolve(root, node["items"], kind=None) if node.get("type") == "array" else node
    name = field.removesuffix(_SECONDS)
    row = Setting(
        field=field,
        name=name,
        flag=_FLAGS.get(field, f"--{name.replace('_', '-')}"),
        variable=f"{_PREFIX}{name.upper()}",
        shape=_shape(item),
        many=node.get("type") == "array",
        default="",
        allowed=allowed_by(item),
        meaning=" ".join(str(node["description"]).split()),
    )
    return _with_default(row)


def _with_default(row: Setting) -> Setting:
    default = row.written(ServeSettings.model_fields[row.field].get_default())
    text = _DEFAULTS.get(row.field, "" if default in (None, []) else f"{default}")
    return replace(row, default=text)


def _shape(node: Node) -> Shape:
    if node.get("unit") == "seconds":
        return Shape.DURATION
    if node.get("shape") == "file":
        return Shape.FILE
    if "enum" in node:
        return Shape.CHOICE
    return Shape.WHOLE if node.get("type") == "integer" else Shape.TEXT


SETTINGS: tuple[Setting, ...] = tuple(_row(field, schema_of(ServeSettings)) for field in ServeSettings.model_fields)
"""All settings, in the order in which they are shown."""

BY_NAME = {setting.name: setting for setting in SETTINGS}
BY_FIELD = {setting.field: setting for setting in SETTINGS}
