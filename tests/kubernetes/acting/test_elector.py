"""Facts about electors on a real API server: take-over, release, faults, and that two never act for one."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from structlog.testing import capture_logs

from rollout.kube.resources import LEASES
from tests.kubernetes.acting.replicas import ENDS_SECONDS, KEYS, LEASE_SECONDS, OtherClock, Replicas, die
from tests.kubernetes.proxy import Mode, Proxy

ALL, NONE = [1] * len(KEYS), [0] * len(KEYS)
SHARD = "rollout-controller-0"
MERGE = "application/merge-patch+json"
STARTS = 5


# ---------------------------------------------------------------- one shard


async def test_the_lease_says_who_acts(replicas: Replicas) -> None:
    """It has the words of Kubernetes, and no replica is a member of anything when there is one shard."""
    first = await replicas.join()
    leases = replicas.leases()

    assert replicas.held() == ALL
    assert set(leases) == {SHARD}
    assert leases[SHARD]["holderIdentity"] == first.identity
    assert (leases[SHARD]["leaseDurationSeconds"], leases[SHARD]["leaseTransitions"]) == (2, 0)
    assert leases[SHARD]["acquireTime"] <= leases[SHARD]["renewTime"]


async def test_it_is_renewed_and_nobody_else_gets_it(replicas: Replicas) -> None:
    """Through several leases the one that holds it goes on, and the other waits."""
    first, second = await replicas.join(), await replicas.join()
    before = replicas.leases()[SHARD]
    await replicas.passing(3 * LEASE_SECONDS)
    after = replicas.leases()[SHARD]

    assert (replicas.held(first), replicas.held(second)) == (ALL, NONE)
    assert after["renewTime"] > before["renewTime"]
    assert (after["acquireTime"], after["leaseTransitions"]) == (before["acquireTime"], 0)


async def test_another_takes_over_from_one_that_died(replicas: Replicas) -> None:
    """Within a lease and two seconds, and not before the dead one would have stopped by itself."""
    first, second = await replicas.join(), await replicas.join()
    die(first)
    took = await replicas.until(lambda: replicas.held(second) == ALL)

    assert took < LEASE_SECONDS + 2
    assert replicas.most == 1
    assert replicas.leases()[SHARD]["leaseTransitions"] == 1


async def test_what_is_released_is_taken_at_once(replicas: Replicas) -> None:
    """Who stops does not let others wait for the end of its lease."""
    first, second = await replicas.join(), await replicas.join()
    began = time.monotonic()
    await first.aclose()
    stopped = time.monotonic() - began
    took = await replicas.until(lambda: replicas.held(second) == ALL)

    assert stopped < 1
    assert took < LEASE_SECONDS / 3 * 1.2 + 0.5
    assert replicas.most == 1


async def test_what_is_released_names_nobody(replicas: Replicas) -> None:
    """An empty holder says that nobody has to be waited for."""
    first = await replicas.join()
    await first.aclose()

    assert replicas.leases()[SHARD]["holderIdentity"] == ""


async def test_services_for_different_namespaces_do_not_meet(replicas: Replicas) -> None:
    """Each acts in its own, although all keep their Leases in one place."""
    electors = [await replicas.join(watched=watched) for watched in ("shop", "bank", "bank")]

    assert [elector.shards for elector in electors] == [(0,), (0,), ()]
    assert set(replicas.leases()) == {"rollout-controller.shop.0", "rollout-controller.bank.0"}


@pytest.mark.parametrize("watched", [("", "shop"), ("shop", "")])
async def test_of_two_services_with_the_same_rollouts_the_second_waits(
    replicas: Replicas, watched: tuple[str, str]
) -> None:
    """One for all namespaces and one for a namespace would act for the same; the second says why it does not."""
    with capture_logs() as logs:
        first, second = [await replicas.join(watched=one) for one in watched]
    waits = second.shards
    await first.aclose()
    await replicas.until(lambda: second.shards == (0,))

    assert waits == ()
    assert any("service that watches the same" in str(entry.get("why")) for entry in logs)


async def test_of_two_services_that_begin_at_once_one_acts(replicas: Replicas) -> None:
    """Neither saw the other's Lease before it took its own; who then finds a rival gives back what it never held."""
    for _ in range(STARTS):
        replicas.electors.clear()
        begun = await asyncio.gather(*(replicas.join(watched=one) for one in ("", KEYS[0].namespace)))
        await replicas.until(lambda: replicas.held() == ALL)
        await asyncio.gather(*(elector.aclose() for elector in begun))

    assert replicas.most == 1


@pytest.mark.parametrize("off", [-5 * 3600.0, 5 * 3600.0])
async def test_clocks_that_differ_do_no_harm(replicas: Replicas, off: float) -> None:
    """Whose time of day is hours ahead or behind takes nothing too soon, and nothing too late."""
    first, second = await replicas.join(), await replicas.join(clock=OtherClock(off))
    await replicas.passing(2 * ENDS_SECONDS)
    before = replicas.held(first)
    die(first)
    took = await replicas.until(lambda: replicas.held(second) == ALL)

    assert (before, replicas.most) == (ALL, 1)
    assert took < LEASE_SECONDS + 2


async def test_an_old_lease_of_nobody_alive_is_waited_for_once(replicas: Replicas) -> None:
    """A replica that starts knows nothing of a holder's age: it waits one lease, and takes it."""
    spec = {"holderIdentity": "gone", "leaseDurationSeconds": 1, "renewTime": "2020-01-01T00:00:00.000000Z"}
    replicas.cluster.apply(
        LEASES.path(replicas.namespace), {"kind": "Lease", "metadata": {"name": SHARD}, "spec": spec}
    )
    first = await replicas.join()
    took = await replicas.until(lambda: replicas.held(first) == ALL)

    assert LEASE_SECONDS * 0.9 < took < LEASE_SECONDS + 1


async def test_a_lease_that_says_little_is_taken(replicas: Replicas) -> None:
    """What somebody made by hand, with nothing in it, is free; what stands in it besides stays."""
    lease = {"kind": "Lease", "metadata": {"name": SHARD, "labels": {"team": "shop"}}, "spec": {}}
    replicas.cluster.apply(LEASES.path(replicas.namespace), lease)
    await replicas.join()
    _, found = replicas.cluster.ask("GET", LEASES.path(replicas.namespace, SHARD))

    assert replicas.held() == ALL
    assert found["metadata"]["labels"] == {"team": "shop", "rollout.dev/lease": "shard"}


async def test_a_foreign_hand_on_the_lease_ends_nothing(replicas: Replicas) -> None:
    """Somebody sets a label between two renewals: the holder goes on with the newer version."""
    first, second = await replicas.join(), await replicas.join()
    for number in range(8):
        patch = {"metadata": {"labels": {"touched": str(number)}}}
        replicas.cluster.ask("PATCH", LEASES.path(replicas.namespace, SHARD), patch, content=MERGE)
        await replicas.passing(LEASE_SECONDS / 4)

    assert (replicas.held(first), replicas.held(second)) == (ALL, NONE)


async def test_a_lease_that_was_taken_away_ends_at_the_next_renewal(replicas: Replicas) -> None:
    """Somebody writes another holder into it: the one before stops, and does not write over it."""
    first = await replicas.join()
    patch = {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 60}}
    replicas.cluster.ask("PATCH", LEASES.path(replicas.namespace, SHARD), patch, content=MERGE)
    took = await replicas.until(lambda: replicas.held(first) == NONE)

    assert took < LEASE_SECONDS / 3 + 0.5
    assert replicas.leases()[SHARD]["holderIdentity"] == "somebody"


async def test_a_deleted_lease_is_not_taken_while_its_holder_may_act(replicas: Replicas) -> None:
    """A hand that deletes the Lease, again and again, gives it to nobody twice; in the end one holds it."""
    first, second = await replicas.join(), await replicas.join()
    for _ in range(8):
        replicas.cluster.ask("DELETE", LEASES.path(replicas.namespace, SHARD))
        await replicas.until(lambda: SHARD in replicas.leases())
        await replicas.passing(LEASE_SECONDS / 4)
    took = await replicas.until(lambda: replicas.held(first, second) == ALL)

    assert replicas.most == 1
    assert took < 2 * LEASE_SECONDS


async def test_who_had_it_deleted_holds_it_a_lease_later_and_tells_so(replicas: Replicas) -> None:
    """The new one is in its name at once; it acts when nobody can think any more that the old one is his."""
    first = await replicas.join()
    heard: list[bool] = []
    first.subscribe(lambda: heard.append(first.holds(KEYS[0])))
    replicas.cluster.ask("DELETE", LEASES.path(replicas.namespace, SHARD))
    await replicas.until(lambda: SHARD in replicas.leases())
    took = await replicas.until(lambda: heard == [False, True])

    assert LEASE_SECONDS * 0.8 < took < LEASE_SECONDS + 0.3


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("mode", [Mode.SWALLOW, Mode.REFUSE])
async def test_who_cannot_reach_the_api_server_stops_before_another_begins(replicas: Replicas, mode: Mode) -> None:
    """Its own deadline comes first, whether its packets vanish or are refused; it then comes back as one that waits."""
    async with Proxy(replicas.cluster.port) as proxy:
        first = await replicas.join(url=proxy.url)
        second = await replicas.join()
        proxy.set(mode)
        if mode is Mode.REFUSE:
            proxy.cut()
        began = time.monotonic()
        stopped = await replicas.until(lambda: replicas.held(first) == NONE)
        await replicas.until(lambda: replicas.held(second) == ALL)
        took = time.monotonic() - began
        proxy.set(Mode.PASS)
        proxy.cut()
        await replicas.until(lambda: time.monotonic() - began > took + ENDS_SECONDS)
        stays = replicas.held(first)

    assert stopped < LEASE_SECONDS * 2 / 3 + 0.1
    assert took < LEASE_SECONDS + 2.5
    assert (replicas.most, stays) == (1, NONE)


async def test_answers_that_come_slowly_are_waited_for(replicas: Replicas) -> None:
    """A network that takes a tenth of a lease for each piece costs nobody its lease."""
    async with Proxy(replicas.cluster.port) as proxy:
        first = await replicas.join(url=proxy.url)
        proxy.delay_seconds = LEASE_SECONDS / 30
        began = time.monotonic()
        heard: list[bool] = []
        first.subscribe(lambda: heard.append(replicas.held(first) == ALL))
        await replicas.until(lambda: time.monotonic() - began > 3 * LEASE_SECONDS)

        assert heard == []


async def test_a_loop_that_stands_still_holds_nothing_when_it_goes_on(replicas: Replicas) -> None:
    """Whatever stopped the process, its first question after that is answered by the clock."""
    first = await replicas.join()
    heard: list[bool] = []
    first.subscribe(lambda: heard.append(first.holds(KEYS[0])))
    time.sleep(LEASE_SECONDS)
    after = first.holds(KEYS[0])
    await replicas.until(lambda: replicas.held(first) == ALL)

    assert not after
    assert heard == [False, True]


async def test_a_stop_is_bounded_when_nobody_answers(replicas: Replicas) -> None:
    """The Lease cannot be given back; it is not held any more, and the stop takes no longer than it may."""
    async with Proxy(replicas.cluster.port) as proxy:
        first = await replicas.join(url=proxy.url)
        proxy.set(Mode.SWALLOW)
        began = time.monotonic()
        with capture_logs() as lines:
            await first.aclose()
        took = time.monotonic() - began

    assert took < 2.5
    assert replicas.held(first) == NONE
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["Lease not released"]


async def test_who_may_not_says_so_once(replicas: Replicas) -> None:
    """Without the right to Leases nothing is held, and the log says it once, not with every try."""
    with capture_logs() as lines:
        first = await replicas.join(token="somebody-token")
        at_once = first.trouble
        began = time.monotonic()
        await replicas.until(lambda: time.monotonic() - began > 2 * LEASE_SECONDS)

    assert replicas.held(first) == NONE
    assert at_once == ""
    assert "Leases cannot be read or taken: " in first.trouble
    assert "403" in first.trouble
    assert len([line for line in lines if "403" in str(line.get("why"))]) == 1


async def test_a_trouble_that_is_over_is_told_no_more(replicas: Replicas) -> None:
    """Once the API server answers again, whoever then holds the Lease."""
    async with Proxy(replicas.cluster.port) as proxy:
        first = await replicas.join(url=proxy.url)
        proxy.set(Mode.REFUSE)
        proxy.cut()
        await replicas.until(lambda: bool(first.trouble))
        proxy.set(Mode.PASS)
        await replicas.until(lambda: replicas.held(first) == ALL)

        assert first.trouble == ""


# ---------------------------------------------------------------- several shards


async def test_shards_are_shared_fairly(replicas: Replicas) -> None:
    """Who is alone has all; whoever joins gets a part, and nothing is held twice on the way."""
    replicas.shards = 8
    await replicas.join()
    await replicas.until(lambda: replicas.share() == [8])
    await replicas.join()
    await replicas.until(lambda: replicas.share() == [4, 4], seconds=20)
    await replicas.join()
    await replicas.until(lambda: sorted(replicas.share()) == [2, 3, 3], seconds=20)

    assert replicas.most == 1
    assert replicas.held() == ALL


async def test_shares_of_one_that_stops_are_taken(replicas: Replicas) -> None:
    """At once, in fair parts, and its Lease as a member is gone."""
    replicas.shards = 6
    first = await replicas.join()
    for _ in range(2):
        await replicas.join()
    await replicas.until(lambda: replicas.share() == [2, 2, 2], seconds=20)
    await first.aclose()
    took = await replicas.until(lambda: replicas.share() == [0, 3, 3])

    assert took < 2
    assert len([name for name in replicas.leases() if "member" in name]) == 2


async def test_shares_of_one_that_died_are_taken(replicas: Replicas) -> None:
    """Within a lease and two seconds."""
    replicas.shards = 4
    first, second = await replicas.join(), await replicas.join()
    await replicas.until(lambda: replicas.share() == [2, 2], seconds=20)
    die(first)
    took = await replicas.until(lambda: len(second.shards) == 4)

    assert took < LEASE_SECONDS + 2
    assert replicas.most == 1


async def test_members_that_are_gone_for_long_are_cleared_away(replicas: Replicas) -> None:
    """Replicas of which each has another name leave nothing behind for ever."""
    replicas.shards, replicas.lease_seconds = 2, 0.6
    first, second = await replicas.join(), await replicas.join()
    await replicas.until(lambda: replicas.share() == [1, 1], seconds=20)
    die(first)
    await replicas.until(lambda: [n for n in replicas.leases() if first.identity in n] == [], seconds=10)

    assert [name for name in replicas.leases() if second.identity in name]


async def test_two_numbers_of_shards_never_act_at_once(replicas: Replicas) -> None:
    """Who was told another number waits until those of before are gone, since it would mean other Rollouts."""
    first = await replicas.join(shards=2)
    await replicas.until(lambda: replicas.share() == [2])
    second = await replicas.join(shards=3)
    await replicas.passing(ENDS_SECONDS)
    waits = replicas.share()
    await first.aclose()
    await replicas.until(lambda: len(second.shards) == 3)

    assert waits == [2, 0]
    assert replicas.most == 1


async def test_many_that_come_and_go_never_hold_one_twice(replicas: Replicas) -> None:
    """Starts, stops and deaths in any order: in the end all is shared, and never did two hold the same."""
    replicas.shards = 5
    dice = random.Random(7)
    alive = [await replicas.join() for _ in range(3)]
    for _ in range(6):
        await replicas.passing(dice.uniform(0.1, LEASE_SECONDS))
        leaves = alive.pop(0)
        if dice.random() < 0.5:
            die(leaves)
        else:
            await leaves.aclose()
        alive.append(await replicas.join())
    await replicas.until(lambda: sorted(len(one.shards) for one in alive) == [1, 2, 2], seconds=20)

    assert replicas.most == 1
