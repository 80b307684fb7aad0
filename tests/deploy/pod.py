"""A pod of the Deployment without a kubelet: what it would mount, set and ask, around the image's own program."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy.image import Built, Container
from tests.deploy.rendering import Object, variables
from tests.kubernetes.access.day import ACCOUNT, token_of
from tests.kubernetes.cluster import Cluster
from tests.serve.certificates import certificate
from tests.tools import free_port
from tests.waiting import patient

GROUP = 65532
MODE = 0o440
SECONDS = 40.0


class Pod:
    """One pod of ``deployment`` in ``namespace``, with a token of the service's account there."""

    def __init__(
        self,
        built: Built,
        deployment: Object,
        cluster: Cluster,
        *,
        namespace: str,
        folder: Path,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Prepare what is mounted; nothing runs yet. ``secrets``: what Secrets of people hold, by name and key."""
        (self.spec,) = deployment["spec"]["template"]["spec"]["containers"]
        self.patience = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        self.folder, self.port, self.namespace = folder, free_port(), namespace
        self.process: subprocess.Popen[bytes] | None = None
        root, account, tls = folder / "root", folder / "account", folder / "tls"
        for path in (root, account, tls):
            path.mkdir(parents=True)
        pair = certificate(tls)
        pair.certificate.rename(tls / "tls.crt")
        pair.key.rename(tls / "tls.key")
        shutil.copy(tls / "tls.crt", tls / "ca.crt")
        (account / "token").write_text(token_of(cluster, namespace, ACCOUNT), encoding="utf-8")
        (account / "namespace").write_text(namespace, encoding="utf-8")
        shutil.copy(cluster.ca, account / "ca.crt")
        for path in (*tls.iterdir(), *account.iterdir()):
            _give(path)
        mounts = {"/etc/rollout/tls": tls, "/var/run/secrets/kubernetes.io/serviceaccount": account}
        volumes = {one["name"]: one["secret"] for one in deployment["spec"]["template"]["spec"]["volumes"]}
        for mount in self.spec["volumeMounts"]:
            volume = volumes[mount["name"]]
            if volume["secretName"] in (secrets or {}):
                assert volume["defaultMode"] == MODE
                mounts[mount["mountPath"]] = _mounted(folder / mount["name"], (secrets or {})[volume["secretName"]])
        self.container = Container(built, root, mounts)
        self.given = {
            **{name: self._value(value) for name, value in variables(deployment).items()},
            "ROLLOUT_LISTEN": f"0.0.0.0:{self.port}",  # many pods have one port 8686 here
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.port),
        }

    def _value(self, value: Any) -> str:  # noqa: ANN401 - a text, or where it comes from
        if isinstance(value, str):
            return value
        fields = {"metadata.name": "rollout-controller-1", "metadata.namespace": self.namespace}
        return fields[value["fieldRef"]["fieldPath"]]

    def start(self) -> None:
        """Start it with the arguments of the Deployment."""
        with (self.folder / "log").open("wb") as output:
            self.process = subprocess.Popen(
                self.container.command(*self.spec["args"]),
                env=self.container.environment(self.given),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def run(self, *arguments: str, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run another program of the image in a container of its own with the same mounts."""
        own = self.folder / f"root-{arguments[0]}"
        own.mkdir()
        container = Container(self.container.built, own, self.container.mounts)
        return subprocess.run(
            container.command(*arguments),
            env=container.environment(more),
            capture_output=True,
            text=True,
            timeout=patient(SECONDS),
            check=False,
        )

    @property
    def log(self) -> str:
        """Return what it has printed."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def asked(self, kind: str) -> int:
        """Ask as the kubelet does for a probe of this kind; 0: nobody answers."""
        path = self.spec[f"{kind}Probe"]["httpGet"]["path"]
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - the kubelet does not look at it either
        url = f"https://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5, context=context) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    def until(self, kind: str) -> None:
        """Wait until a probe of this kind succeeds."""
        assert self.process is not None
        deadline = time.monotonic() + patient(SECONDS)
        while (status := self.asked(kind)) != 200:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.log[-2000:]}"
            assert time.monotonic() < deadline, f"{kind} is {status}: {self.log[-2000:]}"
            time.sleep(0.1)

    def stop(self) -> int:
        """End it as the kubelet does; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(self.patience)

    def end(self) -> None:
        """Kill it where it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _mounted(folder: Path, keys: Mapping[str, str]) -> Path:
    """Make a folder as the kubelet makes one of a Secret: keys are links by way of one that can be changed at once."""
    kept = folder / "..2026_01_01"
    kept.mkdir(parents=True)
    (folder / "..data").symlink_to(kept.name)
    for key, text in keys.items():
        (kept / key).write_text(text, encoding="utf-8")
        _give(kept / key)
        (folder / key).symlink_to(f"..data/{key}")
    return folder


def _give(path: Path) -> None:
    """Let the group read it, as fsGroup does."""
    os.chown(path, 0, GROUP)
    path.chmod(MODE)
