"""What a controller has where the platform has less: it is the only one, and there are no workloads.

For the envoy runtime, whose store has a lock for one process, and whose clusters have endpoints and nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable

from rollout.engine.observation import WorkloadKey, WorkloadView
from rollout.errors import NotOursError
from rollout.ports import Key


class Always:
    """``Elector`` that holds everything, for ever."""

    def holds(self, key: Key) -> bool:  # noqa: ARG002 - whatever the key
        """Return True."""
        return True

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Do nothing: there is nothing to lose or to gain."""


class NoWorkloads:
    """``Workloads`` of a platform that has none."""

    def read(self, key: WorkloadKey) -> WorkloadView | None:  # noqa: ARG002 - whatever the key
        """Return None."""
        return None

    def explain(self, key: WorkloadKey) -> str:  # noqa: ARG002 - whatever the key
        """Return nothing: whoever names one is told by the catalog."""
        return ""

    async def copy_template(
        self,
        source: WorkloadKey,  # noqa: ARG002 - as the Protocol
        target: WorkloadKey,
        *,
        template: str,  # noqa: ARG002 - as the Protocol
        expected: str,  # noqa: ARG002 - as the Protocol
    ) -> WorkloadView:
        """Refuse.

        Raises:
            NotOursError: always.
        """
        raise NotOursError(f"this platform has no {target}")

    async def scale(self, key: WorkloadKey, replicas: int, *, expected: str) -> WorkloadView:  # noqa: ARG002 - as above
        """Refuse.

        Raises:
            NotOursError: always.
        """
        raise NotOursError(f"this platform has no {key}")

    def subscribe(self, listener: Callable[[WorkloadKey], None]) -> None:
        """Do nothing: there is nothing to change."""
