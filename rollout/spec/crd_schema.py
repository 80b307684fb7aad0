"""The JSON schema of the models as a structural schema, which is what a custom resource definition holds.

Every reference is resolved, ``null`` is left out, the kinds of checks become one object, and what
a model checks beyond its schema is said in CEL (``rollout.spec.crd_rules``). Where the API server
sets a default, a policy can no longer give the value: only fields that no policy has get one, and
the items of lists, which are replaced whole. Called by ``rollout.spec.crd``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from rollout.spec.crd_rules import RULES
from rollout.spec.fields import Node, resolve, schema_of
from rollout.spec.quantities import format_duration
from rollout.spec.reference import default_text, plain_text

_KEPT = (
    *("minimum", "maximum", "minLength", "maxLength", "pattern"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
)
# By the title of a model: fields with a default, those not for a cluster, those it needs, and what they mean there.
_DEFAULTED = {"RolloutSpec": ("start", "precision", "drift", "onDelete", "progressDeadline", "suspend")}
_LEFT_OUT = {"RolloutSpec": ("metrics",)}
_REQUIRED_TOO = {"BackendRef": ("port",)}
_MEANINGS = {"BackendRef": {"port": "The port of the Service."}}
# Values that are for plain Envoy only; how lists are merged, by the title of their items, else by their own.
_NOT_HERE = ("EnvoyRoute",)
_LIST_TYPES: Mapping[str, tuple[str, ...]] = {"Gate": ("name",), "Check": ("name",)}
_SETS = ("bounds",)


def structural_schema(model: type[BaseModel], field: str) -> dict[str, object]:
    """Return the structural schema of ``field`` of ``model``."""
    root = schema_of(model)
    return _Walk(root).schema(root["properties"][field])


class _Walk:
    """One way through the schema of a model; ``root`` holds the definitions that references point to."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def schema(self, field: Node, *, in_list: bool = False) -> dict[str, object]:
        """Return the structural schema of ``field``."""
        node = _as_one(self._root, resolve(self._root, field, kind=None))
        return {**_description(node), **self._shape(node, in_list=in_list), **_validations(node)}

    def _shape(self, node: Node, *, in_list: bool) -> dict[str, object]:
        if isinstance(node.get("type"), list):
            return {**_limits(node), "x-kubernetes-int-or-string": True}
        if node["type"] == "array":
            return {**_limits(node), "type": "array", **self._items(node)}
        if "patternProperties" in node:
            (value,) = node["patternProperties"].values()
            return {**_limits(node), "type": "object", "additionalProperties": self.schema(value, in_list=in_list)}
        if "properties" in node:
            return self._object(node, in_list=in_list)
        return {**_limits(node), "type": node["type"], **_values(node)}

    def _items(self, node: Node) -> dict[str, object]:
        items = _as_one(self._root, resolve(self._root, node["items"], kind=None))
        shape: dict[str, object] = {"items": self.schema(node["items"], in_list=True)}
        keys = _LIST_TYPES.get(items.get("title", ""))
        if keys is not None:
            return {**shape, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
        kind = "set" if node.get("title", "").lower() in _SETS else "atomic"
        return {**shape, "x-kubernetes-list-type": kind}

    def _object(self, node: Node, *, in_list: bool) -> dict[str, object]:
        title = node["title"]
        properties = {}
        for name, field in node["properties"].items():
            if name in _LEFT_OUT.get(title, ()):
                continue
            properties[name] = self.schema(field, in_list=in_list)
            if name in _MEANINGS.get(title, ()):
                properties[name]["description"] = _MEANINGS[title][name]
            if in_list or name in _DEFAULTED.get(title, ()):
                properties[name] |= _default(resolve(self._root, field, kind=None))
        required = [*node.get("required", ()), *_REQUIRED_TOO.get(title, ())]
        return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _as_one(root: Node, node: Node) -> Node:
    """Return ``node``, or for one of several kinds of objects one that has the fields of all."""
    if "discriminator" not in node:
        return node
    kinds = [resolve(root, option, kind=None) for option in node["oneOf"]]
    properties: dict[str, Any] = {}
    for kind in kinds:
        for name, field in kind["properties"].items():
            properties.setdefault(name, {**field, "description": _meaning_in(kinds, name)})
    properties["kind"] = {
        "type": "string",
        "enum": [_name_of(kind) for kind in kinds],
        "description": " ".join(f"{_name_of(kind)}: {kind['description']}" for kind in kinds),
    }
    required = [name for name in kinds[0]["required"] if all(name in kind["required"] for kind in kinds)]
    return {
        "type": "object",
        "title": "Check",
        "description": "One thing that is looked at.",
        "properties": properties,
        "required": required,
    }


def _name_of(kind: Node) -> str:
    name: str = kind["properties"]["kind"]["const"]
    return name


def _meaning_in(kinds: Sequence[Node], name: str) -> str:
    """Return what the field ``name`` means in each kind of object that has it, once where all say the same."""
    said = {_name_of(kind): kind["properties"][name]["description"] for kind in kinds if name in kind["properties"]}
    alike = len(set(said.values())) == 1
    return next(iter(said.values())) if alike else " ".join(f"{kind}: {text}" for kind, text in said.items())


def _description(node: Node) -> dict[str, object]:
    text = plain_text(node.get("description", ""))
    if "allowed" in node:
        text = f"{text} Allowed: {node['allowed']}.".lstrip()
    if isinstance(node.get("default"), bool | int | float | str) and node["default"] != "":
        text = f"{text} Default: {default_text(node)}."
    return {"description": text} if text else {}


def _limits(node: Node) -> dict[str, object]:
    limits = {key: node[key] for key in _KEPT if key in node and not (key == "pattern" and "allowed" in node)}
    if "exclusiveMinimum" in node:
        limits |= {"minimum": node["exclusiveMinimum"], "exclusiveMinimum": True}
    return limits


def _values(node: Node) -> dict[str, object]:
    values = [node["const"]] if "const" in node else [value for value in node.get("enum", ()) if value not in _NOT_HERE]
    return {"enum": values} if values else {}


def _default(node: Node) -> dict[str, object]:
    value = node.get("default")
    if isinstance(value, float) and node.get("unit") == "seconds":
        value = format_duration(value)
    return {} if value is None or isinstance(value, list | dict) else {"default": value}


def _validations(node: Node) -> dict[str, object]:
    of_object = RULES.get(node["title"], ()) if "properties" in node else ()
    rules = [*_of_text(node), *(rule.as_schema() for rule in of_object)]
    return {"x-kubernetes-validations": rules} if rules else {}


def _of_text(node: Node) -> Iterator[dict[str, object]]:
    """Yield the rules that stand for a pattern: they say what is allowed in words."""
    if "pattern" in node and "allowed" in node:
        yield _matches("self.matches", node["pattern"], node["allowed"])
    if "patternProperties" in node:
        (pattern,) = node["patternProperties"]
        allowed = f"labels of {node['propertyNames']['allowed']}"
        yield _matches("self.all(key, key.matches", pattern, allowed, end="))")


def _matches(call: str, pattern: str, allowed: str, *, end: str = ")") -> dict[str, object]:
    quoted = pattern.replace("\\", "\\\\").replace("'", "\\'")
    return {"rule": f"{call}('{quoted}'{end}", "message": f"must be {allowed}"}
