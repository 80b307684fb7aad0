"""The field reference of the docs, made from the models: name, type, default, allowed, meaning.

Called by the test that keeps ``docs/reference/rollout.md`` and the models the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from rollout.spec.fields import Node, allowed_by, resolve, schema_of
from rollout.spec.quantities import format_duration, format_fraction
from rollout.spec.resource import Rollout, RolloutPolicy

_HEAD = "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n"
_SNAKE = re.compile(r"(?<=`)[a-z]+(_[a-z]+)+(?=`)")
_TYPES = {"boolean": "flag", "integer": "whole number", "number": "number", "string": "text"}


def field_reference() -> str:
    """Return the reference of the Rollout and its policies as Markdown, a table for each mapping."""
    sections = [*_sections(Rollout, "Rollout"), *_sections(RolloutPolicy, "RolloutPolicy and ClusterRolloutPolicy")]
    return "\n\n".join(dict.fromkeys(sections)) + "\n"


def model_reference(model: type[BaseModel], title: str) -> str:
    """Return the reference of ``model`` and of those that it is made of, a table for each mapping."""
    return "\n\n".join(_sections(model, title)) + "\n"


def _sections(model: type[BaseModel], title: str) -> Iterator[str]:
    """Yield the section of ``model``, then those of the models that it is made of, in order of first use."""
    root = schema_of(model)
    waiting, seen = [(title, root)], {title}
    while waiting:
        name, node = waiting.pop(0)
        rows = "".join(_row(root, node, field) for field in node.get("properties", {}))
        yield f"## {name}\n\n{plain_text(node.get('description', ''))}\n\n{_HEAD}{rows}".rstrip()
        for used in _used(node):
            if used not in seen and "properties" in root["$defs"][used]:
                seen.add(used)
                waiting.append((used, root["$defs"][used]))


def _used(node: object) -> Iterator[str]:
    """Yield the names of the models that ``node`` refers to, in order."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield str(node["$ref"]).rsplit("/", 1)[-1]
        for key, item in node.items():
            if key not in {"$defs", "discriminator"}:
                yield from _used(item)
    if isinstance(node, list):
        for item in node:
            yield from _used(item)


def _row(root: Node, node: Node, field: str) -> str:
    found = resolve(root, node["properties"][field], kind=None)
    required = field in node.get("required", ())
    default = "required" if required else default_text(found)
    meaning = plain_text(found.get("description", ""))
    cells = (f"`{field}`", _type(root, found), default, allowed_by(found), meaning)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


def default_text(node: Node) -> str:
    """Return the default of a field as the docs say it: in backticks, durations and percentages with their unit."""
    value = node.get("default")
    if value is None or value == "":
        return "none"
    if isinstance(value, dict):
        return "those of its fields"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "those of the built-in policy"
    if isinstance(value, float) and "unit" not in node:
        return f"`{value:g}`"
    if "unit" in node:
        return f"`{format_duration(value) if node['unit'] == 'seconds' else format_fraction(value)}`"
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace('"', "")


def _type(root: Node, node: Node) -> str:
    if node.get("type") == "array":
        return f"list of {_type(root, resolve(root, node['items'], kind=None))}"
    if "discriminator" in node:
        return " or ".join(_linked(name.rsplit("/", 1)[-1]) for name in node["discriminator"]["mapping"].values())
    if "properties" in node:
        return _linked(str(node["title"]))
    if node.get("type") == "object":
        return "mapping of text to text"
    return _TYPES.get(str(node.get("type")), "text or whole number")


def _linked(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def plain_text(description: str) -> str:
    """Return a docstring as one paragraph of Markdown."""
    text = " ".join(description.replace("``", "`").split())
    return _SNAKE.sub(lambda match: to_camel(match[0]), text)
