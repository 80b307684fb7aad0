"""The product as a process inside the enclosure, with the rights of deploy/rbac and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

from tests.gateway.enclosure import TREE
from tests.gateway.lab import Lab
from tests.gateway.scraping import PROMETHEUS_PORT, policies
from tests.kubernetes.access.day import ACCOUNT, SYSTEM, token_of
from tests.kubernetes.cluster import require_program

API_PORT = 8686
LEASE = "3s"
SERVE_SECONDS = 30.0
_POLICIES = "/apis/rollout.dev/v1alpha1/clusterrolloutpolicies"


class Controller:
    """``rollout serve``, to be started, killed and started again."""

    def __init__(self, lab: Lab, *, tick: str = "1s") -> None:
        """Install its rights and the policies for Envoy Gateway; ``tick`` is how often it asks for counters."""
        self.lab = lab
        self._tick = tick
        self.log = lab.folder / "controller.log"
        self._process: subprocess.Popen[bytes] | None = None
        lab.cluster.make_namespace(SYSTEM)
        self._apply_rights()
        for policy in policies():
            lab.cluster.apply(_POLICIES, dict(policy))
        self._kubeconfig = self._own_kubeconfig()

    def _apply_rights(self) -> None:
        words = [str(require_program("kubectl")), f"--kubeconfig={self.lab.cluster.kubeconfig()}", "apply", "-k"]
        done = subprocess.run(
            [*words, str(TREE / "deploy" / "rbac")], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr

    def _own_kubeconfig(self) -> Path:
        path = self.lab.folder / "controller-kubeconfig"
        known = json.loads(self.lab.cluster.kubeconfig().read_text(encoding="utf-8"))
        known["users"][0]["user"]["token"] = token_of(self.lab.cluster, SYSTEM, ACCOUNT)
        path.write_text(json.dumps(known), encoding="utf-8")
        return path

    def start(self, *more: str) -> None:
        """Start it, with ``more`` flags, and return when it is ready: it holds its Lease and knows what there is."""
        self._process = self.lab.enclosure.spawn(
            self.log,
            *(sys.executable, "-m", "rollout", "serve", "--log-format", "json", "--runtime", "kubernetes"),
            *("--kubeconfig", self._kubeconfig, "--lease-namespace", SYSTEM, "--lease", LEASE, "--tick", self._tick),
            *("--prometheus", f"http://127.0.0.1:{PROMETHEUS_PORT}", "--listen", f"127.0.0.1:{API_PORT}"),
            *more,
            environment={"PYTHONPATH": os.fspath(TREE)},
        )
        self.lab.wait_for("the controller", self._is_ready, seconds=SERVE_SECONDS)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"rollout serve ended: {self.log.read_text()[-3000:]}"
        return self.lab.get(API_PORT, "/readyz")[0] == HTTPStatus.OK

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def end(self) -> None:
        """Ask it to end, and wait until it is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def complaints(self) -> list[str]:
        """Return the lines of its log that are warnings or errors."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
        return [json.dumps(line) for line in lines if line.get("level") in {"warning", "error", "critical"}]
