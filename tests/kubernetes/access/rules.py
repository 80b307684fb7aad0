"""What RBAC gives a service account, and what the audit log says that it did: two sets that ought to be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.kubernetes.cluster import Cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True, order=True)
class Use:
    """A verb on a resource (``group/resource`` or ``group/resource/subresource``); ``namespace`` is empty for any."""

    resource: str
    verb: str
    namespace: str = ""

    def __str__(self) -> str:
        """Return it as one says it."""
        return f"{self.verb} {self.resource}{f' in {self.namespace}' if self.namespace else ''}"


def granted(cluster: Cluster, namespace: str, name: str) -> set[Use]:
    """Return all that is bound to the account, wherever it is bound; those of Roles with their namespace."""
    found: set[Use] = set()
    for kind in ("clusterrolebindings", "rolebindings"):
        _, bindings = cluster.ask("GET", f"{RBAC}/{kind}")
        for binding in bindings["items"]:
            if any(_is(subject, namespace, name) for subject in binding.get("subjects") or ()):
                found |= set(_uses(cluster, binding))
    return found


def _is(subject: Mapping[str, Any], namespace: str, name: str) -> bool:
    return (subject["kind"], subject.get("namespace"), subject["name"]) == ("ServiceAccount", namespace, name)


def _uses(cluster: Cluster, binding: Mapping[str, Any]) -> Iterator[Use]:
    where, role = binding["metadata"].get("namespace", ""), binding["roleRef"]
    place = f"{RBAC}/clusterroles" if role["kind"] == "ClusterRole" else f"{RBAC}/namespaces/{where}/roles"
    _, found = cluster.ask("GET", f"{place}/{role['name']}")
    return uses_of(found["rules"], where)


def uses_of(rules: Sequence[Mapping[str, Any]], namespace: str = "") -> Iterator[Use]:
    """Give each verb of the rules."""
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield Use(f"{group or 'core'}/{resource}", verb, namespace)


def made(events: Sequence[Mapping[str, Any]], rules: set[Use]) -> set[Use]:
    """Return what was done by the audit log; in a namespace of its own only what ``rules`` give there."""
    found: set[Use] = set()
    for event in events:
        told = event.get("objectRef")
        if told is None:
            continue
        parts = (told.get("apiGroup") or "core", told["resource"], told.get("subresource"))
        use = Use("/".join(part for part in parts if part), event["verb"], told.get("namespace", ""))
        found.add(use if use in rules else Use(use.resource, use.verb))
    return found


def forbidden(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was refused for lack of a right."""
    refused = [event for event in events if event["annotations"].get("authorization.k8s.io/decision") == "forbid"]
    return sorted({f"{event['verb']} {event['requestURI'].partition('?')[0]}" for event in refused})
