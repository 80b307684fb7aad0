"""What people of the lab apply: Gateways and the parameters of their Envoys, and Services with their endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.gateway.control import CONTROLLER_NAME, SYSTEM

SHARED, SEPARATE = "edge", "merged"
"""The Gateways: one as Envoy Gateway is by default (one cluster for all backends of a rule), one with mergeBackends."""

PORTS = {SHARED: 8888, SEPARATE: 8889}

CLASS: dict[str, Any] = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "GatewayClass",
    "metadata": {"name": "envoy"},
    "spec": {"controllerName": CONTROLLER_NAME},
}


def envoy_proxy(name: str) -> dict[str, Any]:
    """Return the parameters of the Envoy of a Gateway."""
    service = {"envoyService": {"type": "ClusterIP"}}
    spec: dict[str, Any] = {"provider": {"type": "Kubernetes", "kubernetes": service}}
    if name == SEPARATE:
        spec["mergeBackends"] = {}
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": spec,
    }


def gateway(name: str) -> dict[str, Any]:
    """Return a Gateway that takes routes of all namespaces."""
    listener = {
        "name": "http",
        "port": PORTS[name],
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": name}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": {
            "gatewayClassName": "envoy",
            "infrastructure": {"parametersRef": parameters},
            "listeners": [listener],
        },
    }


def service(name: str, port: int) -> dict[str, Any]:
    """Return a Service without a cluster address: there are few of them, and the gateway takes endpoints."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"clusterIP": "None", "ports": [{"name": "web", "port": port}]},
    }


def endpoint_slice(name: str, port: int, addresses: Iterable[tuple[str, bool]]) -> dict[str, Any]:
    """Return the endpoints of a Service: addresses, and whether each is ready."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": port}],
        "endpoints": [
            {"addresses": [address], "conditions": {"ready": ready, "serving": ready, "terminating": False}}
            for address, ready in addresses
        ],
    }
