"""The lab: an API server, Envoy Gateway with two Envoys, and Prometheus, all inside one enclosure.

Begun by a fixture of this folder, by the benches, and by ``make lab``. Backends, clients and controllers are brought in
by whoever plays (``scene``).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from rollout.spec.crd import crds
from tests.gateway import objects
from tests.gateway.control import GATEWAY_VERSION, HEALTH_PORT, SYSTEM, EnvoyGateway, Proxy
from tests.gateway.enclosure import ADDRESS, Enclosure
from tests.gateway.scraping import PROMETHEUS_PORT, configuration
from tests.kubernetes.cluster import Cluster, require_program
from tests.tools import missing, require_prometheus, tools_cache
from tests.waiting import patient

READY_SECONDS = 60.0
_GATEWAY = "/apis/gateway.networking.k8s.io/v1"
_ENVOY = "/apis/gateway.envoyproxy.io/v1alpha1"


@dataclass(slots=True)
class Lab:
    """What runs. ``doors`` leads to ports inside; ``folder`` has every log; ``up_seconds`` is how long it took."""

    folder: Path
    enclosure: Enclosure
    cluster: Cluster
    control: EnvoyGateway
    proxies: dict[str, Proxy] = field(default_factory=dict)
    prometheus: subprocess.Popen[bytes] | None = None
    doors: dict[int, int] = field(default_factory=dict)
    up_seconds: float = 0.0

    @classmethod
    def begin(cls, scrape_seconds: int = 1) -> Lab:
        """Start everything and return when both Gateways serve."""
        began = time.monotonic()
        require_prometheus()
        require_program("envoy-gateway")
        definitions = [*_definitions(), *crds()]
        enclosure = Enclosure.begin()
        folder = Path(tempfile.mkdtemp(prefix="rollout-lab-"))
        cluster = Cluster.prepared(folder / "cluster", prefix=enclosure.prefix())
        lab = cls(folder, enclosure, cluster, EnvoyGateway(enclosure, cluster, folder / "gateway"))
        try:
            enclosure.door(cluster.port, cluster.port)
            lab.doors[cluster.port] = cluster.port
            lab._start(definitions, scrape_seconds)
            lab.up_seconds = time.monotonic() - began
        except BaseException:
            lab.end()
            raise
        return lab

    def _start(self, definitions: list[dict[str, Any]], scrape_seconds: int) -> None:
        self._start_prometheus(scrape_seconds)
        self.cluster.start_etcd()
        self.cluster.start_server()
        self.cluster.make_namespace(SYSTEM)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self.cluster.install, definitions))
        self.control.prepare()
        self.control.start()
        self.cluster.apply(f"{_GATEWAY}/gatewayclasses", objects.CLASS)
        for name, port in objects.PORTS.items():
            self.cluster.apply(f"{_ENVOY}/namespaces/{SYSTEM}/envoyproxies", objects.envoy_proxy(name))
            self.cluster.apply(f"{_GATEWAY}/namespaces/{SYSTEM}/gateways", objects.gateway(name))
            self.proxies[name] = Proxy(name, len(self.proxies), port, self.folder / f"envoy-{name}")
        for proxy in self.proxies.values():
            proxy.start(self.enclosure, self.cluster, self.control)
        for proxy in self.proxies.values():
            self.wait_for(f"the Gateway {proxy.gateway} to be programmed", lambda p=proxy: self._is_programmed(p))
            self.wait_for(
                f"the Envoy of {proxy.gateway}", lambda p=proxy: self.get(p.admin_port, "/ready")[0] == HTTPStatus.OK
            )

    def _start_prometheus(self, scrape_seconds: int) -> None:
        path = self.folder / "prometheus.yaml"
        proxies = {name: Proxy(name, number, 0, self.folder) for number, name in enumerate(objects.PORTS)}
        path.write_text(configuration(proxies.values(), scrape_seconds), encoding="utf-8")
        self.prometheus = self.enclosure.spawn(
            self.folder / "prometheus.log",
            *(require_prometheus(), f"--config.file={path}", f"--storage.tsdb.path={self.folder / 'prometheus'}"),
            f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
        )

    def _is_programmed(self, proxy: Proxy) -> bool:
        _, found = self.cluster.ask("GET", f"{_GATEWAY}/namespaces/{SYSTEM}/gateways/{proxy.gateway}")
        conditions = found.get("status", {}).get("conditions") or ()
        return any(one["type"] == "Programmed" and one["status"] == "True" for one in conditions)

    # what is asked of it

    def door(self, port: int) -> int:
        """Return the port of our loopback that leads to a port inside."""
        if port not in self.doors:
            self.doors[port] = self.enclosure.door(port)
        return self.doors[port]

    def get(self, port: int, path: str, host: str = "") -> tuple[int, str]:
        """Ask a port inside by HTTP; return status and text (0 and why, when nothing answers)."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.door(port)}{path}")
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, str(error)

    def wait_for(self, what: str, fact: Any, *, seconds: float = READY_SECONDS) -> None:  # noqa: ANN401 - any callable
        """Return as soon as ``fact()`` is true; fail, with the ends of the logs, when it is not in time."""
        deadline = time.monotonic() + patient(seconds)
        while not fact():
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}; {self.tail()}"
            time.sleep(0.05)

    def restart_control(self) -> None:
        """Start Envoy Gateway again, and return when it is ready."""
        self.control.start()
        self.wait_for("Envoy Gateway", lambda: self.get(HEALTH_PORT, "/readyz")[0] == HTTPStatus.OK)

    def tail(self) -> str:
        """Return the ends of the logs, for a failure's message."""
        logs = [self.control.log, *(proxy.log for proxy in self.proxies.values())]
        return " | ".join(path.read_text(errors="replace")[-1500:] for path in logs if path.exists())

    def _processes(self) -> Iterator[subprocess.Popen[bytes]]:
        yield from (proxy.process for proxy in self.proxies.values() if proxy.process is not None)
        if self.prometheus is not None:
            yield self.prometheus

    def end(self) -> None:
        """End everything; nothing is left behind."""
        for process in self._processes():
            process.kill()
            process.wait()
        self.control.kill()
        self.cluster.end()
        self.enclosure.end()
        with suppress(OSError):
            shutil.rmtree(self.folder)


def _definitions() -> Iterator[dict[str, Any]]:
    folder = tools_cache() / "envoy-gateway" / GATEWAY_VERSION
    if not (folder / "complete").exists():
        missing(f"no CRDs of Envoy Gateway {GATEWAY_VERSION} in {folder}: run `make tools` (needs Go)")
    for path in sorted(folder.glob("*.yaml")):
        yield YAML(typ="safe").load(path.read_text(encoding="utf-8"))


__all__ = ["ADDRESS", "Lab"]
