"""Leases as documents: what is written into one, what is read from one, and whether its holder still lives.

Times in a Lease are for people: whether it has run out is told by our own clock, from the moment at which its last
change was seen here, so that clocks that differ do no harm (Kubernetes, ``coordination.k8s.io/v1``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rollout.kube.resources import LEASES, MANAGER, Document, name_of, version_of

SHARDS = "rollout.dev/shards"
"""The annotation that says over how many shards the holder spreads Rollouts."""

KIND = "rollout.dev/lease"
"""The label that says what a Lease is for: ``shard`` or ``member``."""

LONGEST_NAME = 253
LONGEST_LEASE_SECONDS = 300
"""What a Lease says of its own length is believed up to this."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the Leases are called of those replicas that watch ``watched`` (empty: all namespaces).

    Services that watch different namespaces, each its own, may keep Leases in the same namespace. A dot parts the
    names, as a namespace has none, so that no namespace gives another one's.
    """

    watched: str = ""

    @property
    def _prefix(self) -> str:
        return f"{MANAGER}.{self.watched}." if self.watched else f"{MANAGER}-"

    @property
    def _members(self) -> str:
        return f"{self._prefix}member{'.' if self.watched else '-'}"

    def shard(self, number: int) -> str:
        """Return the name of a shard's Lease."""
        return f"{self._prefix}{number}"

    def number(self, name: str) -> int | None:
        """Return which shard a Lease of this name is for, None when for none of ours."""
        number = name.removeprefix(self._prefix)
        ours = number != name and number.isascii() and number.isdecimal() and len(number) < 4  # noqa: PLR2004 - 64 shards at most
        return int(number) if ours else None

    def member(self, identity: str) -> str:
        """Return the name of the Lease by which a replica says that it lives."""
        return f"{self._members}{identity}"[:LONGEST_NAME].rstrip("-.")

    def overlaps(self, name: str) -> bool:
        """Return whether a Lease of this name is for a shard of a service that watches some of our Rollouts, too."""
        if self.watched:
            return Names().number(name) is not None
        watched = name.removeprefix(f"{MANAGER}.").partition(".")[0]
        return watched != name and Names(watched).number(name) is not None

    def is_member(self, name: str) -> bool:
        """Return whether by a Lease of this name one of our replicas says that it lives."""
        return name.startswith(self._members)


def holder_of(lease: Document) -> str:
    """Return who holds the Lease, empty for nobody."""
    return str(_spec(lease).get("holderIdentity") or "")


def shards_of(lease: Document) -> int:
    """Return over how many shards its holder spreads Rollouts, 0 when it does not say."""
    told = str(((lease.get("metadata") or {}).get("annotations") or {}).get(SHARDS) or "")
    return int(told) if told.isascii() and told.isdecimal() else 0


def _spec(lease: Document) -> Document:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What is written into a Lease: by whom, for how long (whole seconds, rounded up), for which number of shards.

    ``is_member``: it says that its holder lives, and is for no shard.
    """

    name: str
    holder: str
    seconds: float
    shards: int
    is_member: bool = False

    def taken(self, found: Document | None, *, namespace: str, now: float) -> dict[str, Any]:
        """Return the Lease in our name: the one that was ``found``, or a new one; ``now`` is Unix seconds."""
        before = _spec(found or {})
        was_ours = holder_of(found or {}) == self.holder
        changes = _number(before.get("leaseTransitions")) + (found is not None and not was_ours)
        acquired = before.get("acquireTime") if was_ours else None
        spec = {
            **before,
            "holderIdentity": self.holder,
            "leaseDurationSeconds": math.ceil(self.seconds),
            "acquireTime": acquired or timestamp(now),
            "renewTime": timestamp(now),
            "leaseTransitions": changes,
        }
        return {**self._outside(found, namespace), "spec": spec}

    def released(self, found: Document, *, namespace: str, now: float) -> dict[str, Any]:
        """Return the Lease in nobody's name."""
        spec = {**_spec(found), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": timestamp(now)}
        return {**self._outside(found, namespace), "spec": spec}

    def _outside(self, found: Document | None, namespace: str) -> dict[str, Any]:
        kept = {name: value for name, value in ((found or {}).get("metadata") or {}).items() if name != "managedFields"}
        label = "member" if self.is_member else "shard"
        metadata = {
            **kept,
            "name": self.name,
            "namespace": namespace,
            "labels": {**(kept.get("labels") or {}), KIND: label},
            "annotations": {**(kept.get("annotations") or {}), SHARDS: str(self.shards)},
        }
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}


def timestamp(at: float) -> str:
    """Return Unix seconds as a Lease has them: RFC 3339 in UTC, with microseconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A Lease as it was read last, and the monotonic time at which this version of it was seen first."""

    lease: Document
    since: float

    def runs_out_at(self, least_seconds: float) -> float:
        """Return the monotonic time from which its holder is taken for dead: a lease later, ours if that is longer."""
        told = min(_number(_spec(self.lease).get("leaseDurationSeconds")), LONGEST_LEASE_SECONDS)
        return self.since + max(told, least_seconds)

    def is_held(self, now: float, least_seconds: float) -> bool:
        """Return whether somebody holds it who may still act."""
        return bool(holder_of(self.lease)) and now < self.runs_out_at(least_seconds)


class Sightings:
    """What was seen of Leases."""

    def __init__(self, least_seconds: float, names: Names = Names()) -> None:
        """Take no Lease for free sooner than this after its last change; those of other names are nothing to us."""
        self._least = least_seconds
        self._names = names
        self._seen: dict[str, Sighting] = {}
        self._ever: set[str] = set()

    def see(self, leases: Iterable[Document], now: float) -> None:
        """Take in all Leases that there are, read not after the monotonic time ``now``.

        A shard's that vanished, of ours or of a rival, counts as unchanged until it would have run out: who held it may
        not know yet.
        """
        there = {name_of(lease)[1]: lease for lease in leases}
        for name in there:
            self.meet(name)
        for name, lease in there.items():
            before = self._seen.get(name)
            if before is None or version_of(before.lease) != version_of(lease):
                self._seen[name] = Sighting(lease, now)
        for name in self._seen.keys() - there.keys():
            is_shard = self._names.number(name) is not None or self._names.overlaps(name)
            if not is_shard or not self.is_held(name, now):
                del self._seen[name]

    def forget(self, name: str) -> None:
        """Know nothing of a Lease that turned out to be another than it was seen."""
        self._seen.pop(name, None)

    def meet(self, name: str) -> None:
        """Remember that there was such a Lease."""
        if self._names.number(name) is not None:
            self._ever.add(name)

    def was_there(self, name: str) -> bool:
        """Return whether a shard's Lease was ever seen; nobody of us deletes one."""
        return name in self._ever

    def __iter__(self) -> Iterator[tuple[str, Sighting]]:
        """Give name and sighting of each."""
        return iter(tuple(self._seen.items()))

    def get(self, name: str) -> Document | None:
        """Return the Lease as it was read last."""
        seen = self._seen.get(name)
        return seen.lease if seen is not None else None

    def is_held(self, name: str, now: float) -> bool:
        """Return whether somebody holds it who may still act."""
        seen = self._seen.get(name)
        return seen is not None and seen.is_held(now, self._least)
