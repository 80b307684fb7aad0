"""The RouteTable of a cluster: HTTPRoutes and GRPCRoutes of any gateway, of which weights are ours and nothing else.

Reads come from memory, which holds the routes that Rollouts refer to: whoever publishes a Rollout says ``refer``
before, and ``fetch`` where the Rollout is to find its routes at once. A write is a JSON Patch against the version that
it was decided on; the API server's answer is in memory when it returns. What the gateways make of it comes later, as
the acceptance of the view.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from rollout.engine.observation import RouteKey, RouteView, RuleWeights
from rollout.errors import ConflictError, NotOursError, PermanentError, RolloutError, UpdateRefused
from rollout.kube.api import KubeApi
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import GRPC_ROUTES, HTTP_ROUTES, Document, version_of
from rollout.kube.routecache import WATCHING, Name, RouteCache
from rollout.kube.routepatch import operations
from rollout.kube.routeview import view_of
from rollout.ports import Clock, Key

KINDS = (HTTP_ROUTES, GRPC_ROUTES)


class KubeRouteTable:
    """The routes of one cluster; ``start`` before use, ``aclose`` at the end."""

    def __init__(
        self,
        api: KubeApi,
        clock: Clock,
        *,
        chance: Callable[[], float],
        namespace: str = "",
        options: ReflectorOptions = WATCHING,
    ) -> None:
        """Watch routes in ``namespace`` (empty: in all); ``chance`` gives jitter from 0 to 1."""
        self._api = api
        self._listeners: list[Callable[[RouteKey], None]] = []
        self._caches = {
            kind.kind: RouteCache(
                api,
                kind,
                clock,
                partial(self._changed, kind.kind),
                chance=chance,
                namespace=namespace,
                options=options,
            )
            for kind in KINDS
        }

    async def start(self) -> None:
        """Begin to watch; return when both kinds are in memory, or it is known that the cluster lacks one."""
        await asyncio.gather(*(cache.start() for cache in self._caches.values()))

    async def aclose(self) -> None:
        """End the watches; what is in memory stays."""
        await asyncio.gather(*(cache.aclose() for cache in self._caches.values()))

    def watches(self) -> tuple[Reflector, ...]:
        """Return the watches of the kinds that the cluster has."""
        return tuple(cache.reflector for cache in self._caches.values() if not cache.reflector.absent)

    # ------------------------------------------------------------ which routes

    def refer(self, owner: Key, keys: Collection[RouteKey]) -> None:
        """Keep the routes ``keys`` in memory for the Rollout ``owner``, instead of those that it needed before.

        Those referred to before ``start`` come with the first list; later ones are read in the background.
        """
        for kind, cache in self._caches.items():
            cache.refer(owner, frozenset((key.namespace, key.name) for key in keys if key.kind == kind))

    async def fetch(self, keys: Collection[RouteKey]) -> None:
        """Wait until it is known of those of ``keys`` that are referred to whether and how they exist.

        What cannot be read now is tried again in the background, and ``explain`` says why. Never raises.
        """
        wanted = {kind: [(key.namespace, key.name) for key in keys if key.kind == kind] for kind in self._caches}
        await asyncio.gather(*(self._caches[kind].fetch(names) for kind, names in wanted.items()))

    # ------------------------------------------------------------ the port

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route from memory, or None when it does not exist or nobody refers to it."""
        cache = self._caches.get(key.kind)
        document = cache.get((key.namespace, key.name)) if cache is not None else None
        return view_of(key, document) if document is not None else None

    def explain(self, key: RouteKey) -> str:
        """Return why the route cannot be read or written as it should, empty when nothing is known of it.

        Raises:
            Unavailable: it is not known yet whether there is such a route.
        """
        cache = self._caches.get(key.kind)
        if cache is None:
            served = " and ".join(self._caches)
            return f"{key} is not served here: the routes of this runtime are of kind {served}"
        return cache.why((key.namespace, key.name))

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write these weights if the route's version is ``expected``; return the route as it is then.

        Nothing is sent where the route says them already.

        Raises:
            ConflictError: the route changed since; memory then holds the newer one.
            NotOursError: the route, a rule or a ref is gone.
            UpdateRefused: the API server or an admission policy refused it, or no gateway serves such weights.
            Unavailable: it could not be written in time; it may have been.
        """
        name = (key.namespace, key.name)
        document = self._seen(key)
        if version_of(document) != expected:
            raise ConflictError(f"{key} is at version {version_of(document)} by now, not {expected}")
        wanted = operations(key, document, rules)
        if not wanted:
            return view_of(key, document)
        cache = self._caches[key.kind]
        try:
            written = await self._api.patch(cache.resource, *name, wanted)
        except ConflictError as error:
            return await self._after_conflict(key, rules, expected=expected, error=error)
        except NotOursError as error:
            cache.gone(name, document)
            raise NotOursError(f"{key} is gone") from error
        except PermanentError as error:
            raise UpdateRefused(f"{key}: {error}") from error
        cache.reflector.put(written)
        return view_of(key, written)

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call ``listener`` whenever a route that is referred to, or its acceptance, changed; by our writes, too."""
        self._listeners.append(listener)

    # ------------------------------------------------------------ inside

    def _seen(self, key: RouteKey) -> Document:
        cache = self._caches.get(key.kind)
        document = cache.get((key.namespace, key.name)) if cache is not None else None
        if document is None:
            raise NotOursError(self.explain(key) or f"{key} does not exist")
        return document

    async def _after_conflict(
        self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str, error: RolloutError
    ) -> RouteView:
        """Read the route again, and find out whether somebody else changed it: that is only the usual reason.

        It may also say our weights by now: the answer to an earlier try got lost. And when it did not change at all,
        it was an admission policy that refused with the code of a conflict.
        """
        try:
            document = await self._caches[key.kind].refresh((key.namespace, key.name))
        except NotOursError:
            raise NotOursError(f"{key} is gone") from error
        if version_of(document) == expected:
            raise UpdateRefused(f"{key}: {error}") from error
        if not operations(key, document, rules):
            return view_of(key, document)
        raise ConflictError(f"{key} was changed by somebody else meanwhile") from error

    def _changed(self, kind: str, name: Name, before: Document | None, now: Document | None) -> None:
        """Tell of a route that looks different now; another version of the same is no news."""
        key = RouteKey(kind, *name)
        if not self._caches[kind].is_referred(name):
            return
        if before is not None and now is not None and _look(key, before) == _look(key, now):
            return
        for listener in self._listeners:
            listener(key)


def _look(key: RouteKey, document: Document) -> RouteView:
    return replace(view_of(key, document), version="")
