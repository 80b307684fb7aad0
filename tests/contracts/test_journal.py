"""What every ``Journal`` does: the fake, the SQLite file, and the statuses of a real API server."""

import asyncio

import pytest

from rollout.errors import ConflictError
from rollout.ports import Journal, Recorded
from tests.contracts.builders import status, transition
from tests.contracts.stores import (
    CHECKOUT,
    SEARCH,
    Store,
    all_recorded,
    followed,
    named,
    record,
    there,
)
from tests.contracts.stores import (
    heard as changes,
)
from tests.waiting import until


async def test_it_is_a_journal(store: Store) -> None:
    """The type checker agrees that it implements the port, and it begins before the first transition."""
    port: Journal = store

    assert port.last == 0
    assert list(await port.recorded(after=0)) == []


async def test_transitions_of_all_rollouts_have_one_sequence(store: Store) -> None:
    """It grows in the order in which they were recorded; one that is known has no new number."""
    await record(store, CHECKOUT, 1)
    await record(store, SEARCH, 1, 2)
    await record(store, CHECKOUT, 1)
    await record(store, CHECKOUT, 1, 2, 3)
    found = await all_recorded(store, 5)
    sequences = [one.sequence for one in found]

    assert named(found) == [("checkout", 1), ("search", 1), ("search", 2), ("checkout", 2), ("checkout", 3)]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > 0
    assert found[0] == Recorded(sequences[0], CHECKOUT, transition(1))
    assert store.last == sequences[-1]


async def test_nothing_can_be_missing_behind_the_last(store: Store) -> None:
    """Who has come up to the last transition misses none before the next one."""
    await record(store, CHECKOUT, 1, 2)
    await all_recorded(store, 2)

    assert not store.may_miss(after=store.last, before=store.last + 1)


async def test_a_record_that_is_refused_has_no_sequence(store: Store) -> None:
    """What was not recorded is not told."""
    await record(store, CHECKOUT, 1)
    await all_recorded(store, 1)
    heard = followed(store)
    with pytest.raises(ConflictError):
        await store.record(CHECKOUT, status=status(1, 2), expected="nothing")
    await record(store, CHECKOUT, 1, 2)
    await until(lambda: heard)

    assert named(heard) == [("checkout", 2)]


async def test_a_reader_goes_on_where_it_was(store: Store) -> None:
    """After a sequence come the next ones, oldest first, as many as were asked for."""
    await record(store, CHECKOUT, 1, 2, 3)
    await record(store, SEARCH, 1)
    one, two, three, four = (found.sequence for found in await all_recorded(store, 4))
    pages = [[told.sequence for told in await store.recorded(after=after, limit=2)] for after in (0, two, three, four)]

    assert pages == [[one, two], [three, four], [four], []]


async def test_a_follower_hears_each_transition_once_and_in_order(store: Store) -> None:
    """Records of several Rollouts at once are told as they are numbered, from the time on at which one follows."""
    await record(store, CHECKOUT, 1)
    await record(store, SEARCH, 1)
    await all_recorded(store, 2)
    began, heard = store.last, followed(store)
    checkout, search = there(store).version, there(store, SEARCH).version
    await asyncio.gather(
        store.record(CHECKOUT, status=status(1, 2, 3), expected=checkout),
        store.record(SEARCH, status=status(1, 2), expected=search),
    )
    await record(store, CHECKOUT, 2, 3, 4)
    await until(lambda: len(heard) >= 4)
    sequences = [one.sequence for one in heard]

    assert sorted(named(heard)) == [("checkout", 2), ("checkout", 3), ("checkout", 4), ("search", 2)]
    assert named(heard)[-1] == ("checkout", 4)
    assert sequences == sorted(set(sequences))
    assert heard == list(await store.recorded(after=began))
    assert store.last == sequences[-1]


async def test_what_a_later_status_says_shorter_was_told_in_full(store: Store) -> None:
    """A hundred transitions stay in a status for a sink, the older ones compact: each is told once, as it was first."""
    await record(store, CHECKOUT, 1, 2)
    await record(store, CHECKOUT, *range(1, 51))
    later = status(*range(1, 101))
    compact = [{**transition(number), "weights": {}} for number in range(1, 81)]
    later["transitions"] = [*compact, *(transition(number) for number in range(81, 101))]
    await store.record(CHECKOUT, status=later, expected=there(store).version)
    found = await all_recorded(store, 100)

    assert [one.transition for one in found[:50]] == [transition(number) for number in range(1, 51)]
    assert [one.transition["number"] for one in found] == list(range(1, 101))
    assert list(await store.history(CHECKOUT, limit=100)) == [one.transition for one in reversed(found)]
    assert there(store).status["transitions"] == later["transitions"]


async def test_how_far_sinks_were_told_is_nothing_to_follow(store: Store) -> None:
    """A record in which only that is new has no sequence, and tells nobody."""
    await record(store, CHECKOUT, 1, 2)
    await all_recorded(store, 2)
    last, heard, followers = store.last, changes(store), followed(store)
    for number in (1, 2):
        told = {**status(1, 2), "notified": {"slack": {"number": number, "at": 1.5}}}
        await store.record(CHECKOUT, status=told, expected=there(store).version)
    await record(store, SEARCH, 1)
    await until(lambda: followers)

    assert named(followers) == [("search", 1)]
    assert CHECKOUT not in heard
    assert len(await store.recorded(after=last)) == 1


async def test_who_follows_no_longer_hears_nothing(store: Store) -> None:
    """Ending twice is ending once, and the others go on."""
    heard: list[Recorded] = []
    unfollow, others = store.follow(heard.append), followed(store)
    await record(store, CHECKOUT, 1)
    await until(lambda: others)
    unfollow()
    unfollow()
    await record(store, CHECKOUT, 1, 2)
    await until(lambda: len(others) >= 2)

    assert named(heard) == [("checkout", 1)]
    assert named(others) == [("checkout", 1), ("checkout", 2)]


async def test_one_that_follows_twice_hears_twice(store: Store) -> None:
    """Each following has an end of its own."""
    heard: list[Recorded] = []
    unfollow = store.follow(heard.append)
    store.follow(heard.append)
    await record(store, CHECKOUT, 1)
    await until(lambda: len(heard) >= 2)
    unfollow()
    await record(store, CHECKOUT, 1, 2)
    await until(lambda: len(heard) >= 3)

    assert named(heard) == [("checkout", 1), ("checkout", 1), ("checkout", 2)]


async def test_a_new_life_has_numbers_of_its_own(store: Store) -> None:
    """A removal and a new life of the same name leave what was given."""
    await record(store, CHECKOUT, 1, 2, 3)
    before = await all_recorded(store, 3)
    await store.mark_deleting(CHECKOUT)
    await store.remove(CHECKOUT)
    await record(store, CHECKOUT, 1)
    after = await all_recorded(store, 4)

    assert after[:3] == before
    assert after[3].sequence > before[-1].sequence
    assert named(after[3:]) == [("checkout", 1)]
    assert list(await store.history(CHECKOUT)) == [transition(1)]
