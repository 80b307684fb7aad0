"""Facts about the simulated store: records are compared, commands wait for one another and for the API."""

from typing import Any

import pytest

from rollout.errors import ConflictError, NotOursError, Unavailable
from rollout.ports import Key, StoredRollout
from rollout.rehearsal.api import Api
from rollout.rehearsal.scenario import ApiMode
from rollout.rehearsal.store import SimulatedStore
from rollout.rehearsal.virtual_loop import run
from rollout.spec.resource import PolicyRef
from tests.rehearsal.builders import manifest

KEY = Key("shop", "checkout")


def entry(number: int, reason: str = "Started") -> dict[str, Any]:
    """Return a transition of a status."""
    return {"number": number, "at": 1.0, "reason": reason}


def status(*transitions: dict[str, Any], handled: tuple[str, ...] = (), done: bool = True) -> dict[str, Any]:
    """Return a status with these transitions and handled commands."""
    commands = [{"id": name, "done": done, "reason": "R", "message": "M"} for name in handled]
    return {"reason": "Holding", "message": "", "transitions": list(transitions), "handledCommands": commands}


class Bench:
    """A store with one Rollout, at second 7."""

    def __init__(self) -> None:
        self.api = Api()
        self.store = SimulatedStore(KEY, manifest(), self.api, lambda: 7.0)

    def stored(self) -> StoredRollout:
        """Return the Rollout."""
        found = self.store.read(KEY)
        assert found is not None
        return found

    async def record(self, written: dict[str, Any]) -> None:
        """Record a status over the version that is there."""
        await self.store.record(KEY, status=written, expected=self.stored().version)


def test_a_record_needs_the_version_that_is_there() -> None:
    """An edit, a command or another record makes it another one."""

    async def fact() -> None:
        bench = Bench()
        version = bench.stored().version
        bench.store.edit({"revision": "v2"})
        with pytest.raises(ConflictError):
            await bench.store.record(KEY, status=status(), expected=version)

        assert bench.stored().generation == 2
        assert bench.stored().status == {}

    run(fact())


def test_transitions_are_kept_once_by_number() -> None:
    """One whose number is taken is kept apart, for tests to find."""

    async def fact() -> None:
        bench = Bench()
        await bench.record(status(entry(1)))
        await bench.record(status(entry(1), entry(2)))
        await bench.record(status(entry(2, "Other"), entry(3)))

        assert [made["number"] for made in bench.store.history] == [1, 2, 3]
        assert bench.store.doubled == [entry(2, "Other")]
        assert [said.moved for said in bench.store.said] == [True, True, True]

    run(fact())


def test_commands_wait_for_one_another() -> None:
    """The next is delivered when the one before was handled; a refused one is listed."""

    async def fact() -> None:
        bench = Bench()
        bench.store.order("start", {"revision": "v2"}, "")
        bench.store.order("abort", {}, "enough")
        first = bench.stored().command
        await bench.record(status(handled=("command-1",), done=False))
        second = bench.stored().command

        assert first is not None
        assert second is not None
        assert (first.action, first.at) == ("start", 7.0)
        assert (second.action, second.reason) == ("abort", "enough")
        assert [refused.command for refused in bench.store.refused] == ["start"]

    run(fact())


def test_commands_wait_for_the_api() -> None:
    """And come when it is back, with the time of their delivery."""

    async def fact() -> None:
        bench = Bench()
        heard: list[Key] = []
        bench.store.subscribe(heard.append)
        bench.api.turn(ApiMode.DOWN)
        bench.store.order("abort", {}, "")
        with pytest.raises(Unavailable):
            await bench.record(status())
        assert bench.stored().command is None
        bench.api.turn(ApiMode.UP)
        bench.store.came_back()

        assert bench.stored().command is not None

    run(fact())


def test_a_deleted_rollout_stays_until_it_is_removed() -> None:
    """Afterwards it is not ours any more, and nothing brings it back."""

    async def fact() -> None:
        bench = Bench()
        bench.store.delete()
        assert bench.stored().deleting
        await bench.store.remove(KEY)
        bench.store.delete()
        bench.store.edit({})
        bench.store.lose_status()
        bench.store.order("retry", {}, "")

        assert list(bench.store.keys()) == []
        assert bench.store.read(KEY) is None
        with pytest.raises(NotOursError):
            await bench.store.record(KEY, status=status(), expected="1")

    run(fact())


def test_a_lost_status_is_empty() -> None:
    """Its transitions are numbered from 1 again, and the history keeps those before."""

    async def fact() -> None:
        bench = Bench()
        await bench.record(status(entry(1), entry(2)))
        bench.store.lose_status()
        assert bench.stored().status == {}
        await bench.record(status(entry(1, "Adopted")))

        assert [made["reason"] for made in bench.store.history] == ["Started", "Started", "Adopted"]
        assert bench.store.doubled == []

    run(fact())


def test_a_policy_is_found_in_its_namespace() -> None:
    """A cluster policy in all of them."""

    async def fact() -> None:
        store = Bench().store
        policy = {"kind": "RolloutPolicy", "metadata": {"name": "p", "namespace": "shop"}}
        cluster = {"kind": "ClusterRolloutPolicy", "metadata": {"name": "p"}}
        store.add_policy(policy)
        store.add_policy(cluster)

        assert store.policy(PolicyRef(kind="RolloutPolicy", name="p"), "shop") == policy
        assert store.policy(PolicyRef(kind="RolloutPolicy", name="p"), "other") is None
        assert store.policy(PolicyRef(kind="ClusterRolloutPolicy", name="p"), "other") == cluster

    run(fact())
