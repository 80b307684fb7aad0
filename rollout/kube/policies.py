"""The policies of the cluster: those of a namespace and those for all, as documents in memory.

A document stays the same object until what is wanted in it changes: by that the controller knows that it has to merge
nothing anew. Called by ``store``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from rollout.errors import ConfigurationError, NotOursError, Problem
from rollout.kube.api import KubeApi
from rollout.kube.cache import Name
from rollout.kube.kept import kept_policy, manifest
from rollout.kube.placing import place, reread
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import CLUSTER_POLICIES, POLICIES, Document, Resource
from rollout.ports import Clock, PolicyKey
from rollout.spec.identity import POLICY_KINDS, identity_of, kind_of, policy_key


class KubePolicies:
    """The policies; ``listener`` hears of every one that came, went, or wants something else."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        listener: Callable[[PolicyKey], None],
        *,
        chance: Callable[[], float],
        namespace: str = "",
    ) -> None:
        """Watch those of ``namespace`` (empty: of all), and those for all: with a namespace only if we may."""
        self._api = api
        self._listener = listener
        self._documents: dict[PolicyKey, Document] = {}
        everywhere = ReflectorOptions(optional=bool(namespace))  # who has rights in one namespace may see no others
        self._watches = {
            POLICIES.kind: Reflector(api, POLICIES, kept_policy, clock, chance=chance, namespace=namespace),
            CLUSTER_POLICIES.kind: Reflector(
                api, CLUSTER_POLICIES, kept_policy, clock, chance=chance, options=everywhere
            ),
        }
        for watch in self._watches.values():
            watch.subscribe(partial(self._changed, watch.resource))

    async def start(self) -> None:
        """Begin, and return when both lists are in."""
        await asyncio.gather(*(watch.start() for watch in self._watches.values()))

    async def aclose(self) -> None:
        """End the watches."""
        await asyncio.gather(*(watch.aclose() for watch in self._watches.values()))

    def watches(self) -> tuple[Reflector, ...]:
        """Return the reflectors of what the cluster has, and lets us see."""
        return tuple(watch for watch in self._watches.values() if not watch.absent)

    def get(self, policy: PolicyKey) -> Document | None:
        """Return the policy's document, or None when there is none."""
        return self._documents.get(policy)

    def all(self) -> Mapping[PolicyKey, Document]:
        """Return the documents of all policies."""
        return dict(self._documents)

    async def apply(self, document: Mapping[str, object]) -> None:
        """Make or change a policy.

        Raises:
            ConfigurationError: it is no policy, has no usable name, or the API server refuses it.
            ConflictError: it is being deleted, or others changed it each time.
            Forbidden, Unavailable: as ``KubeApi.get``.
        """
        watch = self._watches[kind_of(document, *POLICY_KINDS)]
        refuse_other_version(document, watch.resource)
        namespace, name = identity_of(document)
        where = (namespace if watch.resource.namespaced else "", name)
        watch.put(await place(self._api, watch.resource, where, document))

    async def remove(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away, if it is there.

        Raises:
            Forbidden, Unavailable: as ``KubeApi.get``.
        """
        watch, (_, inside, _) = self._watches[kind], policy_key(kind, namespace, name)
        with suppress(NotOursError):
            await self._api.delete(watch.resource, inside, name)
        await reread(self._api, watch, (inside, name))

    def _changed(self, resource: Resource, name: Name, _before: Document | None, now: Document | None) -> None:
        policy = (resource.kind, *name)
        if now is None:
            del self._documents[policy]
        else:
            document = manifest(now, resource)
            if self._documents.get(policy) == document:
                return
            self._documents[policy] = document
        self._listener(policy)


def refuse_other_version(document: Mapping[str, object], resource: Resource) -> None:
    """Return when the document is of the version that is served, or says nothing of it.

    Raises:
        ConfigurationError: it is of another.
    """
    given = document.get("apiVersion", resource.api_version)
    if given != resource.api_version:
        raise ConfigurationError((Problem("apiVersion", "is not served", str(given)[:64], resource.api_version),))
