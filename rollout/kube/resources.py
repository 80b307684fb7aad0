"""The resources that are read and written: how the API server calls them, and where it keeps them.

Used by everything in this room, so that a path is spelled in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Document = Mapping[str, Any]
"""An object of the API server as the JSON that it is; nobody changes one that was handed out."""

MANAGER = "rollout-controller"
"""Who we are in ``metadata.managedFields``."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API: its group (empty: the core group), version, plural and kind."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return ``group/version`` as objects name it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of the collection (of all namespaces where ``namespace`` is empty), or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        parts = [quote(part, safe="") for part in (self.plural, name, subresource) if part]
        return "/".join((f"{root}{inside}", *parts))


ROLLOUTS = Resource("rollout.dev", "v1alpha1", "rollouts", "Rollout")
POLICIES = Resource("rollout.dev", "v1alpha1", "rolloutpolicies", "RolloutPolicy")
CLUSTER_POLICIES = Resource("rollout.dev", "v1alpha1", "clusterrolloutpolicies", "ClusterRolloutPolicy", False)  # noqa: FBT003 - reads as a table
HTTP_ROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GRPC_ROUTES = Resource("gateway.networking.k8s.io", "v1", "grpcroutes", "GRPCRoute")
SERVICES = Resource("", "v1", "services", "Service")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", False)  # noqa: FBT003 - reads as a table
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)  # noqa: FBT003 - reads as a table


def name_of(document: Document) -> tuple[str, str]:
    """Return the namespace (empty where there is none) and the name of an object."""
    metadata = document.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def version_of(document: Document) -> str:
    """Return the resourceVersion of an object or a list, empty when it has none."""
    return str((document.get("metadata") or {}).get("resourceVersion") or "")


def age_of(version: str) -> int:
    """Return a resourceVersion as the number that it is (0: none, or none that can be compared).

    They grow with every write, over all objects of a resource (Kubernetes, "Resource versions": comparable since 1.35,
    and numbers of etcd in every release before).
    """
    return int(version) if version.isdecimal() else 0
