"""What a controller has where there is less: it is the only one, without workloads, nobody stops it or is told by it.

For the envoy runtime, whose store has a lock for one process, and whose clusters have endpoints and nothing behind; and
for controllers that are made for a while and are asked nothing of failover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rollout.engine.observation import BackendKey, Telling, WorkloadKey, WorkloadView
from rollout.engine.state import State
from rollout.errors import NotOursError
from rollout.failover.health import Health, Reading, Signal
from rollout.failover.seen import Calendar
from rollout.ports import Key, StoredRollout
from rollout.signals import ProbeAsk, Target
from rollout.spec.failover import Failover
from rollout.spec.resource import Rollout


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


class NeverStopped:
    """``Switch`` that nobody can use."""

    @property
    def stopped(self) -> str:
        """Return nothing."""
        return ""

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Do nothing: there is nothing to change."""


class NoProbes:
    """``Probes`` that are never sent: whatever is asked for is Unknown, and says why."""

    def want(self, wanted: Mapping[ProbeAsk, Sequence[Target]]) -> None:
        """Do nothing."""

    def read(self, ask: ProbeAsk) -> Reading:
        """Return Unknown."""
        return Reading(Signal.PROBE, Health.UNKNOWN, 0.0, 0.0, ask.stale_after, "no probes are sent here")

    def subscribe(self, listener: Callable[[BackendKey], None]) -> None:
        """Do nothing: there is nothing to change."""


class NoNotices:
    """``Notices`` where nobody is told anything."""

    def telling(
        self,
        stored: StoredRollout,  # noqa: ARG002 - as the Protocol
        rollout: Rollout | None,  # noqa: ARG002 - as the Protocol
        state: State,  # noqa: ARG002 - as the Protocol
    ) -> Telling | None:
        """Return None."""
        return None


def no_calendar(settings: Failover, now: float) -> Calendar:  # noqa: ARG001 - as ``CalendarOf``
    """Return an empty calendar: no window opens, no drill comes due."""
    return Calendar()
