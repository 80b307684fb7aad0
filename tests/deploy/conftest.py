"""What tests of manifests stand on: the API server with the definitions of everything that deploy/ is made of.

And the image's environment, built once for all who run a program of it.
"""

from __future__ import annotations

import pytest

from tests.deploy.image import Built, build, require_namespaces
from tests.deploy.rendering import SYSTEM, read
from tests.kubernetes.cluster import Cluster
from tests.tools import missing, tools_cache

NEEDED = {
    "prometheus-operator@v0.85.0": (
        *("monitoring.coreos.com_servicemonitors", "monitoring.coreos.com_podmonitors"),
        "monitoring.coreos.com_prometheusrules",
    ),
    "cert-manager@v1.21.2": ("cert-manager.io_certificates", "cert-manager.io_issuers"),
}


@pytest.fixture(scope="session")
def knowing(cluster: Cluster) -> Cluster:
    """Return the API server, which knows monitors, rules and certificates, too, and has the namespaces."""
    for name, files in NEEDED.items():
        folder = tools_cache() / "definitions" / name
        if not (folder / "complete").exists():
            missing(f"no definitions of {name} in {folder}: run `make tools` (needs Go)")
        for file in files:
            for crd in read(folder / f"{file}.yaml"):
                cluster.install(crd)
    for namespace in (SYSTEM, "shop", "monitoring"):
        cluster.make_namespace(namespace)
    return cluster


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Carry out the Dockerfile's first stage."""
    require_namespaces()
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def edged(knowing: Cluster) -> Cluster:
    """Return the API server, which knows Envoy Gateway's kinds, too, and has the namespaces of the stack."""
    folder = tools_cache() / "envoy-gateway" / "v1.9.0"
    if not (folder / "complete").exists():
        missing(f"no definitions of Envoy Gateway in {folder}: run `make tools` (needs Go)")
    for path in sorted(folder.glob("*.yaml")):
        for crd in read(path):
            knowing.install(crd)
    for namespace in ("edge", "shop"):
        knowing.make_namespace(namespace)
    return knowing
