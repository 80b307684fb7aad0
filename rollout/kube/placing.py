"""Putting whole manifests into the cluster, and reading an object again: what Rollouts and policies have in common.

A manifest that is placed replaces the spec; labels and annotations that it does not name stay, and so do finalizers and
owners. Called by ``store`` and ``policies``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollout.errors import ConfigurationError, ConflictError, NotOursError, Problem
from rollout.kube.api import KubeApi
from rollout.kube.faults import Refused
from rollout.kube.orders import COMMAND
from rollout.kube.reflector import Reflector
from rollout.kube.resources import Document, Resource, age_of, version_of
from rollout.spec.fields import printable

MOST_TRIES = 5
"""How often a write is tried that others' writes came before."""

Place = tuple[str, str]
"""Namespace (empty for what has none) and name."""


async def place(
    api: KubeApi, resource: Resource, where: Place, document: Mapping[str, object], *, expected: str | None = None
) -> Document:
    """Make the object, or change it to ``document``; return it as it is then.

    Raises:
        ConfigurationError: the API server refuses it; every field that it names is told.
        ConflictError: its version is not ``expected`` (empty: it must not exist; None: whatever it is), it is being
            deleted, or others wrote each time.
        Forbidden, Unavailable: as ``KubeApi.get``.
    """
    for _ in range(MOST_TRIES):
        found = await _found(api, resource, where) if expected != "" else None
        _refuse_other(resource, where, found, expected or None)
        try:
            return await _write(api, resource, where, document, found=found)
        except Refused as refused:
            raise ConfigurationError(_problems(refused)) from refused
        except ConflictError as error:
            if expected is not None:
                told = "exists" if not expected else f"has changed since version {expected}"
                raise ConflictError(f"{_said(resource, where)} {told}") from error
        except NotOursError as error:
            # An object that was there somebody took away meanwhile; it is made anew.
            if found is None:
                raise ConfigurationError((_nowhere(resource, where, error),)) from error
    raise ConflictError(f"{_said(resource, where)} was changed by others each of {MOST_TRIES} times")


async def _write(
    api: KubeApi, resource: Resource, where: Place, document: Mapping[str, object], *, found: Document | None
) -> Document:
    if found is None:
        return await api.create(resource, _new(document, resource, where), namespace=where[0])
    wanted = _merged(found, document)
    return await api.replace(resource, *where, wanted) if wanted != found else wanted


async def reread(api: KubeApi, memory: Reflector, where: Place) -> Document | None:
    """Read the object once, so that memory has it as it is now; return it, None when it is gone.

    Raises:
        Forbidden, Unavailable: as ``KubeApi.get``.
    """
    before = memory.get(*where)
    try:
        found = await api.get(memory.resource, *where)
    except NotOursError:
        if before is not None:
            memory.forget(*where, age=age_of(version_of(before)))
        return None
    memory.put(found)
    return found


async def _found(api: KubeApi, resource: Resource, where: Place) -> Document | None:
    try:
        return await api.get(resource, *where)
    except NotOursError:
        return None


def _refuse_other(resource: Resource, where: Place, found: Document | None, expected: str | None) -> None:
    if expected is not None and (found is None or version_of(found) != expected):
        there = f"its version is {version_of(found)}" if found is not None else "it is gone"
        raise ConflictError(f"{_said(resource, where)} has changed since version {expected}: {there}")
    if found is not None and found["metadata"].get("deletionTimestamp"):
        raise ConflictError(f"{_said(resource, where)} is being deleted; apply it again once it is gone")


def _said(resource: Resource, where: Place) -> str:
    return f"{resource.kind} {'/'.join(part for part in where if part)}"


def _new(document: Mapping[str, object], resource: Resource, where: Place) -> dict[str, Any]:
    metadata = {"name": where[1], **({"namespace": where[0]} if where[0] else {})}
    return _merged({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}, document)


def _merged(found: Document, document: Mapping[str, object]) -> dict[str, Any]:
    """Return what is there with the spec, labels and annotations of ``document``.

    An annotation that carries a command is none of a manifest's business: what stands there stays.
    """
    given: Any = document.get("metadata")
    metadata = dict(found["metadata"])
    for field in ("labels", "annotations"):
        wanted = given.get(field) if isinstance(given, Mapping) else None
        if isinstance(wanted, Mapping):
            kept = metadata.get(field) or {}
            merged = {**kept, **{name: text for name, text in wanted.items() if name != COMMAND}}
            if merged:
                metadata[field] = merged
    return {**found, "metadata": metadata, "spec": document.get("spec") or {}}


def _nowhere(resource: Resource, where: Place, error: NotOursError) -> Problem:
    """Return why an object cannot be made: a namespace is missing, unless the API server speaks of something else."""
    if where[0] and f'namespaces "{where[0]}" not found' in str(error):
        return Problem("metadata.namespace", "there is no such namespace", given=where[0])
    return Problem("kind", "the cluster does not serve it; its CRD is to be installed", given=resource.kind)


def _problems(refused: Refused) -> tuple[Problem, ...]:
    return tuple(Problem(field, printable(message)) for field, message in refused.causes)
