"""Ports as one life of a controller has them: every effect has a boundary before and after it.

The store and the routes take effect; endpoints only speak. All of them fall silent at the end of the life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rollout.engine.observation import BackendKey, Endpoints, RouteKey, RouteView, RuleWeights
from rollout.failover.readings import EndpointsSeen
from rollout.ports import Key, RolloutStore, RouteTable, StoredRollout
from rollout.rehearsal.life import Life
from rollout.signals import BackendHealth, Switch, Target
from rollout.spec.resource import PolicyRef


class MortalStore:
    """``RolloutStore`` for one life."""

    def __init__(self, inner: RolloutStore, life: Life) -> None:
        self._inner = inner
        self._life = life

    def keys(self) -> Iterable[Key]:
        """Return the keys of all Rollouts."""
        return self._inner.keys()

    def read(self, key: Key) -> StoredRollout | None:
        """Return the Rollout."""
        return self._inner.read(key)

    def policy(self, ref: PolicyRef, namespace: str) -> Mapping[str, object] | None:
        """Return the policy."""
        return self._inner.policy(ref, namespace)

    def subscribe(self, listener: Callable[[Key], None]) -> None:
        """Call ``listener`` after each change, as long as the life lasts."""
        self._inner.subscribe(self._life.while_it_lasts(listener))

    async def record(self, key: Key, *, status: Mapping[str, object], expected: str) -> str:
        """Write the status, between two boundaries."""
        await self._life.boundary()
        version = await self._inner.record(key, status=status, expected=expected)
        await self._life.boundary()
        return version

    async def checkpoint(self, key: Key, *, judge: Mapping[str, object], samples: Mapping[str, object]) -> None:
        """Keep the judge's state, between two boundaries."""
        await self._life.boundary()
        await self._inner.checkpoint(key, judge=judge, samples=samples)
        await self._life.boundary()

    async def remove(self, key: Key) -> None:
        """Take the Rollout away, between two boundaries."""
        await self._life.boundary()
        await self._inner.remove(key)
        await self._life.boundary()


class MortalRoutes:
    """``RouteTable`` for one life."""

    def __init__(self, inner: RouteTable, life: Life) -> None:
        self._inner = inner
        self._life = life

    def read(self, key: RouteKey) -> RouteView | None:
        """Return the route."""
        return self._inner.read(key)

    def explain(self, key: RouteKey) -> str:
        """Return why the route cannot be read."""
        return self._inner.explain(key)

    def subscribe(self, listener: Callable[[RouteKey], None]) -> None:
        """Call ``listener`` after each change, as long as the life lasts."""
        self._inner.subscribe(self._life.while_it_lasts(listener))

    async def write(self, key: RouteKey, rules: Sequence[RuleWeights], *, expected: str) -> RouteView:
        """Write weights, between two boundaries."""
        await self._life.boundary()
        view = await self._inner.write(key, rules, expected=expected)
        await self._life.boundary()
        return view


class MortalHealth:
    """``BackendHealth`` for one life."""

    def __init__(self, inner: BackendHealth, life: Life) -> None:
        self._inner = inner
        self._life = life

    def endpoints(self, backend: BackendKey) -> Endpoints:
        """Return the endpoints."""
        return self._inner.endpoints(backend)

    def seen(self, backend: BackendKey) -> EndpointsSeen:
        """Return the endpoints, and when they were heard."""
        return self._inner.seen(backend)

    def targets(self, backend: BackendKey) -> tuple[Target, ...]:
        """Return where they are."""
        return self._inner.targets(backend)

    def missing(self, backend: BackendKey) -> str:
        """Return why there is no such backend."""
        return self._inner.missing(backend)

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Call ``listener`` after each change, as long as the life lasts."""
        self._inner.subscribe(self._life.while_it_lasts(listener))


class MortalSwitch:
    """``Switch`` for one life."""

    def __init__(self, inner: Switch, life: Life) -> None:
        self._inner = inner
        self._life = life

    @property
    def stopped(self) -> str:
        """Return who stopped automatic failover."""
        return self._inner.stopped

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each turn, as long as the life lasts."""

        def heard() -> None:
            if not self._life.dead:
                listener()

        self._inner.subscribe(heard)
