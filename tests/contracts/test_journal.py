"""What every ``Journal`` does: the fake, and the SQLite file."""

import asyncio

import pytest

from rollout.errors import ConflictError
from rollout.ports import Journal, Recorded
from tests.contracts.builders import status, transition
from tests.contracts.stores import CHECKOUT, SEARCH, Store, followed, record, there, told


async def test_it_is_a_journal(store: Store) -> None:
    """The type checker agrees that it implements the port, and it begins before the first transition."""
    port: Journal = store

    assert port.last == 0
    assert list(await port.recorded(after=0)) == []


async def test_transitions_of_all_rollouts_have_one_sequence(store: Store) -> None:
    """They are numbered from 1 without a gap in the order in which they were recorded; one that is known has no new."""
    await record(store, CHECKOUT, 1)
    await record(store, SEARCH, 1, 2)
    await record(store, CHECKOUT, 1)
    await record(store, CHECKOUT, 1, 2, 3)
    found = await store.recorded(after=0)

    assert [told(one) for one in found] == [
        (1, "checkout", 1),
        (2, "search", 1),
        (3, "search", 2),
        (4, "checkout", 2),
        (5, "checkout", 3),
    ]
    assert found[0] == Recorded(1, CHECKOUT, transition(1))
    assert store.last == 5


async def test_a_record_that_is_refused_has_no_sequence(store: Store) -> None:
    """What was not recorded is neither told nor leaves a gap."""
    await record(store, CHECKOUT, 1)
    heard = followed(store)
    with pytest.raises(ConflictError):
        await store.record(CHECKOUT, status=status(1, 2), expected="nothing")
    await record(store, CHECKOUT, 1, 2)

    assert [told(one) for one in heard] == [(2, "checkout", 2)]


async def test_a_reader_goes_on_where_it_was(store: Store) -> None:
    """After a sequence come the next ones, oldest first, as many as were asked for."""
    await record(store, CHECKOUT, 1, 2, 3)
    await record(store, SEARCH, 1)
    pages = [[one.sequence for one in await store.recorded(after=after, limit=2)] for after in (0, 2, 3, 4)]

    assert pages == [[1, 2], [3, 4], [4], []]


async def test_a_follower_hears_each_transition_once_and_in_order(store: Store) -> None:
    """Records of several Rollouts at once are told as they are numbered, from the time on at which one follows."""
    await record(store, CHECKOUT, 1)
    await record(store, SEARCH, 1)
    heard = followed(store)
    checkout, search = there(store).version, there(store, SEARCH).version
    await asyncio.gather(
        store.record(CHECKOUT, status=status(1, 2, 3), expected=checkout),
        store.record(SEARCH, status=status(1, 2), expected=search),
    )
    await record(store, CHECKOUT, 2, 3, 4)

    assert [one.sequence for one in heard] == [3, 4, 5, 6]
    assert heard == list(await store.recorded(after=2))
    assert store.last == 6


async def test_who_follows_no_longer_hears_nothing(store: Store) -> None:
    """Ending twice is ending once, and the others go on."""
    heard: list[Recorded] = []
    unfollow, others = store.follow(heard.append), followed(store)
    await record(store, CHECKOUT, 1)
    unfollow()
    unfollow()
    await record(store, CHECKOUT, 1, 2)

    assert [one.sequence for one in heard] == [1]
    assert [one.sequence for one in others] == [1, 2]


async def test_one_that_follows_twice_hears_twice(store: Store) -> None:
    """Each following has an end of its own."""
    heard: list[Recorded] = []
    unfollow = store.follow(heard.append)
    store.follow(heard.append)
    await record(store, CHECKOUT, 1)
    unfollow()
    await record(store, CHECKOUT, 1, 2)

    assert [one.sequence for one in heard] == [1, 1, 2]


async def test_a_sequence_never_comes_again(store: Store) -> None:
    """Trimming, removal and a new life of the same name leave what was given."""
    await record(store, CHECKOUT, 1, 2, 3)
    await store.trim_history(1)
    after_trim = [told(one) for one in await store.recorded(after=0)]
    await store.mark_deleting(CHECKOUT)
    await store.remove(CHECKOUT)
    await record(store, CHECKOUT, 1)

    assert after_trim == [(3, "checkout", 3)]
    assert [told(one) for one in await store.recorded(after=0)] == [(3, "checkout", 3), (4, "checkout", 1)]
    assert list(await store.history(CHECKOUT)) == [transition(1)]


async def test_what_was_trimmed_does_not_come_again_with_the_next_record(store: Store) -> None:
    """The status still has transitions that the journal gave away; one is kept, so that they are known."""
    await record(store, CHECKOUT, 1, 2, 3)
    heard = followed(store)
    gone = await store.trim_history(0)
    await record(store, CHECKOUT, 1, 2, 3, 4)

    assert gone == 2
    assert [told(one) for one in heard] == [(4, "checkout", 4)]
    assert list(await store.history(CHECKOUT)) == [transition(4), transition(3)]
