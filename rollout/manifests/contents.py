"""What one file holds: the documents of ours in it, and everything that is wrong with it.

A file is taken as a whole: when a document in it cannot be read, or does not say who it is, nobody
knows what was meant to go, and what the file said before stays in force. What is wrong with a
document that says who it is (a weight of 300) is told here, and is the controller's to act upon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from rollout.errors import ConfigurationError, Problem
from rollout.ports import Key, PolicyKey
from rollout.spec.base import Name
from rollout.spec.checking import KINDS, check
from rollout.spec.text import Manifest, manifests_in

_NAME = TypeAdapter(Name)

Identity = Key | PolicyKey
"""Who a document is: a Rollout or a policy."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of ours, who it is, and the line of its name."""

    identity: Identity
    value: Mapping[str, object]
    line: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds; ``broken`` when it cannot be taken as a whole (it then has no documents)."""

    documents: tuple[Document, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: bool = False


def contents_of(source: str, text: str) -> Contents:
    """Return what ``text`` holds; its problems name ``source``."""
    problems = tuple(problem for problem in check([(source, text)]).problems if not _needs_other_files(problem))
    try:
        documents = tuple(_ours(manifests_in(text, source=source)))
    except (ConfigurationError, ValidationError):
        return Contents(problems=problems, broken=True)  # ``check`` has found, and said, the same
    return Contents(documents, problems)


def _needs_other_files(problem: Problem) -> bool:
    """Return whether the problem is only that the policy stands in another file."""
    return problem.warning and problem.field == "spec.policy"


def _ours(manifests: tuple[Manifest, ...]) -> Iterator[Document]:
    """Yield the documents of our kinds.

    Raises:
        ValidationError: a document has no kind, or one of ours no usable name.
    """
    for manifest in manifests:
        value = TypeAdapter(dict[str, object]).validate_python(manifest.value)
        if value.get("kind") in KINDS:
            yield Document(_identity(value), value, manifest.line_of("metadata.name"))


def _identity(value: Mapping[str, object]) -> Identity:
    metadata = value.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    name = _NAME.validate_python(given.get("name"))
    namespace = given.get("namespace")
    namespace = _NAME.validate_python("default" if namespace is None else namespace)
    kind = str(value["kind"])
    if kind == "Rollout":
        return Key(namespace, name)
    return (kind, "" if kind == "ClusterRolloutPolicy" else namespace, name)
