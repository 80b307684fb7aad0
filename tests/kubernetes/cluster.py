"""A real API server with its etcd, as two plain processes on free ports of loopback, with nothing else behind it.

There is no kubelet and no controller: nothing makes pods or EndpointSlices, nothing collects what lost its owner; a
test writes what it needs. Programs come from ``KUBEBUILDER_ASSETS``, or from the cache of ``make tools``.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from kubernetes.aio import client
from ruamel.yaml import YAML

from tests.tools import find_tool, free_port, missing, tools_cache
from tests.waiting import patient

GATEWAY_API = "v1.6.1"
"""The newest release of the Gateway API that the tests run with."""

OLD_GATEWAY_API = "v1.1.0"
"""The oldest release that has GRPCRoute v1."""

START_SECONDS = 60.0
ADMIN, SOMEBODY, CONTROLLER = "admin-token", "somebody-token", "controller-token"
AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def require_program(name: str) -> Path:
    """Return the path of etcd, kube-apiserver, kubectl or such; without it the test ends as ``missing`` says."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = shutil.which(name, path=assets) if assets else None
    path = Path(found) if found else find_tool(name)
    return path or missing(f"no {name} in KUBEBUILDER_ASSETS, on PATH or in the cache: run `make tools` (needs Go)")


def gateway_crds(version: str) -> Iterator[dict[str, Any]]:
    """Give the CRDs of a release of the Gateway API that the tests need, from the cache of ``make tools``."""
    folder = tools_cache() / "gateway-api" / version
    if not folder.is_dir():
        missing(f"no CRDs of the Gateway API {version} in {folder}: run `make tools` (needs Go)")
    for kind in ("httproutes", "grpcroutes", "gateways", "gatewayclasses", "referencegrants"):
        path = folder / f"gateway.networking.k8s.io_{kind}.yaml"
        yield YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@dataclass(slots=True)
class Cluster:
    """A running etcd and kube-apiserver; ``url`` and ``token`` (of an administrator) reach it, ``ca`` checks it.

    ``prefix`` begins the command lines of both.
    """

    folder: Path
    port: int
    etcd_port: int
    peer_port: int
    etcd: subprocess.Popen[bytes] | None = None
    server: subprocess.Popen[bytes] | None = None
    flags: Sequence[str] = ()
    prefix: Sequence[str] = ()
    token: str = ADMIN
    tokens: tuple[str, ...] = field(
        default=(
            f'{ADMIN},admin,admin,"system:masters"',
            f'{CONTROLLER},controller,controller,"system:masters"',
            f"{SOMEBODY},somebody,somebody",
        )
    )

    @property
    def url(self) -> str:
        """Return the address of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """Return the certificate that the API server signed for itself."""
        return self.folder / "certs" / "apiserver.crt"

    @property
    def audit(self) -> Path:
        """Return the audit log: a JSON object on each line."""
        return self.folder / "audit.log"

    def audited(self, user: str) -> list[dict[str, Any]]:
        """Return what the audit log has of this user, oldest first."""
        lines = self.audit.read_text(encoding="utf-8").splitlines()
        events = (json.loads(line) for line in lines if f'"username":"{user}"' in line and line.endswith("}"))
        return [event for event in events if event["user"]["username"] == user]

    @classmethod
    def begin(cls, folder: Path, flags: Sequence[str] = ()) -> Cluster:
        """Start both and wait until the API server is ready; more ``flags`` go to the API server."""
        cluster = cls.prepared(folder, flags)
        cluster.start_etcd()
        cluster.start_server()
        return cluster

    @classmethod
    def prepared(cls, folder: Path, flags: Sequence[str] = (), prefix: Sequence[str] = ()) -> Cluster:
        """Return one that has its ports and files, and is not started."""
        for name in ("etcd", "kube-apiserver"):
            require_program(name)
        folder.mkdir(parents=True, exist_ok=True)
        cluster = cls(folder, free_port(), free_port(), free_port(), flags=flags, prefix=prefix)
        _write_files(folder, cluster.tokens)
        return cluster

    def start_etcd(self) -> None:
        """Start etcd over what is in its folder."""
        client_url, peer_url = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self.etcd = self._spawn(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=error",
            f"--listen-client-urls={client_url}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
        )

    def start_server(self) -> None:
        """Start the API server on the same port as before, and wait until it is ready."""
        key = self.folder / "sa.key"
        self.server = self._spawn(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://localhost",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self.folder / 'audit.yaml'}",
            f"--audit-log-path={self.audit}",
            "--profiling=false",
            *self.flags,
        )
        self.wait_ready()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Return when the API server says that it is ready."""
        deadline = time.monotonic() + patient(seconds)
        while not self._is_ready():
            for process in (self.etcd, self.server):
                if process is not None and process.poll() is not None:
                    raise AssertionError(f"{process.args!r} ended with {process.returncode}; {self.tail()}")
            assert time.monotonic() < deadline, f"the API server was not ready within {seconds:g} s; {self.tail()}"
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            status, _ = self.ask("GET", "/readyz")
        except (OSError, urllib.error.URLError):
            return False
        return status == HTTPStatus.OK

    def _spawn(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as output:
            command = [*self.prefix, str(require_program(name)), *arguments]
            group = 0 if self.prefix else None  # who runs inside of something is ended with that, and not by Ctrl-C
            return subprocess.Popen(command, stdout=output, stderr=output, process_group=group)

    def tail(self) -> str:
        """Return the ends of both logs, for a failure's message."""
        logs = (self.folder / f"{name}.log" for name in ("etcd", "kube-apiserver"))
        return " | ".join(path.read_text(errors="replace")[-600:] for path in logs if path.exists())

    def end(self) -> None:
        """Kill both; what they stored stays in the folder."""
        for process in (self.server, self.etcd):
            if process is not None:
                process.kill()
                process.wait()
        self.server = self.etcd = None

    def ask(
        self, method: str, path: str, body: object = None, *, content: str = "application/json", token: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Send a request as an administrator (or as ``token``); return status and answer. For setting a stage."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": content}
        sent = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, sent, headers, method=method)  # noqa: S310 - https to loopback
        context = ssl.create_default_context(cafile=self.ca) if self.ca.exists() else None
        try:
            with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310 - as above
                return answer.status, _json(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read())

    def text(self, path: str) -> str:
        """Return what an administrator reads there, as text."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310 - https to loopback
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:  # noqa: S310 - as above
            read: bytes = answer.read()
        return read.decode()

    def apply(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make the object in the collection ``path``, or change it to this where it exists; return it."""
        status, answer = self.ask("POST", path, body)
        if status == HTTPStatus.CONFLICT:
            name = body["metadata"]["name"]
            patch = "application/apply-patch+yaml"
            status, answer = self.ask("PATCH", f"{path}/{name}?fieldManager=test&force=true", body, content=patch)
        assert status in {HTTPStatus.OK, HTTPStatus.CREATED}, f"{path}: {status} {answer.get('message', answer)}"
        return answer

    def install(self, crd: dict[str, Any]) -> None:
        """Install a CRD and wait until the API server serves it."""
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        name, spec = crd["metadata"]["name"], crd["spec"]
        self.apply(crds, crd)
        deadline = time.monotonic() + START_SECONDS
        while True:
            _, found = self.ask("GET", f"{crds}/{name}")
            conditions = (found.get("status") or {}).get("conditions") or ()
            told = {condition["type"]: condition for condition in conditions}
            if told.get("Established", {}).get("status") == "True":
                break
            assert time.monotonic() < deadline, f"{name} is not served: {found.get('status')}"
            time.sleep(0.05)
        for version in spec["versions"]:
            path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
            while version["served"] and self.ask("GET", path)[0] != HTTPStatus.OK:
                assert time.monotonic() < deadline, f"{path} is not served"
                time.sleep(0.05)

    def make_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def configuration(self, token: str = "", url: str = "") -> client.Configuration:
        """Return the client's configuration for an administrator, or for ``token``; ``url``: through another door."""
        found = client.Configuration(
            host=url or self.url,
            api_key={"BearerToken": token or self.token},
            api_key_prefix={"BearerToken": "Bearer"},
            ssl_ca_cert=str(self.ca),
        )
        found.connection_pool_maxsize = 256
        return found

    def kubeconfig(self, token: str = "", url: str = "") -> Path:
        """Write a kubeconfig for an administrator (or ``token``) and return its path."""
        path = self.folder / f"kubeconfig-{token or 'admin'}-{abs(hash(url)) if url else 'direct'}.yaml"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": "test", "cluster": {"server": url or self.url, "certificate-authority": str(self.ca)}}
            ],
            "users": [{"name": "me", "user": {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "me"}}],
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl as an administrator and return what it printed.

        Raises:
            AssertionError: it failed; with what it said.
        """
        command = [str(require_program("kubectl")), f"--kubeconfig={self.kubeconfig()}", *arguments]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, err.decode()
        return out.decode()


def _json(read: bytes) -> dict[str, Any]:
    try:
        told = json.loads(read)
    except ValueError:
        return {"message": read.decode(errors="replace")[:500]}
    return told if isinstance(told, dict) else {"message": str(told)}


def _write_files(folder: Path, tokens: Sequence[str]) -> None:
    (folder / "tokens.csv").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    (folder / "audit.yaml").write_text(AUDIT_POLICY, encoding="utf-8")
    openssl = shutil.which("openssl") or missing("no openssl on PATH, which makes the API server's key")
    command = [openssl, "genrsa", "-out", str(folder / "sa.key"), "2048"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
