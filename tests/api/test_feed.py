"""The feed: who gets what, what waits for whom, and who is let go."""

import asyncio

import pytest
from structlog.testing import capture_logs

from rollout.api import feed as feeds
from rollout.api.feed import Ending, Feed, FeedClosed, Reader, Scope, TooManyReaders
from rollout.ports import Key, Recorded
from tests.api.stream_world import MAIL, SEARCH, WEB, Author, Transcript, told
from tests.controller.builders import virtually
from tests.fakes.store import FakeStore

GATHER_SECONDS = 0.05


def a_feed(store: FakeStore, *, most_readers: int = 100) -> Feed:
    """Return a feed of the store's journal."""
    return Feed(store, asyncio.Event(), most_readers=most_readers, gather_seconds=GATHER_SECONDS)


def live(feed: Feed, scope: Scope = Scope()) -> Reader:  # noqa: B008 - frozen
    """Return a reader of what comes from now on."""
    reader = feed.join(scope, after=None)
    assert reader.go_live()
    return reader


def ids(reader: Reader) -> list[int]:
    """Take all that waits and return the ids."""
    got = Transcript()
    while taken := reader.take():
        got.feed(b"".join(taken))
    return got.ids


@virtually
async def test_each_reader_gets_what_concerns_it() -> None:
    """All, those of a namespace, those of one Rollout."""
    store = FakeStore()
    feed, author = a_feed(store), Author(store)
    readers = [live(feed, Scope()), live(feed, Scope("shop")), live(feed, Scope("shop", "web"))]
    for key in (WEB, SEARCH, MAIL, WEB):
        await author.record(key)
    await asyncio.sleep(GATHER_SECONDS)

    assert [ids(reader) for reader in readers] == [[1, 2, 3, 4], [1, 2, 4], [1, 4]]


@virtually
async def test_what_was_recorded_before_is_not_heard() -> None:
    """Also not when it has not been handed out yet."""
    store = FakeStore()
    feed, author = a_feed(store), Author(store)
    first = live(feed)
    await author.record(times=2)
    late = live(feed)
    await author.record()
    await asyncio.sleep(GATHER_SECONDS)

    assert (ids(first), ids(late)) == ([1, 2, 3], [3])


@virtually
async def test_the_first_comes_at_once_and_the_next_together() -> None:
    """A reader wakes up at most once in the time of gathering."""
    store, loop = FakeStore(), asyncio.get_running_loop()
    feed, author = a_feed(store), Author(store)
    reader = live(feed)
    woken: list[tuple[float, list[int]]] = []
    for _ in range(2):
        await author.record(times=3)
        await reader.wait(1.0)
        woken.append((loop.time(), ids(reader)))

    assert woken == [(0.0, [1, 2, 3]), (GATHER_SECONDS, [4, 5, 6])]


@virtually
async def test_readers_share_the_bytes_of_an_event() -> None:
    """It is encoded once, however many read it."""
    store = FakeStore()
    feed = a_feed(store)
    readers = [live(feed) for _ in range(3)]
    await Author(store).record()
    await asyncio.sleep(GATHER_SECONDS)
    frames = [reader.take()[0] for reader in readers]

    assert frames[0] is frames[1]
    assert frames[1] is frames[2]


@virtually
async def test_a_reader_that_does_not_keep_up_is_let_go() -> None:
    """Nothing more waits for it, and the others have got all."""
    store = FakeStore()
    feed, author = a_feed(store), Author(store)
    slow, quick = live(feed), live(feed)
    got: list[int] = []
    for _ in range(feeds.MOST_FRAMES // 100 + 1):
        await author.record(times=100)
        await quick.wait(1.0)
        got += ids(quick)

    assert got == list(range(1, store.last + 1))
    assert (slow.ending, quick.ending) == (Ending.SLOW, None)
    assert slow.take() == []


@virtually
async def test_few_large_transitions_are_too_much_as_well() -> None:
    """The bound is one of bytes, too."""
    store = FakeStore()
    feed = a_feed(store)
    slow = live(feed)
    await Author(store).record(times=130, message="x" * 8192)
    await asyncio.sleep(GATHER_SECONDS)

    assert slow.ending is Ending.SLOW


@virtually
async def test_a_burst_alone_lets_nobody_go() -> None:
    """Readers have their turn while thousands that came at one moment are handed out, without waiting."""
    store, loop = FakeStore(), asyncio.get_running_loop()
    feed, author = a_feed(store), Author(store)
    reader = live(feed)
    await author.record(times=3 * feeds.MOST_FRAMES)
    got: list[int] = []
    while len(got) < store.last and reader.ending is None:
        await reader.wait(1.0)
        got += ids(reader)

    assert got == list(range(1, store.last + 1))
    assert loop.time() == 0.0


@virtually
async def test_others_on_the_loop_have_their_turn_between_readers() -> None:
    """However many readers wake up, a pass that is due does not wait for all of them."""
    store = FakeStore()
    feed = a_feed(store)
    readers = [live(feed) for _ in range(4 * feeds.WOKEN_TOGETHER)]
    waiting = [asyncio.create_task(reader.wait(1.0)) for reader in readers]
    await asyncio.sleep(0)
    await Author(store).record()
    woken: set[int] = set()
    while not all(task.done() for task in waiting):
        woken.add(sum(task.done() for task in waiting))
        await asyncio.sleep(0)

    assert len(woken) >= 4


@virtually
async def test_a_loop_that_is_far_behind_ends_all_streams() -> None:
    """What waits to be handed out has a bound; whoever comes back reads it from the journal."""
    store = FakeStore()
    feed = a_feed(store)
    reader = live(feed)
    told_of: list[Recorded] = []
    store.follow(told_of.append)
    await Author(store).record(times=feeds.MOST_FRESH + 1)

    assert reader.ending is Ending.SLOW


@virtually
async def test_what_cannot_be_told_ends_all_streams_and_is_logged() -> None:
    """It must not look as if nothing had happened; the next ones are told again."""
    store = FakeStore()
    feed, author = a_feed(store), Author(store)
    reader = live(feed)
    await author.record()
    stored = store.read(WEB)
    assert stored is not None
    with capture_logs() as logs:
        await store.record(WEB, status={"transitions": [{"number": 2}]}, expected=stored.version)
        await asyncio.sleep(GATHER_SECONDS)
    feed.leave(reader)
    again = live(feed)
    author.numbers[WEB] = 2
    await author.record()
    await asyncio.sleep(2 * GATHER_SECONDS)

    assert reader.ending is Ending.UNREADABLE
    assert [(entry["event"], entry["first"]) for entry in logs] == [("transitions could not be told", 1)]
    assert ids(again) == [3]


@virtually
async def test_more_than_there_may_be_are_refused() -> None:
    """One that leaves makes room."""
    feed = a_feed(FakeStore(), most_readers=2)
    readers = [live(feed), live(feed)]
    with pytest.raises(TooManyReaders, match="2 event streams are open"):
        feed.join(Scope(), after=None)
    feed.leave(readers[0])

    assert live(feed).ending is None


@virtually
async def test_closing_ends_all_and_lets_nobody_in() -> None:
    """Those who read are told at once."""
    closing = asyncio.Event()
    feed = Feed(FakeStore(), closing, most_readers=5, gather_seconds=GATHER_SECONDS)
    reader = live(feed)
    closing.set()
    await reader.wait(60.0)
    with pytest.raises(FeedClosed):
        feed.join(Scope(), after=None)

    assert reader.ending is Ending.CLOSED


@virtually
async def test_without_readers_the_journal_is_not_followed() -> None:
    """Nothing is encoded for nobody; who comes later hears again."""
    store = FakeStore()
    feed, author = a_feed(store), Author(store)
    feed.leave(live(feed))
    await author.record(times=feeds.MOST_FRESH + 1)
    reader = live(feed)
    last = await author.record()
    await asyncio.sleep(GATHER_SECONDS)

    assert ids(reader) == [last]


@virtually
async def test_the_place_of_a_quiet_reader_moves_on_with_the_others() -> None:
    """So that it need not read through theirs when it comes back."""
    store = FakeStore()
    feed = a_feed(store)
    reader = live(feed, Scope("post", "mail"))
    last = await Author(store).record(WEB, times=5)
    await asyncio.sleep(GATHER_SECONDS)

    assert reader.position == last


@virtually
async def test_only_the_first_reason_of_an_end_counts() -> None:
    """Whoever went away first is not said to have been slow."""
    reader = live(a_feed(FakeStore()))
    reader.end(Ending.GONE)
    reader.end(Ending.SLOW)

    assert reader.ending is Ending.GONE


@pytest.mark.parametrize(
    ("scope", "has"), [(Scope(), True), (Scope("shop"), True), (Scope("post"), False), (Scope("shop", "web2"), False)]
)
def test_a_scope_is_by_whole_names(scope: Scope, has: bool) -> None:  # noqa: FBT001 - a parameter
    """Nothing is a prefix."""
    assert scope.has(Key("shop", "web")) is has
    assert scope.has(Key("shopping", "web")) is (scope == Scope())


def test_a_transition_is_whole() -> None:
    """The builder of these tests makes what the engine makes."""
    assert set(told(1)) == {"number", "at", "phase", "step", "weights", "reason", "message"}
