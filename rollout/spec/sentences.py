"""What pydantic finds wrong, said for people: which field, what was given, what is allowed.

Called by ``rollout.spec.merge`` with the error of a model and the document that it refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rollout.errors import Problem
from rollout.spec.fields import Location, allowed_by, node_at, path_of, printable
from rollout.spec.metrics import LABEL_ALLOWED

REQUIRED = "is required"
"""What is said of a field that is absent."""

_USER_IN_URL = re.compile(r"//[^/?#@\s\"]*@")

_SENTENCES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "extra_forbidden": "is not a known field",
    "enum": "is not one of the known values",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "less_than_equal": "is too large",
    "literal_error": "is not one of the known values",
    "missing": REQUIRED,
    "path_type": "must be text",
    "model_attributes_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_pattern_mismatch": "does not have the right form",
    "string_too_long": "is too long",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "too_long": "has too many entries",
    "too_short": "has too few entries",
    "tuple_type": "must be a list",
    "union_tag_invalid": "is not one of the known values",
    "union_tag_not_found": REQUIRED,
}
"""One sentence for each kind of error; one that is not here keeps pydantic's words."""

_TAG_ERRORS = ("union_tag_invalid", "union_tag_not_found")


def told(error: ValidationError, document: object, model: type[BaseModel]) -> Iterator[tuple[Location, Problem]]:
    """Yield each problem of ``error`` with its location in ``document``, which ``model`` refused."""
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_is_inside(other, detail) for other in details):
            continue  # pydantic counts only the entries that are right
        location, kinds = _place(detail, document)
        if detail["loc"][-1:] == ("[key]",):
            yield location, _bad_key(location)
            continue
        allowed = _allowed(detail, model, location, kinds)
        message = _message(detail, allowed_values=allowed)
        yield location, Problem(path_of(location), message, given=_given(detail, location, document), allowed=allowed)


def _is_inside(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    depth = len(outer["loc"])
    return len(inner["loc"]) > depth and inner["loc"][:depth] == outer["loc"]


def _bad_key(location: Location) -> Problem:
    """Return the problem of a key that cannot be one; the only mappings with keys of their own are labels."""
    return Problem(path_of(location), "is not the name of a label", given=shown(location[-1]), allowed=LABEL_ALLOWED)


def _place(detail: ErrorDetails, document: object) -> tuple[Location, tuple[str | None, ...]]:
    """Return the location of ``detail`` without what pydantic adds to it, and the kinds written along it."""
    location: list[str | int] = []
    kinds: list[str | None] = []
    node = document
    for part in detail["loc"]:
        if part == "[key]" or _is_tag(part, location, node):
            continue
        location.append(part)
        node = value_at(node, (part,))
        kind = node.get("kind") if isinstance(node, Mapping) else None
        kinds.append(kind if isinstance(kind, str) else None)
    if detail["type"] in _TAG_ERRORS:
        return (*location, "kind"), (*kinds, None)
    return tuple(location), tuple(kinds)


def _is_tag(part: str | int, location: list[str | int], node: object) -> bool:
    return bool(location) and isinstance(location[-1], int) and isinstance(node, Mapping) and part == node.get("kind")


def value_at(document: object, location: Location) -> object:
    """Return what stands at ``location`` in ``document``, None where there is nothing."""
    node = document
    for part in location:
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list | tuple) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return None
    return node


def _allowed(detail: ErrorDetails, model: type[BaseModel], location: Location, kinds: tuple[str | None, ...]) -> str:
    if detail["type"] in _TAG_ERRORS:
        return allowed_by(node_at(model, location[:-1], kinds=kinds[:-1])).removeprefix("a mapping with kind ")
    if detail["type"] == "extra_forbidden":
        return allowed_by(node_at(model, location[:-1], kinds=kinds[:-1]))
    return allowed_by(node_at(model, location, kinds=kinds))


def _message(detail: ErrorDetails, *, allowed_values: str) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    message = _SENTENCES.get(detail["type"], detail["msg"])
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        message += "; put it in quotes"
    hint = _hint(detail, allowed_values)
    return f"{message}; did you mean {hint}?" if hint else message


def _hint(detail: ErrorDetails, allowed_values: str) -> str:
    names = {
        "extra_forbidden": str(detail["loc"][-1]),
        "enum": str(detail["input"]),
        "literal_error": str(detail["input"]),
        "union_tag_invalid": str(detail.get("ctx", {}).get("tag", "")),
    }
    known = allowed_values.removeprefix("the fields ").replace(" or ", ", ").split(", ")
    return guess(names.get(detail["type"], ""), known)


def guess(word: str, known: Sequence[str]) -> str:
    """Return the one of ``known`` that ``word`` was probably meant to be, empty when none is near."""
    folded = {name.lower(): name for name in known}
    close = get_close_matches(word.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def _given(detail: ErrorDetails, location: Location, document: object) -> str:
    if detail["type"] == "missing":
        return "nothing"
    return shown(value_at(document, location))


def shown(value: object) -> str:
    """Return ``value`` as people are shown it: short, on one line, containers by their size, no password."""
    match value:
        case None:
            return "nothing"
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
            return printable(_USER_IN_URL.sub("//***@", text))
