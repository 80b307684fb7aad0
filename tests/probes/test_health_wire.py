"""The messages of the health protocol, against those that its own library writes."""

import pytest
from grpc_health.v1 import health_pb2
from hypothesis import example, given
from hypothesis import strategies as st

from rollout.probes.health_wire import request_of, status_in
from rollout.probes.said import BadAnswer


@given(st.text(max_size=300))
@example("s" * 253)
def test_a_request_is_what_the_library_writes(service: str) -> None:
    """Byte by byte."""
    assert request_of(service) == health_pb2.HealthCheckRequest(service=service).SerializeToString()


@pytest.mark.parametrize("status", range(4))
def test_a_status_is_read_as_the_library_writes_it(status: int) -> None:
    """All that there are."""
    assert status_in(health_pb2.HealthCheckResponse(status=status).SerializeToString()) == status


def test_fields_of_later_versions_are_passed_over() -> None:
    """A text, two fixed numbers and another number before the status."""
    unknown = b"\x12\x03abc" + b"\x1d\x01\x02\x03\x04" + b"\x21" + b"\0" * 8 + b"\x28\x96\x01"

    assert status_in(unknown + b"\x08\x01") == 1


@pytest.mark.parametrize("message", [b"\x08", b"\x12\x7f", b"\x0b", b"\xff" * 11, b"\x1d\x01"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    """Cut off, or of a kind that there is not."""
    with pytest.raises(BadAnswer, match="no health answer"):
        status_in(message)


@given(st.binary(max_size=100))
def test_nothing_that_comes_breaks_it(message: bytes) -> None:
    """A number, or refused."""
    try:
        found = status_in(message)
    except BadAnswer:
        return

    assert found >= 0
