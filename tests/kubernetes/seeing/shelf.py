"""ConfigMaps with a word each in one namespace: the smallest objects that a reflector can be tested with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from http import HTTPStatus

from rollout.clock import SystemClock
from rollout.kube.api import KubeApi
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import Document, Resource
from tests.kubernetes.cluster import Cluster

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
QUICK = ReflectorOptions(renew_seconds=5.0, first_gap_seconds=0.05, longest_gap_seconds=0.5)


def word_of(document: Document) -> Document:
    """Keep the word and what a reflector needs."""
    metadata = document["metadata"]
    return {
        "metadata": {name: metadata[name] for name in ("name", "namespace", "resourceVersion")},
        "word": (document.get("data") or {}).get("word", ""),
    }


def words(reflector: Reflector) -> dict[str, str]:
    """Return the word of every object that the reflector has, by name."""
    return {document["metadata"]["name"]: document["word"] for document in reflector}


class Shelf:
    """The ConfigMaps of one namespace, as an administrator changes them, past every proxy."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/configmaps"

    def lay(self, name: str, word: str, *, more: Mapping[str, str] | None = None) -> Document:
        """Make the object, or change its word."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        body["data"] = {"word": word, **(more or {})}
        return self.cluster.apply(self._path, body)

    def take(self, name: str) -> None:
        """Delete the object."""
        status, answer = self.cluster.ask("DELETE", f"{self._path}/{name}")
        assert status == HTTPStatus.OK, answer

    def watched(self, api: KubeApi, options: ReflectorOptions = QUICK) -> Reflector:
        """Return a reflector of the shelf, not yet started."""
        return Reflector(
            api, CONFIG_MAPS, word_of, SystemClock(), chance=random.random, namespace=self.namespace, options=options
        )
