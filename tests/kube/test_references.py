"""Which routes have to be in memory for a Rollout."""

import pytest

from rollout.engine.observation import RouteKey
from rollout.kube.references import routes_named

WEB, RPC = RouteKey("HTTPRoute", "shop", "web"), RouteKey("GRPCRoute", "edge", "rpc")


def test_the_spec_names_routes_of_its_namespace_or_of_another() -> None:
    """Without a namespace it is the Rollout's."""
    routes = [{"kind": "HTTPRoute", "name": "web"}, {"kind": "GRPCRoute", "name": "rpc", "namespace": "edge"}]

    assert routes_named({"metadata": {"namespace": "shop"}, "spec": {"routes": routes}}) == {WEB, RPC}


def test_routes_of_the_status_count_too() -> None:
    """An abort needs them although the spec may name others by now."""
    owned = [{"route": {"kind": "GRPCRoute", "namespace": "edge", "name": "rpc"}, "index": 0}]

    assert routes_named({"metadata": {"namespace": "shop"}, "status": {"engine": {"owned": owned}}}) == {RPC}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"spec": None, "status": None},
        {"spec": {"routes": "web"}, "status": {"engine": {"owned": [{"route": 1}]}}},
        {"spec": {"routes": ["web", {"kind": "EnvoyRoute", "name": "x"}, {"kind": "HTTPRoute"}]}},
        {"spec": {"routes": [{"kind": ["HTTPRoute"], "name": "x"}, {"kind": "HTTPRoute", "name": {}}]}},
    ],
)
def test_what_is_no_route_is_left_out(document: dict[str, object]) -> None:
    """A document that is not valid names what it can."""
    assert routes_named(document) == frozenset()
