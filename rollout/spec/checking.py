"""Many manifests at once: every problem of every Rollout and policy, with file and line.

The whole of ``rollout lint`` but the files and the terminal: texts in, problems out. A Rollout is
checked together with its policy when that is among the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rollout.errors import ConfigurationError, Problem
from rollout.spec.advice import warnings_of
from rollout.spec.built_in import built_in_policy
from rollout.spec.fields import either, printable
from rollout.spec.merge import (
    POLICIES,
    Document,
    attributed,
    cleaned,
    depth_of,
    examine,
    examine_policy,
    is_left_open,
    label_of,
)
from rollout.spec.reading import location_of
from rollout.spec.sentences import guess, shown
from rollout.spec.text import Manifest, manifests_in

KINDS = ("Rollout", *POLICIES)
"""The kinds that are ours; documents of other kinds are left alone."""

GROUP = "rollout.dev"

Also = Callable[[Document], Iterable[Problem]]

_BESIDE_POLICY = frozenset({"spec.failover.fleetLimit", "spec.failover.signals.metrics.recoverBelow"})
"""What can be judged only beside what the policy says."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of all texts: the problems in order of file and line, and how many documents were ours."""

    problems: tuple[Problem, ...]
    rollouts: int
    policies: int

    @property
    def errors(self) -> int:
        """Return how many problems are more than a warning."""
        return sum(not problem.warning for problem in self.problems)


@dataclass(frozen=True, slots=True)
class _Found:
    """One document of ours, and where it stands."""

    source: str
    manifest: Manifest
    document: Document

    @property
    def identity(self) -> str:
        """Return kind, namespace and name."""
        return label_of(self.document)

    def placed(self, problem: Problem) -> Problem:
        """Return ``problem`` with this document's file and the line of its field."""
        return replace(problem, source=self.source, line=self.manifest.line_of(problem.field))


def check(
    texts: Iterable[tuple[str, str]], *, requests_per_second: float | None = None, also: Also = lambda _: ()
) -> Checked:
    """Return every problem of ``texts``, which are (name of the file, content).

    ``requests_per_second`` is the traffic of all backends of each Rollout together; with it, plans
    that get too few requests are warned of. ``also`` gives problems of a manifest that only the caller can know.
    """
    problems: list[Problem] = []
    found: list[_Found] = []
    order: dict[str, int] = {}
    for source, text in texts:
        order.setdefault(source, len(order))
        documents, refused = _sorted_out(source, text)
        found += documents
        problems += refused
    policies = {document.identity: document for document in found if document.document["kind"] in POLICIES}
    problems += _twice(found)
    for document in found:
        problems += _problems_of(document, policies, requests_per_second)
        problems += (document.placed(problem) for problem in also(document.document))
    problems = sorted(dict.fromkeys(problems), key=lambda problem: (order[problem.source], problem.line))
    rollouts = sum(document.document["kind"] == "Rollout" for document in found)
    return Checked(tuple(problems), rollouts=rollouts, policies=len(found) - rollouts)


def _sorted_out(source: str, text: str) -> tuple[list[_Found], list[Problem]]:
    """Return the documents of ``text`` that are ours, and what keeps others from being that."""
    try:
        manifests = manifests_in(text, source=source)
    except ConfigurationError as error:
        return [], list(error.problems)
    found: list[_Found] = []
    problems: list[Problem] = []
    if not manifests:
        problems.append(Problem("", "has no document", given="nothing", allowed=either(KINDS), source=source, line=1))
    for manifest in manifests:
        if not isinstance(manifest.value, Mapping):
            message, given = "must be a mapping with kind", shown(manifest.value)
            problems.append(Problem("", message, given=given, allowed=either(KINDS), source=source, line=manifest.line))
        elif manifest.value.get("kind") in KINDS:
            found.append(_Found(source, manifest, cleaned(manifest.value)))
        else:
            problems += _unknown_kind(source, manifest, manifest.value)
    return found, problems


def _unknown_kind(source: str, manifest: Manifest, value: Document) -> Iterator[Problem]:
    """Yield a problem when a document looks as if it was meant to be ours."""
    version = value.get("apiVersion")
    if (isinstance(version, str) and not version.startswith(GROUP)) or _is_rehearsal(value):
        return
    kind = value.get("kind")
    hint = guess(kind, KINDS) if isinstance(kind, str) else ""
    message = "is required" if kind is None else "is not a known kind"
    message += f"; did you mean {hint}?" if hint else ""
    problem = Problem("kind", message, given=shown(kind), allowed=either(KINDS), source=source)
    yield replace(problem, line=manifest.line_of("kind"))


def _is_rehearsal(value: Document) -> bool:
    """Return whether a document is a rehearsal: it holds a Rollout, and lies in the same folders."""
    return "rollout" in value and not {"kind", "spec"} & set(value)


def _twice(found: Iterable[_Found]) -> Iterator[Problem]:
    first: dict[str, _Found] = {}
    for document in found:
        other = first.setdefault(document.identity, document)
        if other is not document:
            place = f"{other.source}:{other.manifest.line_of('metadata.name')}"
            message = f"is taken by another document ({printable(place)})"
            problem = Problem("metadata.name", message, given=printable(document.identity), allowed="each name once")
            yield document.placed(problem)


def _problems_of(document: _Found, policies: Mapping[str, _Found], rps: float | None) -> Iterator[Problem]:
    if document.document["kind"] in POLICIES:
        own = examine_policy(document.document, built_in_policy())
        return (document.placed(problem) for problem in own)
    ref = _policy_of(document.document)
    if ref is None:
        return _of_rollout(document, None, rps)
    if ref not in policies:
        return _without_policy(document, ref)
    return _of_rollout(document, policies[ref], rps)


def _policy_of(document: Document) -> str | None:
    """Return the identity of the policy that ``document`` names, None when it names none that can be."""
    spec = document.get("spec")
    ref = spec.get("policy") if isinstance(spec, Mapping) else None
    if not isinstance(ref, Mapping) or ref.get("kind") not in POLICIES or not isinstance(ref.get("name"), str):
        return None
    metadata = document.get("metadata")
    namespace = metadata.get("namespace", "default") if isinstance(metadata, Mapping) else "default"
    return label_of({"kind": ref["kind"], "metadata": {"name": ref["name"], "namespace": namespace}})


def _of_rollout(document: _Found, policy: _Found | None, rps: float | None) -> Iterator[Problem]:
    """Yield the problems of a Rollout and, when there are none, the warnings."""
    policy_document = None if policy is None else policy.document
    examined = examine(document.document, policy_document, built_in_policy())
    problems = examined.problems
    if examined.rollout is not None:
        problems = warnings_of(examined.rollout, requests_per_second=rps)
        if policy_document is not None:
            problems = tuple(attributed(p, document.document, policy_document) for p in problems)
    for problem in problems:
        yield (policy if policy is not None and problem.source else document).placed(problem)


def _without_policy(document: _Found, ref: str) -> Iterator[Problem]:
    """Yield what is wrong with a Rollout whatever its policy says, and that more could not be checked."""
    message, allowed = "is not among the files, so the Rollout is not checked against it", "give its file too"
    problem = Problem("spec.policy", message, given=printable(ref), allowed=allowed, warning=True)
    yield document.placed(problem)
    yield from (document.placed(problem) for problem in whatever_policy(document.document))


def whatever_policy(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with a Rollout whatever its policy says."""
    for problem in examine(document, {"kind": "policy", "spec": {}}, built_in_policy()).problems:
        place = location_of(problem.field)
        of_rollout = not problem.source and depth_of(document, place) >= len(place) - 1
        if of_rollout and not is_left_open(problem) and problem.field not in _BESIDE_POLICY:
            yield problem
