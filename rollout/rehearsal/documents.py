"""Manifests that a rehearsal file holds or points to, each with the place where its fields stand.

Called by ``rollout.rehearsal.reading``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rollout.errors import ConfigurationError, Problem
from rollout.spec.text import Manifest, manifests_in


@dataclass(frozen=True, slots=True)
class Document:
    """One manifest; ``place`` is the field that gave it, ``prefix`` what its own fields stand under."""

    value: Mapping[str, object]
    place: str
    prefix: str
    source: str
    manifest: Manifest

    @property
    def kind(self) -> object:
        """Return the kind as written."""
        return self.value.get("kind")

    def placed(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Yield ``problems`` of this manifest with file, line and the whole path of the field."""
        for problem in problems:
            path = f"{self.prefix}.{problem.field}".strip(".")
            yield replace(problem, field=path, source=self.source, line=self.manifest.line_of(path))


def text_of(path: Path) -> str:
    """Return the content of a file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problem = Problem("", f"cannot be read: {reason}", given=path.name, allowed="a readable file", source=str(path))
        raise ConfigurationError((problem,)) from error


def documents_at(entry: object, place: str, *, manifest: Manifest, path: Path) -> list[Document]:
    """Return the manifests that ``entry`` of the rehearsal file ``path`` is or points to (from its own folder).

    Raises:
        ConfigurationError: the file that it points to cannot be read.
    """
    named = (
        entry
        if isinstance(entry, str)
        else entry.get("file")
        if isinstance(entry, Mapping) and len(entry) == 1
        else None
    )
    if not isinstance(named, str):
        return [Document(entry, place, place, str(path), manifest)] if isinstance(entry, Mapping) else []
    file = path.parent / named
    try:
        found = manifests_in(text_of(file), source=str(file))
    except ConfigurationError as error:
        line = manifest.line_of(f"{place}.file")
        where = [replace(p, field=f"{place}.file", source=str(path), line=line) for p in error.problems if not p.line]
        raise ConfigurationError((*where, *(p for p in error.problems if p.line))) from error
    return [Document(made.value, place, "", str(file), made) for made in found if isinstance(made.value, Mapping)]


def policy_of(rollout: Mapping[str, object], policies: Sequence[Mapping[str, object]]) -> Mapping[str, object] | None:
    """Return the policy that ``rollout`` names, the last one given where there are several, or None."""
    ref = _mapping(_mapping(rollout, "spec"), "policy")
    namespace = _mapping(rollout, "metadata").get("namespace", "default")
    for policy in reversed(policies):
        metadata = _mapping(policy, "metadata")
        same = (policy.get("kind"), metadata.get("name")) == (ref.get("kind"), ref.get("name"))
        if (
            ref
            and same
            and (ref.get("kind") == "ClusterRolloutPolicy" or metadata.get("namespace", "default") == namespace)
        ):
            return policy
    return None


def _mapping(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}
