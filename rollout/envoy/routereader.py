"""Reads an RDS file: finds the named weighted routes in it and where each weight stands.

Works on the tree of nodes that the YAML parser makes before it makes values, since nodes know
their place in the text. Called by ``rollout.envoy.routes``; it reports everything that keeps a
route from being edited safely, with file, line and field, and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rollout.envoy.routefile import MAX_WEIGHT, FileRef, FileRoute, FileRule, RouteFile, Spot, VersionSlot
from rollout.errors import ConfigurationError, Problem

_SHAPE = "a DiscoveryResponse with version_info and a list of resources, as JSON or YAML"
_NUMBER = re.compile(r"""(["']?)(0|[1-9][0-9]{0,9})\1""")
_QUOTED_OR_PLAIN = re.compile(r"""(["'])(.*)\1|([^"'|>&!*\s][^\n]*)""", re.DOTALL)
_WEIGHT_ALLOWED = f"a plain number from 0 to {MAX_WEIGHT}, written in one place and used in one place"


@dataclass(frozen=True, slots=True)
class _At:
    """A node, its field path, and whether it or anything above it is used in more than one place."""

    node: Node
    path: str
    shared: bool = False


@dataclass(slots=True)
class _Found:
    """What has been found so far of one named route."""

    configurations: list[str] = field(default_factory=list)
    rules: list[FileRule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def parse(content: bytes, source: str) -> RouteFile:
    """Return the routes of the RDS file ``source`` with this content.

    A route that cannot be edited safely is there with its ``problems``.

    Raises:
        ConfigurationError: the file is no UTF-8, no YAML or no DiscoveryResponse.
    """
    text = _decoded(content, source)
    root = _composed(text, source)
    return _Reader(text, source, root).file()


def _decoded(content: bytes, source: str) -> str:
    """Return the content as text."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem("", "is not UTF-8 text", given=f"byte 0x{content[error.start]:02x}", source=source, line=line)
        raise ConfigurationError((problem,)) from error


def _composed(text: str, source: str) -> Node | None:
    """Return the root node of the text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise ConfigurationError(
            (Problem("", f"does not parse: {message}", allowed=_SHAPE, source=source, line=line),)
        ) from error
    except YAMLError as error:
        message = " ".join(str(error).split())
        raise ConfigurationError((Problem("", f"does not parse: {message}", allowed=_SHAPE, source=source),)) from error
    except RecursionError as error:
        raise ConfigurationError((Problem("", "is nested too deeply", allowed=_SHAPE, source=source),)) from error
    return root


class _Reader:
    """One reading of one file."""

    def __init__(self, text: str, source: str, root: Node | None) -> None:
        """Remember the text and which nodes are used more than once."""
        self._text = text
        self._source = source
        self._root = root
        self._shared = _shared_nodes(root) if root is not None else frozenset()

    def file(self) -> RouteFile:
        """Return everything that was found.

        Raises:
            ConfigurationError: the root, the version or the resources have a wrong shape.
        """
        if not isinstance(self._root, MappingNode):
            raise self._wrong("", "is empty" if self._root is None else "is not a mapping", self._root, _SHAPE)
        root = _At(self._root, "", shared=False)
        version = self._version(root, self._root)
        resources = self._child(root, "resources")
        if resources is None:
            raise self._wrong("resources", "is missing", self._root, _SHAPE)
        found: dict[str, _Found] = {}
        for resource in self._items(resources):
            self._read_resource(resource, found)
        routes = {
            name: FileRoute(name, tuple(dict.fromkeys(one.configurations)), tuple(one.rules), tuple(one.problems))
            for name, one in found.items()
        }
        return RouteFile(self._source, self._text, version, routes)

    # ------------------------------------------------------------ the version

    def _version(self, root: _At, mapping: MappingNode) -> VersionSlot:
        """Return where the version stands, or where a missing one goes: first in the response."""
        version = self._child(root, "version_info")
        if version is None:
            return self._missing_version(mapping)
        spelled = self._spelled(version.node)
        match = _QUOTED_OR_PLAIN.fullmatch(spelled)
        if not isinstance(version.node, ScalarNode) or version.shared or match is None:
            raise self._wrong(
                "version_info", "cannot be edited", version.node, "a plain or quoted string without an anchor"
            )
        group = 2 if match.group(1) else 3
        start = version.node.start_mark.index
        return VersionSlot(version.node.value, Spot(start + match.start(group), start + match.end(group)))

    def _missing_version(self, root: MappingNode) -> VersionSlot:
        """Return the place of a new first entry of the response."""
        mark = root.start_mark
        if root.flow_style:
            return VersionSlot("", Spot(mark.index + 1, mark.index + 1), '"version_info": "', '", ')
        line_end = "\r\n" if "\r\n" in self._text else "\n"
        return VersionSlot("", Spot(mark.index, mark.index), 'version_info: "', '"' + line_end + " " * mark.column)

    # ------------------------------------------------------------ the routes

    def _read_resource(self, resource: _At, found: dict[str, _Found]) -> None:
        """Read one route configuration; any other kind of resource is none of our business."""
        inner = self._child(resource, "resource")
        if inner is not None:
            resource = inner
        kind = self._scalar(resource, "@type")
        if kind and not kind.endswith(".RouteConfiguration"):
            return
        name = self._scalar(resource, "name")
        for host in self._items(self._child(resource, "virtual_hosts")):
            for route in self._items(self._child(host, "routes")):
                self._read_route(name, self._scalar(host, "name"), route, found)

    def _read_route(self, configuration: str, host: str, route: _At, found: dict[str, _Found]) -> None:
        """Read one entry of ``routes``, if it has a name and weighted clusters."""
        name = self._scalar(route, "name")
        action = self._child(route, "route")
        weighted = self._child(action, "weighted_clusters") if action is not None else None
        if not name or weighted is None:
            return
        one = found.setdefault(name, _Found())
        one.configurations.append(configuration)
        refs, problems = self._read_clusters(weighted)
        one.rules.append(FileRule(len(one.rules), host, refs))
        one.problems += problems

    def _read_clusters(self, weighted: _At) -> tuple[tuple[FileRef, ...], list[Problem]]:
        """Return the refs of one rule, and why it cannot be edited (if it cannot)."""
        problems: list[Problem] = []
        total = self._child(weighted, "total_weight")
        if total is not None:
            allowed = "leave it out; Envoy sums the weights"
            problems.append(
                self._problem(total.path, "total_weight is deprecated and would go stale", total.node, allowed)
            )
        refs: list[FileRef] = []
        clusters = self._child(weighted, "clusters")
        for entry in self._items(clusters):
            ref = self._read_ref(entry)
            if isinstance(ref, Problem):
                problems.append(ref)
            else:
                refs.append(ref)
        if not refs and not problems:
            problems.append(
                self._problem(
                    weighted.path + ".clusters", "is missing or empty", weighted.node, "clusters with name and weight"
                )
            )
        names = [ref.cluster for ref in refs if ref.cluster]
        twice = sorted({name for name in names if names.count(name) > 1})
        where = weighted.path + ".clusters"
        problems += [self._problem(where, f"names {name} twice", weighted.node, "each cluster once") for name in twice]
        return tuple(refs), problems

    def _read_ref(self, entry: _At) -> FileRef | Problem:
        """Return one weighted cluster, or why its weight cannot be edited."""
        weight = self._child(entry, "weight")
        if weight is None:
            return self._problem(entry.path + ".weight", "is missing", entry.node, f"weight: {_WEIGHT_ALLOWED}")
        match = _NUMBER.fullmatch(self._spelled(weight.node))
        if weight.shared:
            return self._problem(
                weight.path, "is used in more than one place (anchor and alias)", weight.node, _WEIGHT_ALLOWED
            )
        if not isinstance(weight.node, ScalarNode) or match is None or int(match.group(2)) > MAX_WEIGHT:
            return self._problem(weight.path, "cannot be edited", weight.node, _WEIGHT_ALLOWED)
        start = weight.node.start_mark.index
        spot = Spot(start + match.start(2), start + match.end(2))
        return FileRef(self._scalar(entry, "name"), int(match.group(2)), spot)

    # ------------------------------------------------------------ steps in the tree

    def _child(self, at: _At, key: str) -> _At | None:
        """Return the field ``key`` (spelled as in the API or in its JSON form), or None when it is not there.

        Raises:
            ConfigurationError: the parent is no mapping, or has the field twice.
        """
        if not isinstance(at.node, MappingNode):
            raise self._wrong(at.path, "has a wrong shape", at.node, f"a mapping with {key}")
        spellings = (key, _camel(key))
        values = [value for name, value in at.node.value if isinstance(name, ScalarNode) and name.value in spellings]
        path = f"{at.path}.{key}" if at.path else key
        if len(values) > 1:
            raise self._wrong(path, "stands twice", values[1], "once")
        return self._at(values[0], path, at) if values else None

    def _items(self, at: _At | None) -> Iterator[_At]:
        """Yield the items of a list (none when the field is not there)."""
        if at is None:
            return
        if not isinstance(at.node, SequenceNode):
            raise self._wrong(at.path, "has a wrong shape", at.node, "a list")
        for index, value in enumerate(at.node.value):
            yield self._at(value, f"{at.path}[{index}]", at)

    def _scalar(self, at: _At, key: str) -> str:
        """Return the field's text, empty when it is not there.

        Raises:
            ConfigurationError: it is a mapping or a list.
        """
        child = self._child(at, key)
        if child is None:
            return ""
        if not isinstance(child.node, ScalarNode):
            raise self._wrong(child.path, "has a wrong shape", child.node, "a string")
        value: str = child.node.value
        return value

    def _at(self, node: Node, path: str, parent: _At) -> _At:
        """Return the node as a place below ``parent``."""
        return _At(node, path, shared=parent.shared or id(node) in self._shared)

    def _spelled(self, node: Node) -> str:
        """Return the node as it is written."""
        return self._text[node.start_mark.index : node.end_mark.index]

    # ------------------------------------------------------------ what is wrong

    def _problem(self, path: str, message: str, node: Node | None, allowed: str) -> Problem:
        """Return a problem at the node's line; a scalar is quoted as it is written."""
        line = 1 if node is None else self._line(node)
        problem = Problem(path, message, allowed=allowed, source=self._source, line=line)
        return replace(problem, given=self._spelled(node)[:80]) if isinstance(node, ScalarNode) else problem

    def _line(self, node: Node) -> int:
        """Return the node's line; the parser places an empty value at the next thing that is there."""
        if self._spelled(node):
            line: int = node.start_mark.line + 1
            return line
        return self._text[: node.start_mark.index].rstrip().count("\n") + 1

    def _wrong(self, path: str, message: str, node: Node | None, allowed: str) -> ConfigurationError:
        """Return the error of a file that cannot be read at all."""
        return ConfigurationError((self._problem(path, message, node, allowed),))


def _camel(key: str) -> str:
    """Return the JSON spelling of a field of Envoy's API."""
    first, *rest = key.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _shared_nodes(root: Node) -> frozenset[int]:
    """Return the ids of the nodes that an alias uses a second time."""
    seen: set[int] = set()
    shared: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            shared.add(id(node))
            continue
        seen.add(id(node))
        waiting += _parts(node)
    return frozenset(shared)


def _parts(node: Node) -> list[Node]:
    """Return the nodes directly below."""
    match node:
        case MappingNode():
            return [part for pair in node.value for part in pair]
        case SequenceNode():
            return list(node.value)
        case _:
            return []
