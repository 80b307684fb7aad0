"""Which events are sent of what the controller tells: all that was done here, whoever holds the Lease by then."""

from typing import Any, cast

from rollout.bootstrap import kubernetes
from rollout.bootstrap.kubernetes import Cluster
from rollout.controller.passes import Told
from rollout.engine.state import Transition
from rollout.engine.table import Phase
from rollout.kube.events import EventRecorder
from rollout.kube.notices import Notice
from rollout.ports import Key, StoredRollout

WEB = Key("shop", "web")
MOVED = Transition(4, 1_800_000_000.0, Phase.ABORTED, 0, (("v1", 100), ("v2", 0)), "CanaryLost", "Rolled back.")


class Shelf:
    """A store with these Rollouts."""

    def __init__(self, *kept: StoredRollout) -> None:
        self._kept = {stored.key: stored for stored in kept}

    def read(self, key: Key) -> StoredRollout | None:
        """Return one."""
        return self._kept.get(key)


class Robbed:
    """An elector whose Lease went to somebody else just now."""

    def holds(self, _: Key) -> bool:
        """Return that it holds nothing."""
        return False


class Recorder:
    """Hears of events."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def tell(self, notice: Notice) -> None:
        """Note one."""
        self.told.append(notice)


def heard(shelf: Shelf, told: Told) -> list[Notice]:
    """Return what is sent of it after the Lease has gone."""
    recorder, unused = Recorder(), cast("Any", None)
    cluster = Cluster(unused, cast("Any", shelf), unused, unused, unused, cast("Any", Robbed()), unused, lambda: 0.5)
    kubernetes._tell(cast("EventRecorder", recorder), cluster, told)  # noqa: SLF001 - only the whole service calls it
    return recorder.told


def test_transition_is_told_though_the_lease_went_during_its_write() -> None:
    """It was recorded here, and the next replica tells only its own."""
    (notice,) = heard(Shelf(StoredRollout(WEB, {}, {}, "7", 1, uid="u-1")), Told(WEB, transition=MOVED))

    assert (notice.key, notice.uid, notice.reason) == (WEB, "u-1", "CanaryLost")


def test_rollout_that_is_gone_has_no_events() -> None:
    """An event is about an object, by its uid."""
    assert heard(Shelf(), Told(WEB, transition=MOVED)) == []
