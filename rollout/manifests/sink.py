"""Where the manifests of a folder go: a store that takes documents and knows from which file each came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rollout.ports import Key, PolicyKey


class Sink(Protocol):
    """What the folder needs of a store. A source is the path of a file below the folder, empty for other origins."""

    def sources(self) -> Mapping[Key, str]:
        """Return the source of every Rollout that is not being deleted."""
        ...

    def policy_sources(self) -> Mapping[PolicyKey, str]:
        """Return the source of every policy."""
        ...

    async def apply(self, document: Mapping[str, object], source: str) -> Key:
        """Make or change a Rollout; the same document again changes nothing."""
        ...

    async def apply_policy(self, document: Mapping[str, object], source: str) -> None:
        """Make or change a policy; the same document again changes nothing."""
        ...

    async def mark_deleting(self, key: Key) -> None:
        """Say that the Rollout is to go."""
        ...

    async def remove_policy(self, kind: str, namespace: str, name: str) -> None:
        """Take a policy away."""
        ...
