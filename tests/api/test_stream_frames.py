"""What an event looks like on the wire."""

import json

from hypothesis import given
from hypothesis import strategies as st

from rollout.api.stream_frames import MOST_CHUNK_BYTES, chunks, frame_of, gap, heartbeat, hello
from rollout.ports import Recorded
from tests.api.stream_world import WEB, Transcript, told

SENTENCES = st.text(st.characters(codec="utf-8"), max_size=50)


def understood(data: bytes) -> Transcript:
    """Return what a reader understands."""
    transcript = Transcript()
    transcript.feed(data)
    return transcript


@given(SENTENCES)
def test_whatever_a_message_says_it_stays_one_event(message: str) -> None:
    """Line breaks, colons and control characters of a message end neither the line nor the event."""
    data = frame_of(Recorded(7, WEB, told(3, message))).data
    got = understood(data.replace(b"\r", b"\n\n"))

    assert [event.id for event in got.events] == ["7"]
    assert got.events[0].data["transition"]["message"] == message


def test_an_event_names_its_rollout_and_the_whole_transition() -> None:
    """Name ``transition``; the sequence as id; namespace, name and transition as data."""
    (event,) = understood(frame_of(Recorded(7, WEB, told(3))).data).events

    assert (event.name, event.id) == ("transition", "7")
    assert event.data == {"namespace": "shop", "name": "web", "transition": {**told(3), "failover": None}}


def test_an_event_tells_where_failover_stands() -> None:
    """As the history does."""
    where = {"phase": "FailedOver", "active": "web-dr", "epoch": 2}
    (event,) = understood(frame_of(Recorded(7, WEB, {**told(3), "failover": where})).data).events

    assert event.data["transition"]["failover"] == where


def test_what_only_the_engine_knows_of_a_transition_is_left_out() -> None:
    """A field that the contract does not have is not told."""
    (event,) = understood(frame_of(Recorded(7, WEB, {**told(3), "inner": 1})).data).events

    assert "inner" not in event.data["transition"]


def test_a_gap_says_between_which_and_takes_the_id_before_the_next() -> None:
    """Who resumes after a gap is not told of it again."""
    (event,) = understood(gap(after=3, first=9)).events

    assert (event.name, event.id, event.data) == ("gap", "8", {"after": 3, "from": 9})


def test_hello_and_heartbeat_are_no_events_but_move_the_id() -> None:
    """A reader that got nothing yet resumes from where it was greeted."""
    got = understood(hello(retry_seconds=2.5, position=4) + heartbeat(6))

    assert not got.events
    assert (got.retry, got.last_id, got.comments) == ("2500", "6", 1)


def test_chunks_are_whole_blocks_of_about_their_size() -> None:
    """Nothing is lost or split, and no chunk goes on beyond the block with which it is full."""
    blocks = [json.dumps(number).encode() * 500 for number in range(100)]
    made = list(chunks(blocks))

    assert b"".join(made) == b"".join(blocks)
    assert all(MOST_CHUNK_BYTES <= len(chunk) < MOST_CHUNK_BYTES + 1000 for chunk in made[:-1])


def test_of_nothing_comes_no_chunk() -> None:
    """An empty chunk would end the response."""
    assert list(chunks([])) == []
