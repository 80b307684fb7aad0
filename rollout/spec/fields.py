"""The fields of the models, looked up by path: what is allowed there, and what they mean.

Reads the JSON schema that pydantic makes of the models, so that nothing is said twice. Called by
``rollout.spec.sentences`` to say what is allowed, and by the field reference in the docs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

LONGEST_SHOWN = 80
"""What people wrote is shown to them no longer than this."""

_SIMPLE = re.compile(r"[A-Za-z0-9_-]{1,80}")

Node = Mapping[str, Any]
"""A part of a JSON schema."""

Location = tuple[str | int, ...]
"""Where in a document: names of fields and indexes of lists."""


@lru_cache(maxsize=8)
def schema_of(model: type[BaseModel]) -> Node:
    """Return the JSON schema of ``model`` with the names that people write."""
    return model.model_json_schema(by_alias=True)


def path_of(location: Location) -> str:
    """Return ``location`` as people write it: ``spec.steps[1].weight``, odd names in brackets and quotes."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _SIMPLE.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f'["{printable(part)}"]'
    return path


def printable(text: str) -> str:
    """Return ``text`` on one line, safe for a terminal: what cannot be printed is escaped, what is long is cut."""
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut)


def node_at(model: type[BaseModel], location: Location, *, kinds: Sequence[str | None]) -> Node:
    """Return the schema of the field at ``location``, empty where there is none.

    ``kinds`` has, for each part of the location, the ``kind`` written at that place: it chooses
    among models that share a list.
    """
    root = schema_of(model)
    node: Node = root
    for part, kind in zip(location, kinds, strict=True):
        node = resolve(root, node, kind=None)
        node = node.get("items", {}) if isinstance(part, int) else _field(node, part)
        node = resolve(root, node, kind=kind)
    return node


def _field(node: Node, name: str) -> Node:
    by_pattern = list(node.get("patternProperties", {}).values())
    candidates = (node.get("properties", {}).get(name), *by_pattern, node.get("additionalProperties"))
    return next((found for found in candidates if isinstance(found, Mapping)), {})


def resolve(root: Node, node: Node, *, kind: str | None) -> Node:
    """Return ``node`` with references followed, ``null`` left out, and one of several models chosen by ``kind``."""
    merged = dict(node)
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        merged = {
            **resolve(root, options[0], kind=kind),
            **{key: value for key, value in node.items() if key != "anyOf"},
        }
    if kind is not None and "discriminator" in node:
        merged["$ref"] = node["discriminator"]["mapping"].get(kind, "")
    if merged.get("$ref"):
        target = root["$defs"][merged["$ref"].rsplit("/", 1)[-1]]
        merged = {**target, **{key: value for key, value in merged.items() if key != "$ref"}}
    return merged


def allowed_by(node: Node) -> str:
    """Return what ``node`` allows, as a phrase: ``a whole number from 1 to 65535``."""
    if "allowed" in node:
        return str(node["allowed"])
    if "const" in node:
        return str(node["const"])
    if "enum" in node:
        return either([str(value) for value in node["enum"]])
    return _allowed_by_type(node)


def _allowed_by_type(node: Node) -> str:
    match node.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return f"a whole number{_range(node)}"
        case "number":
            return f"a number{_range(node)}"
        case "string":
            return f"text of at most {node['maxLength']} characters" if "maxLength" in node else "text"
        case "array":
            return f"a list of {node.get('minItems', 0)} to {node['maxItems']} entries"
        case _:
            return _allowed_fields(node)


def _range(node: Node) -> str:
    low = f"above {node['exclusiveMinimum']:g}" if "exclusiveMinimum" in node else _number(node, "minimum")
    high = _number(node, "maximum")
    if low and high:
        return f" {low} up to {high}" if "exclusiveMinimum" in node else f" from {low} to {high}"
    return f" from {low} on" if low else ""


def _number(node: Node, key: str) -> str:
    return f"{node[key]:.10g}" if key in node else ""


def _allowed_fields(node: Node) -> str:
    if "properties" in node:
        return f"the fields {', '.join(node['properties'])}"
    if "discriminator" in node:
        return f"a mapping with kind {either(list(node['discriminator']['mapping']))}"
    return "a mapping of text to text"


def either(values: Sequence[str]) -> str:
    """Return ``A, B or C``."""
    return " or ".join((", ".join(values[:-1]), values[-1])) if len(values) > 1 else values[0]
