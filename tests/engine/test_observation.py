"""Facts about the values of an observation."""

import pytest

from rollout.engine.observation import UNKNOWN_ENDPOINTS, Command, RouteKey
from tests.engine.builders import seen


def test_a_route_reads_as_messages_name_it() -> None:
    """Kind, namespace and name, as people write them."""
    assert str(RouteKey("GRPCRoute", "shop", "checkout")) == "GRPCRoute shop/checkout"


def test_endpoints_that_nobody_looked_at_are_not_known() -> None:
    """Unknown is not the same as none ready."""
    assert not UNKNOWN_ENDPOINTS.known


def test_a_command_needs_an_id_and_an_action_only() -> None:
    """Arguments, time, reason and author may be absent."""
    bare = Command(id="1", action="abort")

    assert (dict(bare.args), bare.at, bare.reason, bare.by) == ({}, 0.0, "", "")


def test_an_observation_cannot_be_changed() -> None:
    """What was seen stays as it was seen."""
    with pytest.raises(AttributeError):
        seen().now = 0.0  # type: ignore[misc]
