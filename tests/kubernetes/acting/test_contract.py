"""Electors on Leases do what every elector does."""

from collections.abc import AsyncIterator

import pytest

from rollout.kube.elector import LeaseElector
from rollout.ports import Elector
from tests.contracts.test_elector import (  # noqa: F401 - run here, too
    Election,
    test_each_rollout_has_one_who_acts,
    test_gains_and_losses_are_told,
    test_the_only_one_holds_everything,
    test_who_stops_holds_nothing_and_another_has_it,
)
from tests.kubernetes.acting.replicas import Replicas
from tests.kubernetes.cluster import Cluster


class LeaseElection(Election):
    """Electors on a real API server."""

    def __init__(self, replicas: Replicas) -> None:
        self.replicas = replicas

    async def join(self) -> Elector:
        """Let one begin."""
        return await self.replicas.join()

    async def leave(self, elector: Elector) -> None:
        """Let one stop."""
        assert isinstance(elector, LeaseElector)
        await elector.aclose()


@pytest.fixture(params=[1, 5], ids=["one shard", "five shards"])
async def election(request: pytest.FixtureRequest, cluster: Cluster, namespace: str) -> AsyncIterator[Election]:
    """Return an election without candidates."""
    replicas = Replicas(cluster, namespace, shards=request.param)
    try:
        yield LeaseElection(replicas)
    finally:
        await replicas.aclose()
