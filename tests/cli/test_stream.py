"""The event stream as a client reads it."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.api.stream_frames import gap, heartbeat, hello
from rollout.cli.client import ApiClient
from rollout.cli.connection import Connection
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway
from rollout.cli.retries import Limits
from rollout.cli.stream import Block, Blocks, Happened, Missed, Opened, Told, follow
from tests.cli.answers import event, transition
from tests.cli.standin import Running, StandIn, answering, problem, streamed

QUICK = Limits(first_wait_seconds=0.001, longest_wait_seconds=0.01, silence_seconds=5)
STREAM = (
    b"retry: 20\nid: 4\n\nevent: transition\nid: 5\ndata: a\ndata: b\n\n: comment\nid: 6\n\nevent:x\r\ndata:y\r\n\r\n"
)


@pytest.fixture
async def api(server: StandIn, running: Running) -> AsyncIterator[ApiClient]:
    """Return a client of the stand-in that does not wait for long."""
    async with ApiClient(Connection(server.url), QUICK) as api:
        yield api


async def told(api: ApiClient, lost: list[str] | None = None) -> list[Told]:
    """Return what a stream tells until the server forbids it."""
    found: list[Told] = []

    async def take() -> None:
        async with aclosing(follow(api, "/api/v1/events", lost=(lost if lost is not None else []).append)) as stream:
            async for each in stream:
                found.append(each)  # noqa: PERF401 - what was told before the end counts

    with pytest.raises(ApiProblem, match="not any more"):
        await take()
    return found


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_blocks_are_the_same_however_they_arrive(cuts: list[int]) -> None:
    """Bytes are cut anywhere on their way."""
    blocks = Blocks()
    places = zip([0, *cuts], [*cuts, len(STREAM)], strict=True)
    found = [block for begin, end in places for block in blocks.feed(STREAM[begin:end])]

    assert found == [Block("", None), Block("transition", "a\nb"), Block("", None), Block("x", "y")]
    assert (blocks.last, blocks.retry_seconds) == ("6", 0.02)


def test_what_the_server_writes_is_read() -> None:
    """Its first words, its signs of life and its gaps move the place in the stream."""
    blocks = Blocks()
    found = [*blocks.feed(hello(retry_seconds=1.5, position=3)), *blocks.feed(heartbeat(9))]
    found += blocks.feed(gap(after=9, first=12))

    assert [block.data for block in found] == [None, None, '{"after":9,"from":12}']
    assert (blocks.last, blocks.retry_seconds) == ("11", 1.5)


@pytest.mark.parametrize("part", [b"x" * 2_000_000, b"data: x\n" * 300_000])
def test_a_block_without_end_is_refused(part: bytes) -> None:
    """A memory is not filled."""
    with pytest.raises(NotUnderstood, match="block of more than"):
        list(Blocks().feed(part))


@pytest.mark.parametrize("field", [b"retry: soon\n", b"retry: 9999999\n", b"retry: -1\n", b"unknown: x\n", b"data\n"])
def test_odd_fields_do_no_harm(field: bytes) -> None:
    """They are of a later version, or mean nothing."""
    blocks = Blocks()
    list(blocks.feed(field + b"\n"))

    assert blocks.retry_seconds is None


async def test_what_happens_is_told_in_order(api: ApiClient, server: StandIn) -> None:
    """With its place in the journal, after it is said that the stream is open."""
    server.first.append(streamed(hello(retry_seconds=0, position=0) + _events(1, 2)))
    server.cut = True

    assert await told(api) == [Opened(), *(Happened(number, event(transition(number))) for number in (1, 2))]


async def test_after_a_break_it_goes_on_where_it_was(api: ApiClient, server: StandIn) -> None:
    """Nothing is told twice, and the break is told."""
    server.first.append(streamed(_events(1, 2)))
    server.first.append(streamed(_events(3)))
    server.cut = True
    lost = list[str]()
    found = await told(api, lost)

    assert [each.sequence for each in found if isinstance(each, Happened)] == [1, 2, 3]
    assert [each.headers.get("Last-Event-ID") for each in server.asked] == [None, "2", "3"]
    assert lost == ["the server ended the event stream"] * 2


async def test_a_long_break_is_told_once(api: ApiClient, server: StandIn) -> None:
    """However often it is tried meanwhile."""
    server.first.append(streamed(_events(1)))
    server.first.extend(answering(lambda: problem(503, "starting")) for _ in range(5))
    server.first.append(streamed(_events(2)))
    server.cut = True
    lost = list[str]()
    await told(api, lost)

    assert lost == ["the server ended the event stream"] * 2


async def test_the_place_is_kept_though_nothing_happened(api: ApiClient, server: StandIn) -> None:
    """What happens during the first break is then told, too."""
    server.first.append(streamed(hello(retry_seconds=0, position=41)))
    server.cut = True
    await told(api)

    assert server.asked[1].headers["Last-Event-ID"] == "41"


async def test_a_half_block_is_not_told(api: ApiClient, server: StandIn) -> None:
    """It comes again, whole."""
    server.first.append(streamed(_events(1) + _events(2)[:-5]))
    server.cut = True
    found = await told(api)

    assert [each.sequence for each in found if isinstance(each, Happened)] == [1]
    assert server.asked[1].headers["Last-Event-ID"] == "1"


async def test_a_gap_is_told(api: ApiClient, server: StandIn) -> None:
    """With where it begins and ends."""
    server.first.append(streamed(gap(after=3, first=9)))
    server.cut = True

    assert await told(api) == [Opened(), Missed(3, 9)]


async def test_an_event_of_a_later_version_is_passed_over(api: ApiClient, server: StandIn) -> None:
    """The stream may grow."""
    server.first.append(streamed(b"event: else\nid: 1\ndata: {}\n\n" + _events(2)))
    server.cut = True

    assert await told(api) == [Opened(), Happened(2, event(transition(2)))]


@pytest.mark.parametrize(
    "block",
    [b"event: transition\nid: 1\ndata: {}\n\n", b"event: gap\ndata: []\n\n", b"event: transition\nid: x\ndata: \n\n"],
)
async def test_an_event_that_cannot_be_read_is_an_error(api: ApiClient, server: StandIn, block: bytes) -> None:
    """Rather than a transition that nobody hears of."""
    server.first.append(streamed(block))

    with pytest.raises(NotUnderstood, match="cannot be read"):
        [each async for each in follow(api, "/api/v1/events", lost=lambda _: None)]


async def test_a_stream_that_never_opens_is_given_up(api: ApiClient, server: StandIn) -> None:
    """After as many tries as any question has."""
    server.first.extend(answering(lambda: problem(503, "too many streams")) for _ in range(9))

    with pytest.raises(ApiProblem, match="too many streams"):
        [each async for each in follow(api, "/api/v1/events", lost=lambda _: None)]
    assert len(server.asked) == 4


async def test_a_server_that_is_not_there_is_given_up(api: ApiClient, running: Running) -> None:
    """As for any question."""
    running.stop()

    with pytest.raises(ServerAway):
        [each async for each in follow(api, "/api/v1/events", lost=lambda _: None)]


async def test_once_open_a_stream_outlives_many_failures(api: ApiClient, server: StandIn) -> None:
    """A restart takes as long as it takes."""
    server.first.append(streamed(_events(1)))
    server.first.extend(answering(lambda: problem(503, "starting")) for _ in range(12))
    server.first.append(streamed(_events(2)))
    server.cut = True
    found = await told(api)

    assert found == [Opened(), Happened(1, event(transition(1))), Opened(), Happened(2, event(transition(2)))]


def _events(*numbers: int) -> bytes:
    parts = (
        f"event: transition\nid: {n}\ndata: {event(transition(n)).model_dump_json(by_alias=True)}\n\n" for n in numbers
    )
    return "".join(parts).encode()
