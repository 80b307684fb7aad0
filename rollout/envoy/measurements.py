"""Counters out of Envoy's admin endpoint, for machines without Prometheus.

Errors come from the counters of each host: Envoy counts every attempt there once, as success or
as error, and knows gRPC: a status of 2, 4, 12, 13, 14 or 15 is an error although HTTP says 200.
The cluster's own counters would count a failed connection of a gRPC client twice (once as 5xx,
once as gRPC status 14). Requests that reach no host (none healthy, circuit breaker) are counted
beside them. The host's address is the pod. Latency is the cluster's histogram ``upstream_rq_time``,
which Envoy brings up to date at each of its flushes (5 s by default). What was measured, and why so:
``docs/decisions/0021-envoy-admin-counters.md``.

Envoy cannot be asked for the past, so samples are kept here, per Rollout (and apart for failover), from one before
``Ask.since`` on; ``checkpoint`` is the last of them, to go on from after a restart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from rollout.analysis.samples import ERRORS, Batch, Family, Series, slower_than
from rollout.envoy.admin import AdminClient
from rollout.envoy.looks import ClusterNumbers, SharedLooks
from rollout.ports import Ask, Clock

_INSTANCE = "envoy"
_MOST_SAMPLES = 3600
_ALL = "all"
_UNSERVED = "unserved"


@dataclass(frozen=True, slots=True)
class _Sample:
    """All counters of one cluster at one time.

    ``hosts`` as in ``ClusterNumbers``; ``times`` only has the bounds that were asked for (in
    milliseconds, as text) and ``all``.
    """

    at: float
    hosts: Mapping[str, tuple[int, int]]
    unserved: int
    times: Mapping[str, int]


@dataclass(slots=True)
class _Memory:
    """The samples of one backend of one Rollout, and the bounds that Envoy counts up to (once they are known)."""

    samples: list[_Sample] = field(default_factory=list)
    bounds: tuple[float, ...] = ()
    exists: bool = True


class EnvoyMeasurements:
    """``Measurements`` of one Envoy; the admin client is its owner's to close."""

    def __init__(self, admin: AdminClient, clock: Clock, *, join_seconds: float = 0.003) -> None:
        """Keep whom to ask; asks that come within ``join_seconds`` share one look."""
        self._looks = SharedLooks(admin, clock, join_seconds=join_seconds)
        self._memories: dict[tuple[str, str, str, bool], _Memory] = {}

    @property
    def replays(self) -> bool:
        """Return False: what was not looked at is gone."""
        return False

    async def measure(self, ask: Ask) -> Batch:
        """Look now, and return the samples since ``ask.since`` with one before.

        Raises:
            Unavailable: Envoy cannot be reached.
            SourceTimeout: it did not answer in time.
            PermanentError: it refused the question.
        """
        look = await self._looks.look([ask.canary.name, ask.stable.name])
        for role, name in _arms(ask):
            memory = self._memory(ask, role, name)
            _remember(memory, look.at, look.clusters.get(name), ask)
        return self._batch(ask)

    def checkpoint(self, ask: Ask) -> Mapping[str, object]:
        """Return the last sample of both backends as JSON."""
        kept: dict[str, object] = {}
        for role, name in _arms(ask):
            memory = self._memories.get(_whose(ask, name))
            if memory is not None and memory.samples:
                kept[role] = _to_json(name, memory.samples[-1])
        return kept

    def forget(self, namespace: str, route: str) -> None:
        """Drop the samples of a Rollout that needs them no more."""
        for key in [key for key in self._memories if key[:2] == (namespace, route)]:
            del self._memories[key]

    def _memory(self, ask: Ask, role: str, name: str) -> _Memory:
        """Return the samples of this backend, begun from the checkpoint when there are none."""
        key = _whose(ask, name)
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = _Memory()
            seed = _from_json(name, ask.checkpoint.get(role))
            memory.samples += [seed] if seed is not None else []
        return memory

    def _batch(self, ask: Ask) -> Batch:
        """Return what was asked for, out of what is remembered."""
        counters: dict[tuple[str, str], Family] = {}
        problems = {name: "needs Prometheus: Envoy's admin endpoint answers no queries" for name, _ in ask.queries}
        for _, name in _arms(ask):
            memory = self._memories[_whose(ask, name)]
            ids = [*([ERRORS] if ask.errors else []), *(slower_than(bound) for bound in ask.bounds)]
            if not memory.exists:
                problems |= dict.fromkeys(ids, f"Envoy has no cluster {name}")
                continue
            if ask.errors:
                counters[name, ERRORS] = _errors(name, memory.samples)
            for bound in ask.bounds:
                if memory.bounds and not _has(memory.bounds, bound):
                    problems[slower_than(bound)] = _unknown_bound(bound, memory.bounds)
                else:
                    counters[name, slower_than(bound)] = _within(name, memory.samples, bound)
        return Batch(counters, {}, problems)


def _whose(ask: Ask, name: str) -> tuple[str, str, str, bool]:
    """Return whose samples of a backend these are: what one asker needs no more another may still need."""
    return ask.namespace, ask.route, name, ask.apart


def _arms(ask: Ask) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return the roles and the clusters that hold them."""
    return ("canary", ask.canary.name), ("stable", ask.stable.name)


def _remember(memory: _Memory, at: float, numbers: ClusterNumbers | None, ask: Ask) -> None:
    """Add a sample and drop those that nobody needs any more.

    What ends before ``since`` is of an earlier attempt, or a checkpoint older than what was judged
    (a crash came before the next one): a difference to it would count requests that are not this
    attempt's, or twice. The new sample is then a new baseline.
    """
    memory.exists = numbers is not None
    samples = memory.samples
    if samples and samples[-1].at < ask.since:
        samples.clear()
    if numbers is not None and (not samples or at > samples[-1].at):
        memory.bounds = tuple(sorted(numbers.times)) or memory.bounds
        samples.append(_Sample(at, numbers.hosts, numbers.unserved, _times(numbers, ask)))
    before = bisect_right([sample.at for sample in samples], ask.since) - 1
    del samples[: max(before, len(samples) - _MOST_SAMPLES, 0)]


def _times(numbers: ClusterNumbers, ask: Ask) -> Mapping[str, int]:
    """Return the histogram's counts at the bounds that were asked for, all zero before the first request.

    Envoy's last bucket ends at an hour; a request that takes longer is not counted as one.
    """
    times = {_label(upper / 1000): count for upper, count in numbers.times.items()}
    wanted = {_label(bound): times.get(_label(bound), 0) for bound in ask.bounds}
    return wanted | {_ALL: max(numbers.times.values(), default=0)}


# ---------------------------------------------------------------- series


def _errors(name: str, samples: list[_Sample]) -> Family:
    """Return all attempts and the failed ones, host by host, and the requests that reached no host."""
    total, part = [], []
    for address in sorted({address for sample in samples for address in sample.hosts}):
        rows = [(sample.at, sample.hosts[address]) for sample in samples if address in sample.hosts]
        total.append(_series(f"{name}/{address}/ended", address, [(at, float(ended)) for at, (ended, _) in rows]))
        part.append(_series(f"{name}/{address}/failed", address, [(at, float(failed)) for at, (_, failed) in rows]))
    unserved = _series(f"{name}/{_UNSERVED}", "", [(sample.at, float(sample.unserved)) for sample in samples])
    return Family((*total, unserved), (*part, unserved))


def _within(name: str, samples: list[_Sample], bound: float) -> Family:
    """Return all timed requests and those within the bound."""
    label = _label(bound)
    known = [sample for sample in samples if label in sample.times]
    total = _series(f"{name}/times/{_ALL}", "", [(sample.at, float(sample.times[_ALL])) for sample in known])
    part = _series(f"{name}/times/{label}", "", [(sample.at, float(sample.times[label])) for sample in known])
    return Family((total,), (part,), part_is_good=True)


def _series(identity: str, pod: str, samples: list[tuple[float, float]]) -> Series:
    """Return the series; Envoy is the one target that is looked at."""
    return Series(identity, _INSTANCE, pod, tuple(samples))


# ---------------------------------------------------------------- bounds


def _label(bound_seconds: float) -> str:
    """Return the bound as text, the same for numbers that differ by rounding only."""
    return f"{bound_seconds * 1000:.6g}"


def _has(bounds: tuple[float, ...], bound_seconds: float) -> bool:
    """Return whether Envoy counts up to this bound."""
    return _label(bound_seconds) in {_label(upper / 1000) for upper in bounds}


def _unknown_bound(bound_seconds: float, bounds: tuple[float, ...]) -> str:
    """Return the sentence on a bound that is none of Envoy's."""
    allowed = ", ".join(f"{upper:g}" for upper in bounds)
    return f"Envoy does not count up to {bound_seconds * 1000:g} ms; allowed bounds: {allowed} ms"


# ---------------------------------------------------------------- checkpoint


def _to_json(name: str, sample: _Sample) -> dict[str, object]:
    """Return the sample as JSON."""
    hosts = {address: list(pair) for address, pair in sample.hosts.items()}
    return {
        "cluster": name,
        "at": sample.at,
        "hosts": hosts,
        "unserved": sample.unserved,
        "times": dict(sample.times),
    }


def _from_json(name: str, kept: object) -> _Sample | None:
    """Return the sample of a checkpoint; None when it is of another backend or cannot be read."""
    if not isinstance(kept, dict) or kept.get("cluster") != name:
        return None
    try:
        hosts = {str(address): (int(ended), int(failed)) for address, (ended, failed) in kept["hosts"].items()}
        times = {str(label): int(count) for label, count in kept["times"].items()}
        return _Sample(float(kept["at"]), hosts, int(kept["unserved"]), times)
    except (KeyError, TypeError, ValueError, AttributeError):
        # A checkpoint is a convenience: without it the next sample is a new baseline, and nothing is judged wrongly.
        return None
