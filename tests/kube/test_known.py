"""What the service waits for before it acts: that all its caches have been read once."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rollout.bootstrap.kubernetes import Cluster
from rollout.clock import SystemClock
from rollout.kube.policies import KubePolicies
from rollout.kube.reflector import Reflector
from tests.kube.faulty import QUICK, Faulty, faulty, lease, page
from tests.prometheus.liar import says
from tests.waiting import until

AWAY = says("{}", status=500)


@dataclass
class Part:
    """An adapter that has nothing but its watches."""

    reflectors: tuple[Reflector, ...] = ()

    def watches(self) -> tuple[Reflector, ...]:
        """Return them."""
        return self.reflectors


class Competitor:
    """An elector of which it is told only whether it competes."""

    competes = False
    trouble = ""

    async def start(self) -> None:
        """Begin."""
        self.competes = True


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Run a server that has one object."""
    async with faulty() as running:
        running.lists = [page(lease("a", 5, "one"), version=7)]
        yield running


def cluster(elector: Competitor, *reflectors: Reflector) -> Cluster:
    """Return a cluster of these watches."""
    parts: Any = (None, Part(reflectors), Part(), Part(), Part(), elector, None, random.random)
    return Cluster(*parts)


async def test_nothing_is_acted_on_before_all_is_known(server: Faulty) -> None:
    """What was not read yet would look as if it did not exist; meanwhile it is said what is missing, and why."""
    server.lists = [AWAY]
    elector = Competitor()
    async with server.reflector(patience_seconds=0.1) as watch:
        known = cluster(elector, watch)
        beginning = asyncio.create_task(known.begin())
        await until(lambda: bool(watch.problem))
        why, competed = known.stale(), elector.competes
        server.lists = [page(version=7)]
        await asyncio.wait_for(beginning, 5)

        assert why.startswith("not read from the API server yet: leases (GET /apis/coordination.k8s.io/v1/leases: ")
        assert "answered 500" in why
        assert (competed, elector.competes, known.stale()) == (False, True, "")


async def test_it_is_said_when_no_lease_can_be_had(server: Faulty) -> None:
    """All replicas would be ready otherwise, and none would act."""
    elector = Competitor()
    async with server.reflector() as watch:
        known = cluster(elector, watch)
        await known.begin()
        before = known.stale()
        elector.trouble = "Leases cannot be read or taken: forbidden"

        assert (before, known.stale()) == ("", elector.trouble)


async def test_what_we_may_not_see_and_do_not_need_is_done_without(server: Faulty) -> None:
    """It counts as absent at once; what is needed is waited for."""
    server.lists = [says("{}", status=403)]
    async with server.door() as api:
        optional = server.made(api, replace(QUICK, optional=True))
        needed = server.made(api, QUICK)
        began = asyncio.get_running_loop().time()
        await optional.start(patience_seconds=5)
        took = asyncio.get_running_loop().time() - began
        await needed.start(patience_seconds=0.2)
        said = (optional.absent, needed.absent, needed.refused)
        server.lists = [page(lease("a", 5, "one"), version=7)]
        await until(lambda: optional.synced and needed.synced)
        await asyncio.gather(optional.aclose(), needed.aclose())

        assert took < 2
        assert said == (True, False, True)
        assert (optional.absent, needed.refused) == (False, False)


@pytest.mark.parametrize(("namespace", "needed"), [("shop", ["rolloutpolicies"]), ("", None)])
async def test_with_rights_in_one_namespace_the_policies_for_all_are_done_without(
    server: Faulty, namespace: str, needed: list[str] | None
) -> None:
    """Who watches all namespaces needs them; where they may not be seen, that is waited for."""
    server.lists = [says("{}", status=403)]
    async with server.door() as api:
        policies = KubePolicies(api, SystemClock(), lambda _: None, chance=random.random, namespace=namespace)
        both = [watch.resource.plural for watch in policies.watches()]
        starting = asyncio.create_task(policies.start())
        await until(lambda: len(server.asked) >= 4)
        waited_for = [watch.resource.plural for watch in policies.watches()]
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await policies.aclose()

        assert waited_for == (needed or both)
        assert len(both) == 2
