"""Heads of HTTP responses, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.probes.heads import MOST_BODY, MOST_HEAD, Head, head_in
from rollout.probes.said import BadAnswer

WHOLE: list[tuple[bytes, int, int | None]] = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 200, 2),
    (b"HTTP/1.1 200 OK\r\ncontent-length:0 \r\nServer: x\r\n\r\n", 200, 0),
    (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, 0),
    (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, 0),
    (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\n", 503, 4),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n", 200, 2),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
        200,
        1,
    ),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, None),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1), 200, None),
    (b"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\nContent-Length: 2\r\n\r\n", 200, 2),
]

NONE = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x15\x03\x01\x00\x02\x02",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 OK\r\n\r\n",
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\ngarbage",
]


@pytest.mark.parametrize(("received", "status", "body"), WHOLE)
def test_a_head_says_its_status_and_whether_the_connection_can_be_used_again(
    received: bytes, status: int, body: int | None
) -> None:
    """Where the end of the body cannot be known, it cannot."""
    assert head_in(received + b"body") == Head(status, len(received), body)


@pytest.mark.parametrize(("received", "status"), [(received, status) for received, status, _ in WHOLE])
def test_a_head_may_come_in_any_pieces(received: bytes, status: int) -> None:
    """It is none until its last byte is there."""
    parts = [head_in(received[:size]) for size in range(len(received))]
    found = head_in(received)

    assert parts == [None] * len(received)
    assert found is not None
    assert found.status == status


@pytest.mark.parametrize("received", NONE)
def test_what_is_no_http_is_refused(received: bytes) -> None:
    """As soon as that can be seen."""
    with pytest.raises(BadAnswer, match="no HTTP"):
        head_in(received)


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
def test_a_head_without_end_is_refused(end: bytes) -> None:
    """16 KiB are enough, interim heads included."""
    with pytest.raises(BadAnswer, match="head too long"):
        head_in(b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_HEAD + end)


@given(st.binary(max_size=200))
def test_nothing_that_comes_breaks_it(received: bytes) -> None:
    """A head, not yet one, or refused."""
    try:
        found = head_in(b"HTTP/1.1 200 OK\r\n" + received)
    except BadAnswer:
        return

    assert found is None or found.status >= 100
