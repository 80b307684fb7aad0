"""The custom resource definitions: Rollout, RolloutPolicy and ClusterRolloutPolicy, made from the models.

Called by ``rollout crd`` and by the program that writes ``deploy/crds``. Knows nothing of a
cluster: what comes out are plain values, ready to be written as YAML or JSON.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rollout.spec.base import API_VERSION
from rollout.spec.crd_schema import structural_schema
from rollout.spec.crd_status import status_schema
from rollout.spec.resource import Rollout, RolloutPolicy

GROUP, _, VERSION = API_VERSION.partition("/")

CATEGORY = "rollout-dev"
"""What `kubectl get` lists all kinds by. The singular of a kind cannot do: it would no longer take a name behind it."""

Definition = dict[str, Any]

_API_VERSION = "The version of this shape of the resource."
_KIND = "What the resource is."


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind is called, and where it lives."""

    kind: str
    plural: str
    short: str
    scope: str
    categories: tuple[str, ...]
    description: str

    @property
    def name(self) -> str:
        """Return the name of the definition: ``rollouts.rollout.dev``."""
        return f"{self.plural}.{GROUP}"

    def as_names(self) -> Definition:
        """Return how the API server and kubectl call it."""
        return {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
            "shortNames": [self.short],
            "categories": list(self.categories),
        }


ROLLOUT = Kind(
    "Rollout",
    "rollouts",
    "ro",
    "Namespaced",
    ("all", CATEGORY),
    "A Rollout owns the weights of a few backends in some routes, moves them from stable to canary step by step while"
    " it judges the canary, and puts them back when it is bad.",
)
POLICY = Kind(
    "RolloutPolicy",
    "rolloutpolicies",
    "rop",
    "Namespaced",
    (CATEGORY,),
    "A RolloutPolicy gives defaults to the Rollouts of its namespace that name it.",
)
CLUSTER_POLICY = Kind(
    "ClusterRolloutPolicy",
    "clusterrolloutpolicies",
    "crop",
    "Cluster",
    (CATEGORY,),
    "A ClusterRolloutPolicy gives defaults to the Rollouts of any namespace that name it.",
)
KINDS = (ROLLOUT, POLICY, CLUSTER_POLICY)
"""Every kind, in the order in which the definitions are given."""

_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _column(name: str, kind: str, path: str, meaning: str, *, wide: bool = False) -> Definition:
    priority = {"priority": 1} if wide else {}
    return {"name": name, "type": kind, "jsonPath": path, "description": meaning, **priority}


_COLUMNS = (
    _column("Phase", "string", ".status.phase", "Where the Rollout stands."),
    _column("Step", "integer", ".status.step", "The step of the attempt; 0 before the first."),
    _column("Weight", "number", ".status.weight", "The canary's intended weight in percent."),
    _column("Stable", "string", ".status.stable", "The backend that holds the stable role."),
    _column("Failover", "string", ".status.failover.phase", "Whether traffic is at a backup."),
    _AGE,
    _column("Reason", "string", ".status.reason", "A constant that says why it stands there.", wide=True),
    _column("Message", "string", ".status.message", "One sentence that says why it stands there.", wide=True),
)


def crds() -> tuple[Definition, ...]:
    """Return the three definitions, as ``kubectl apply`` takes them; each call makes new ones."""
    with_status: Definition = {"subresources": {"status": {}}, "additionalPrinterColumns": list(_COLUMNS)}
    return (
        _definition(ROLLOUT, Rollout, {"status": status_schema()}, with_status),
        _definition(POLICY, RolloutPolicy, {}, {"additionalPrinterColumns": [_AGE]}),
        _definition(CLUSTER_POLICY, RolloutPolicy, {}, {"additionalPrinterColumns": [_AGE]}),
    )


def _definition(kind: Kind, model: type[BaseModel], beside_spec: Definition, of_version: Definition) -> Definition:
    properties = {
        "apiVersion": {"description": _API_VERSION, "type": "string"},
        "kind": {"description": _KIND, "type": "string"},
        "metadata": {"type": "object"},
        "spec": structural_schema(model, "spec"),
        **beside_spec,
    }
    schema = {"description": kind.description, "type": "object", "required": ["spec"], "properties": properties}
    version = {"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **of_version}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.name},
        "spec": {"group": GROUP, "scope": kind.scope, "names": kind.as_names(), "versions": [version]},
    }
    return deepcopy(definition)
