"""One look at Envoy's counters for many askers: who asks within a few milliseconds shares it.

Gives raw numbers per cluster and nothing of what they mean; ``rollout.envoy.measurements`` makes
series of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rollout.envoy.admin import AdminClient, ClusterStatus, Stats, any_of
from rollout.ports import Clock

_CHUNK = 100
"""So many clusters fit into one question's URL, whatever they are called."""

_UNSERVED = ("upstream_cx_none_healthy", "upstream_rq_pending_overflow")
_TIME = "upstream_rq_time"


@dataclass(frozen=True, slots=True)
class ClusterNumbers:
    """What Envoy has counted for one cluster since it started.

    ``hosts`` has (attempts that ended, those of them that failed) by the host's address.
    ``unserved`` are requests that failed without reaching any host. ``times`` is the cumulative
    histogram of response times by upper bound in milliseconds; empty before the first request.
    """

    hosts: Mapping[str, tuple[int, int]]
    unserved: int
    times: Mapping[float, int]


@dataclass(frozen=True, slots=True)
class LookResult:
    """The numbers of the clusters that Envoy knows, and the Unix time at which they came."""

    at: float
    clusters: Mapping[str, ClusterNumbers]


@dataclass(slots=True)
class _Round:
    """A look that is about to be made: who is in it."""

    names: set[str] = field(default_factory=set)
    task: asyncio.Task[LookResult] | None = None


class SharedLooks:
    """Looks at clusters, joined with those of others who ask at the same time."""

    def __init__(self, admin: AdminClient, clock: Clock, *, join_seconds: float = 0.003) -> None:
        """Keep whom to ask; a look waits ``join_seconds`` for others to join."""
        self._admin = admin
        self._clock = clock
        self._join_seconds = join_seconds
        self._round: _Round | None = None
        self.made = 0

    async def look(self, names: Sequence[str]) -> LookResult:
        """Return the numbers of these clusters (and perhaps of others).

        Raises:
            Unavailable: Envoy cannot be reached.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question.
        """
        if self._round is None:
            self._round = _Round()
            self._round.task = asyncio.create_task(self._make(self._round), name="envoy-look")
            self._round.task.add_done_callback(_retrieve)
        round_, task = self._round, self._round.task
        round_.names.update(names)
        assert task is not None  # noqa: S101 - set together with the round, above
        return await asyncio.shield(task)

    async def _make(self, round_: _Round) -> LookResult:
        """Wait for others, then ask for all of them."""
        await asyncio.sleep(self._join_seconds)
        self._round = None
        self.made += 1
        names = sorted(round_.names)
        chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
        answers = await asyncio.gather(*(self._ask(chunk) for chunk in chunks))
        return LookResult(self._clock.now(), {name: numbers for answer in answers for name, numbers in answer.items()})

    async def _ask(self, names: Sequence[str]) -> Mapping[str, ClusterNumbers]:
        """Ask for some clusters: hosts first, since they tell what the statistics are called after."""
        clusters = await self._admin.clusters(names)
        if not clusters:
            return {}
        wanted = [f"cluster.{one.stat_name}.{leaf}" for one in clusters.values() for leaf in (*_UNSERVED, _TIME)]
        stats = await self._admin.stats(any_of(wanted), histograms=True)
        return {name: _numbers(one, stats) for name, one in clusters.items()}


def _numbers(cluster: ClusterStatus, stats: Stats) -> ClusterNumbers:
    """Return the numbers of one cluster; hosts that stand twice (two localities) are one."""
    hosts: dict[str, tuple[int, int]] = {}
    for host in cluster.hosts:
        total, bad = hosts.get(host.address, (0, 0))
        errors = host.counters.get("rq_error", 0)
        hosts[host.address] = (total + errors + host.counters.get("rq_success", 0), bad + errors)
    prefix = f"cluster.{cluster.stat_name}."
    unserved = sum(stats.numbers.get(prefix + leaf, 0) for leaf in _UNSERVED)
    return ClusterNumbers(hosts, unserved, stats.histograms.get(prefix + _TIME, {}))


def _retrieve(task: asyncio.Task[LookResult]) -> None:
    """Look at the error of a round whose askers have all gone, or asyncio complains about it."""
    if not task.cancelled():
        task.exception()
