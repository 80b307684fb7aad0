"""Manifests as text: YAML or JSON in, raw documents and the line of every field out.

Called by ``rollout lint`` and by whoever reads a folder of manifests. Reads the parser's events
itself, because what people send may be broken or hostile: keys given twice, aliases that blow up,
nesting without end, and files that are too large are refused with their line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from ruamel.yaml.reader import ReaderError

from rollout.errors import ConfigurationError, Problem
from rollout.spec.fields import Location, path_of
from rollout.spec.scalars import plain

MOST_BYTES = 1024 * 1024
"""A text may be no larger than this."""

MOST_VALUES = 20_000
"""A document may have no more values than this, those behind aliases counted each time."""

DEEPEST = 32
"""Mappings and lists may be nested no deeper than this."""

_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document: its value as written, the line of each field by path, and its own first line."""

    value: object
    lines: Mapping[str, int]
    line: int

    def line_of(self, path: str) -> int:
        """Return the line of the field ``path``, or of the nearest field around it that exists."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, self.line)


def manifests_in(text: str, *, source: str = "") -> tuple[Manifest, ...]:
    """Return the documents of ``text`` in order; the items of a ``List`` are documents, empty ones are not.

    Raises:
        ConfigurationError: the text cannot be read; the problem has ``source``, line and column.
    """
    size = len(text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        given, allowed = f"more than {MOST_BYTES} bytes", f"at most {MOST_BYTES} bytes"
        raise _refused("is too large", source, line=1, given=given, allowed=allowed)
    try:
        documents = list(_documents(text))
    except _RefusedError as error:
        raise _refused(error.message, source, line=error.line, given=error.given, allowed=error.allowed) from None
    except YAMLError as error:
        raise _unreadable(error, text, source) from error
    except (ValueError, OverflowError) as error:  # of numbers in escapes and directives that no number can be
        allowed = "YAML 1.2 or JSON"
        raise _refused(
            "is not YAML: a number is too large", source, line=1, given="this text", allowed=allowed
        ) from error
    return tuple(manifest for document in documents for manifest in _unlisted(document))


def _unlisted(document: Manifest) -> Iterator[Manifest]:
    """Yield ``document``, or its items when its kind is ``List``."""
    value = document.value
    if not isinstance(value, Mapping) or value.get("kind") != "List" or not isinstance(value.get("items"), list):
        if value is not None:
            yield document
        return
    for index, item in enumerate(value["items"]):
        start = f"items[{index}]"
        lines = {
            path.removeprefix(start).removeprefix("."): line
            for path, line in document.lines.items()
            if path.startswith((f"{start}.", f"{start}["))
        }
        yield Manifest(item, lines, document.line_of(start))


class _RefusedError(Exception):
    """Something in the text that YAML allows and we do not."""

    def __init__(self, message: str, event: Event, *, given: str, allowed: str) -> None:
        super().__init__(message)
        self.message, self.given, self.allowed = message, given, allowed
        self.line = event.start_mark.line + 1


def _refused(message: str, source: str, *, line: int, given: str, allowed: str) -> ConfigurationError:
    return ConfigurationError((Problem("", message, given=given, allowed=allowed, source=source, line=line),))


def _unreadable(error: YAMLError, text: str, source: str) -> ConfigurationError:
    if isinstance(error, ReaderError):
        return _forbidden_character(error, text, source)
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    reason = error.problem if isinstance(error, MarkedYAMLError) and error.problem else str(error).splitlines()[0]
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    allowed = "YAML 1.2 or JSON"
    return _refused(f"column {column}: is not YAML: {reason}", source, line=line, given="this text", allowed=allowed)


def _forbidden_character(error: ReaderError, text: str, source: str) -> ConfigurationError:
    line, start = text.count("\n", 0, error.position) + 1, text.rfind("\n", 0, error.position)
    message = f"column {error.position - start}: is not YAML: a control character"
    return _refused(message, source, line=line, given=f"U+{error.character:04X}", allowed="printable characters")


def _documents(text: str) -> Iterator[Manifest]:
    """Yield a manifest for each document of ``text``."""
    # Tabs between the values of JSON are legal, but this parser takes them for broken indentation.
    json_like = text.lstrip().startswith(("{", "["))
    events = YAML(typ="safe", pure=True).parse(text.replace("\t", " ") if json_like else text)
    for event in events:
        if isinstance(event, DocumentStartEvent):
            builder = _Builder(events)
            first = next(events)
            value = builder.build(first, (), 0)
            yield Manifest(value, builder.lines, first.start_mark.line + 1)


@dataclass(slots=True)
class _Builder:
    """Turns the events of one document into a value, and notes where each field stands."""

    events: Iterator[NodeEvent]
    lines: dict[str, int] = field(default_factory=dict)
    anchors: dict[str, tuple[object, int]] = field(default_factory=dict)
    count: int = 0

    def build(self, event: NodeEvent, place: Location, depth: int) -> object:
        """Return the value that begins with ``event``."""
        self._bound(event, depth)
        before = self.count
        match event:
            case AliasEvent():
                return self._alias(event)
            case ScalarEvent():
                value: object = _scalar(event)
            case MappingStartEvent():
                value = self._mapping(place, depth)
            case _:
                value = self._sequence(place, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.count - before + 1)
        return value

    def _bound(self, event: Event, depth: int) -> None:
        self.count += 1
        if depth > DEEPEST:
            raise _RefusedError(
                "is nested too deep", event, given=f"{depth} levels", allowed=f"at most {DEEPEST} levels"
            )
        if self.count > MOST_VALUES:
            given, allowed = f"more than {MOST_VALUES} values", f"at most {MOST_VALUES} values, aliases followed"
            raise _RefusedError("has too many values", event, given=given, allowed=allowed)

    def _alias(self, event: NodeEvent) -> object:
        if event.anchor not in self.anchors:
            raise _RefusedError(
                "names an anchor that is not there", event, given=f"*{event.anchor}", allowed="an anchor above"
            )
        value, size = self.anchors[event.anchor]
        self.count += size
        self._bound(event, 0)
        return value

    def _mapping(self, place: Location, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = _key(event)
            if key in found:
                raise _RefusedError("is given twice", event, given=path_of((*place, key)), allowed="each field once")
            self.lines[path_of((*place, key))] = event.start_mark.line + 1
            found[key] = self.build(next(self.events), (*place, key), depth + 1)
        return found

    def _sequence(self, place: Location, depth: int) -> list[object]:
        found: list[object] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*place, len(found))
            self.lines[path_of(here)] = event.start_mark.line + 1
            found.append(self.build(event, here, depth + 1))
        return found


def _key(event: Event) -> str:
    """Return the name of a field; numbers and booleans are taken as they are written."""
    if not isinstance(event, ScalarEvent):
        raise _RefusedError(
            "has a field name that is not text", event, given="a list, mapping or alias", allowed="text"
        )
    return str(event.value)


def _scalar(event: ScalarEvent) -> object:
    is_plain = event.style in {None, ""}
    tagged_as_text = event.tag is not None and str(event.tag) == _TEXT_TAG
    return plain(event.value) if is_plain and not tagged_as_text else event.value


__all__ = ["MOST_BYTES", "Manifest", "manifests_in"]
