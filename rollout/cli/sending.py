"""What `rollout apply` sends: the manifests of the files, checked as `rollout lint` does, policies first.

Asks nobody; called by ``rollout.cli.apply``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rollout.api.models import Applied
from rollout.cli.client import ApiClient
from rollout.errors import Problem
from rollout.spec.checking import KINDS, check
from rollout.spec.merge import cleaned
from rollout.spec.text import Manifest, manifests_in

ROLLOUT = "Rollout"
CLUSTER_POLICY = "ClusterRolloutPolicy"
OF_THE_SERVER = frozenset(
    {"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "uid"}
)
"""Metadata that the server writes; what `rollout get -o yaml` gave may be applied again."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One manifest that is to be applied; ``namespace`` is empty for a ClusterRolloutPolicy."""

    kind: str
    namespace: str
    name: str
    document: Mapping[str, Any]
    source: str
    manifest: Manifest

    @property
    def label(self) -> str:
        """Return what it is called."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def place(self) -> str:
        """Return the file and line of its name."""
        return f"{self.source}:{self.manifest.line_of('metadata.name')}"

    def placed(self, problem: Problem) -> Problem:
        """Return a problem that the server found, with the file and line of its field."""
        return replace(problem, source=self.source, line=self.manifest.line_of(problem.field))

    async def apply(self, api: ApiClient, query: Sequence[tuple[str, str]]) -> Applied:
        """Send it."""
        body = json.dumps(self.document, allow_nan=False).encode()
        if self.kind == ROLLOUT:
            return await api.apply((self.namespace, self.name), body, query)
        return await api.apply_policy(self.namespace, self.name, body, [pair for pair in query if pair[0] == "dryRun"])


def problems_in(texts: Sequence[tuple[str, str]]) -> tuple[Problem, ...]:
    """Return what is wrong with the texts as they stand; a policy that is not among them may be with the server."""
    found = check(texts).problems
    return tuple(problem for problem in found if not (problem.warning and problem.field == "spec.policy"))


def sent_from(texts: Iterable[tuple[str, str]], *, namespace: str) -> list[Sent]:
    """Return what is to be sent, policies first, else in the order of the files; the texts have been checked.

    ``namespace`` is for what names none.
    """
    found = [sent for source, text in texts for sent in _of_text(source, text, namespace)]
    return sorted(found, key=lambda sent: sent.kind == ROLLOUT)


def _of_text(source: str, text: str, namespace: str) -> Iterator[Sent]:
    for manifest in manifests_in(text, source=source):
        if isinstance(manifest.value, Mapping) and manifest.value.get("kind") in KINDS:
            document = cleaned(manifest.value)
            kind, metadata = str(document["kind"]), _metadata(document)
            here = "" if kind == CLUSTER_POLICY else str(metadata.get("namespace", namespace))
            kept = {name: value for name, value in metadata.items() if name not in OF_THE_SERVER}
            own = {**document, "metadata": {**kept, **({"namespace": here} if here else {})}}
            yield Sent(kind, here, str(metadata["name"]), own, source, manifest)


def _metadata(document: Mapping[str, object]) -> Mapping[str, object]:
    metadata = document["metadata"]
    if not isinstance(metadata, Mapping):
        raise TypeError("a manifest that was checked has metadata")
    return metadata
