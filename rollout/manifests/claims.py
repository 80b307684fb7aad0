"""Which file speaks for which Rollout or policy, when several files give the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from rollout.errors import Problem
from rollout.manifests.contents import Contents, Document, Identity
from rollout.ports import Key


@dataclass(frozen=True, slots=True)
class Claim:
    """A document that is in force, and its file."""

    source: str
    document: Document


def claims_of(
    files: Mapping[str, Contents], current: Mapping[Identity, str], folder: str
) -> tuple[dict[Identity, Claim], tuple[Problem, ...]]:
    """Return the document in force for each name, and a problem for each that is not.

    Of several files the one that is in force now (``current``) stays so, else the first by path; of
    several documents in one file the first.
    """
    by_identity: defaultdict[Identity, list[Claim]] = defaultdict(list)
    for source in sorted(files):
        for document in files[source].documents:
            by_identity[document.identity].append(Claim(source, document))
    claims: dict[Identity, Claim] = {}
    problems: list[Problem] = []
    for identity, several in by_identity.items():
        first = next((claim for claim in several if claim.source == current.get(identity)), several[0])
        claims[identity] = first
        problems += [_taken(identity, first, other, folder) for other in several if other.source != first.source]
    return claims, tuple(problems)


def _taken(identity: Identity, first: Claim, other: Claim, folder: str) -> Problem:
    return Problem(
        "metadata.name",
        f"is taken by {folder}/{first.source}:{first.document.line}, which stays in force",
        given=label(identity),
        allowed="each name in one file",
        source=f"{folder}/{other.source}",
        line=other.document.line,
    )


def label(identity: Identity) -> str:
    """Return how messages name it: ``Rollout shop/checkout``, ``ClusterRolloutPolicy envoy``."""
    if isinstance(identity, Key):
        return f"Rollout {identity}"
    kind, namespace, name = identity
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
