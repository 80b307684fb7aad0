"""Replicas that compete for Leases on a real API server, and what was seen of them while they did."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from rollout.clock import SystemClock
from rollout.kube.api import ApiOptions, KubeApi
from rollout.kube.elector import ElectorOptions, LeaseElector
from rollout.kube.resources import LEASES
from rollout.ports import Clock, Key
from tests.kubernetes.cluster import Cluster

LEASE_SECONDS = 1.5
ENDS_SECONDS = 2.0
"""How long a Lease of 1.5 s is waited for: it is written in whole seconds."""

KEYS = tuple(Key("shop", f"checkout-{number}") for number in range(64))


class OtherClock(SystemClock):
    """A clock whose time of day is wrong by ``off`` seconds."""

    def __init__(self, off: float) -> None:
        self.off = off

    def now(self) -> float:
        """Return a wrong time."""
        return super().now() + self.off


@dataclass(slots=True)
class Replicas:
    """Electors over one namespace; each has connections of its own."""

    cluster: Cluster
    namespace: str
    shards: int = 1
    lease_seconds: float = LEASE_SECONDS
    electors: list[LeaseElector] = field(default_factory=list)
    most: int = 0
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def join(
        self,
        *,
        url: str = "",
        clock: Clock | None = None,
        shards: int | None = None,
        token: str = "",
        watched: str = "",
    ) -> LeaseElector:
        """Let one more begin, behind the door ``url`` if one is given; return once it could look at the Leases.

        The first look may fail on a busy machine, and then it holds nothing yet. Whom the ``token`` gives no right to
        them is not waited for.
        """
        options = ElectorOptions(
            self.namespace, f"replica-{len(self.electors)}", self.lease_seconds, shards or self.shards, watched
        )
        api = KubeApi(self.cluster.configuration(token=token, url=url), random.random, ApiOptions())
        self._stack.push_async_callback(api.aclose)
        elector = LeaseElector(api, clock or SystemClock(), options, chance=random.random)
        self._stack.push_async_callback(elector.aclose)
        self.electors.append(elector)
        await elector.start()
        if not token:
            await self.until(lambda: elector._failing_since == math.inf)  # noqa: SLF001 - it is told only a lease later
        return elector

    async def aclose(self) -> None:
        """Let all stop."""
        await self._stack.aclose()

    def held(self, *electors: LeaseElector) -> list[int]:
        """Return by how many each key is held."""
        counts = [sum(one.holds(key) for one in electors or self.electors) for key in KEYS]
        self.most = max(self.most, *counts)
        return counts

    def share(self) -> list[int]:
        """Return how many shards each holds."""
        self.held()
        return [len(elector.shards) for elector in self.electors]

    async def until(self, fact: Callable[[], object], *, seconds: float = 10.0) -> float:
        """Wait until it is so, looking all the time that nobody holds what another holds; return how long it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not fact():
            self.held()
            await asyncio.sleep(0.002)
            assert loop.time() - began < seconds, f"not so within {seconds:g} s"
        return loop.time() - began

    async def passing(self, seconds: float) -> None:
        """Let so much time pass, looking as ``until`` does."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.until(lambda: loop.time() - began > seconds, seconds=seconds + 5)

    def leases(self) -> dict[str, dict[str, Any]]:
        """Return the specs of the Leases that there are, by name."""
        _, answer = self.cluster.ask("GET", LEASES.path(self.namespace))
        return {lease["metadata"]["name"]: lease["spec"] for lease in answer["items"]}


def die(elector: LeaseElector) -> None:
    """Let the tasks of an elector stop without a word, as with the process; what it holds runs out."""
    for task in tasks_of(elector):
        task.cancel()


def tasks_of(elector: LeaseElector) -> Sequence[asyncio.Task[None]]:
    """Return what runs for an elector."""
    holdings = [*elector._held.values(), *([elector._member] if elector._member else [])]  # noqa: SLF001 - to break it
    return [task for task in (elector._task, *(one._task for one in holdings)) if task is not None]  # noqa: SLF001 - to break it
