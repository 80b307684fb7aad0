"""Whether a manifest may be stored: every problem that it would have in force, before anything is written.

Called by the routes that apply. A policy that is not there yet is only warned of, since it may come later; the Rollout
waits for it. Pure but for what it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from rollout.api.models import Document
from rollout.api.problems import invalid
from rollout.api.resources import SERVERS
from rollout.controller.controller import Controller
from rollout.controller.zones import zone_problems_in
from rollout.errors import Problem
from rollout.ports import Key, RolloutStore
from rollout.spec.advice import warnings_of
from rollout.spec.built_in import built_in_policy
from rollout.spec.checking import whatever_policy
from rollout.spec.fields import printable
from rollout.spec.merge import examine, examine_policy
from rollout.spec.resource import PolicyRef, Rollout
from rollout.spec.sentences import shown


@dataclass(frozen=True, slots=True)
class Sound:
    """A manifest that may be stored: the Rollout as it would be effective (None: its policy is not there), warnings."""

    rollout: Rollout | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The policy that a Rollout names; its document is None when it is not there."""

    ref: PolicyRef
    document: Mapping[str, object] | None


def named(document: Document, kind: str, key: Key) -> Document:
    """Return the document as it is stored: of this kind and name, without what only the server gives.

    A namespace that is absent is that of ``key`` (empty: it has none).

    Raises:
        Refused: it is another kind, or says another name than the path.
    """
    given = document.get("metadata")
    read = given if isinstance(given, Mapping) else {}
    metadata = {name: value for name, value in read.items() if name not in SERVERS}
    if key.namespace and metadata.get("namespace") is None:
        metadata["namespace"] = key.namespace
    problems = [] if document.get("kind") == kind else [_other("kind", document.get("kind"), kind)]
    wanted = {"name": key.name, **({"namespace": key.namespace} if key.namespace else {})}
    problems += [
        _other(f"metadata.{name}", metadata.get(name), value)
        for name, value in wanted.items()
        if metadata.get(name) != value
    ]
    if problems:
        raise invalid(*problems)
    rest = {name: value for name, value in document.items() if name != "status"}
    return {**rest, "metadata": metadata}


def _other(field: str, given: object, wanted: str) -> Problem:
    message = "is required" if given is None else "is not what the path says"
    return Problem(field, message, given=shown(given), allowed=wanted)


def policy_of(document: Document, store: RolloutStore) -> Policy | None:
    """Return the policy that the Rollout names, with its document if it is there; None when it names none."""
    spec = document.get("spec")
    try:
        ref = PolicyRef.model_validate(spec.get("policy")) if isinstance(spec, Mapping) else None
    except ValidationError:
        return None  # the same fault is found, and said, by the examination
    return Policy(ref, store.policy(ref, str(document["metadata"]["namespace"]))) if ref is not None else None


def examine_rollout(document: Document, policy: Policy | None, controller: Controller) -> Sound:
    """Return what is sound about the manifest of a Rollout.

    Raises:
        Refused: it would be invalid; every problem is told.
    """
    if policy is not None and policy.document is None:
        return _without_policy(document, policy.ref)
    examined = examine(document, policy.document if policy is not None else None, built_in_policy())
    if examined.rollout is None:
        raise invalid(*examined.problems)
    lacking = controller.lacking(examined.rollout)
    if lacking:
        raise invalid(*lacking)
    return Sound(examined.rollout, tuple(map(str, warnings_of(examined.rollout))))


def _without_policy(document: Document, ref: PolicyRef) -> Sound:
    problems = tuple(whatever_policy(document))
    if problems:
        raise invalid(*problems)
    name = printable(f"{ref.kind} {ref.name}")
    message = f"spec.policy: {name} does not exist yet, so the Rollout waits for it and was not checked against it"
    return Sound(None, (message,))


def examine_of_policy(document: Document) -> None:
    """Return when the manifest of a policy is sound.

    Raises:
        Refused: it is not; every problem is told.
    """
    problems = (*examine_policy(document, built_in_policy()), *zone_problems_in(document))
    if problems:
        raise invalid(*(_own(problem) for problem in problems))


def _own(problem: Problem) -> Problem:
    return Problem(problem.field, problem.message, given=problem.given, allowed=problem.allowed)
