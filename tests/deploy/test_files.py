"""Facts about files with secrets: the program of the image reads them where the components mount them."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

import pytest
from standardwebhooks import Webhook

from rollout.kube.resources import ROLLOUTS
from tests.deploy.image import Built
from tests.deploy.pod import Pod
from tests.deploy.rendering import DEPLOY, SYSTEM, composed, only
from tests.house.deployed import BY_SECRET, FOLDERS
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.kubernetes.stage import open_stage
from tests.serve.certificates import certificate
from tests.waiting import until

pytestmark = [*KUBERNETES, pytest.mark.timeout(300)]

SECRET = f"whsec_{base64.b64encode(b'of nobody else, and of this length').decode()}"
TOKEN = "of-prometheus"
COMPONENTS = ("sinks", "hooks", "gate-secret", "probe-certificates", "prometheus-token", "prometheus-ca")


def kept(authority: str) -> dict[str, dict[str, str]]:
    """Return what the Secrets hold, by name and key."""
    sink = {"name": "team-shop", "kind": "Slack", "urlFile": "team-shop"}
    hook = {"name": "ci", "secretFile": "ci.secret", "namespaces": ["shop"]}
    return {
        "rollout-sinks": {"sinks.yaml": json.dumps({"sinks": [sink]}), "team-shop": "https://chat.example/our-chat"},
        "rollout-hooks": {"hooks.yaml": json.dumps({"hooks": [hook]}), "ci.secret": SECRET},
        "rollout-gate-secret": {"gates.secret": SECRET},
        "rollout-probe-certificates": {"ca.pem": authority},
        "rollout-prometheus-token": {"token": TOKEN},
        "rollout-prometheus-ca": {"ca.crt": authority},
    }


class Prometheus(ThreadingHTTPServer):
    """Nobody's counters: it knows no series, and keeps with which tokens it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen at a free port."""
        super().__init__(("127.0.0.1", 0), _Answers)
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answers(BaseHTTPRequestHandler):
    server: Prometheus

    def do_GET(self) -> None:
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": []}}).encode()
        self.server.tokens.add(self.headers.get("Authorization", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[Prometheus]:
    """Run a Prometheus that knows nothing."""
    with Prometheus() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    """Return the Prometheus that the pod asks."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def pod(
    built: Built, knowing: Cluster, prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pod]:
    """Return a pod that has them all, and is ready: it has read what it reads at its start."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("overlay", "certificate"):
        (folder / name).mkdir()
    objects = composed(folder / "overlay", "one-replica", *(f"kustomize/components/{name}" for name in COMPONENTS))
    asyncio.run(knowing.kubectl("apply", "-k", str(DEPLOY / "rbac")))
    authority = certificate(folder / "certificate").certificate.read_text(encoding="utf-8")
    running = Pod(
        built,
        only(objects, "Deployment"),
        knowing,
        namespace=SYSTEM,
        folder=folder / "pod",
        secrets=kept(authority),
    )
    running.given |= {"ROLLOUT_PROMETHEUS": prometheus.url, "ROLLOUT_TICK": "200ms"}
    running.start()
    try:
        running.until("readiness")
        yield running
    finally:
        running.end()


def test_sinks_are_known(pod: Pod) -> None:
    """To whoever asks for them, and their addresses are not told."""
    given = {
        "ROLLOUT_SERVER": f"https://127.0.0.1:{pod.port}",
        "ROLLOUT_TOKEN_FILE": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "ROLLOUT_CA_FILE": "/etc/rollout/tls/ca.crt",
    }
    done = pod.run("notify", "list", more=given)

    assert (done.returncode, "team-shop" in done.stdout, "our-chat" in done.stdout) == (0, True, False), done.stderr


@pytest.mark.parametrize("setting", BY_SECRET)
def test_what_a_setting_names_is_mounted(pod: Pod, setting: str) -> None:
    """The file, or the folder, is where the pod is told to look for it."""
    path = PurePosixPath(pod.given[f"ROLLOUT_{setting.upper()}"])
    (mounted,) = {path, path.parent} & {PurePosixPath(mount) for mount in pod.container.mounts}
    found = pod.container.mounts[str(mounted)] / path.relative_to(mounted)

    assert found.is_dir() if setting in FOLDERS else found.is_file()


async def judge(knowing: Cluster, namespace: str, prometheus: Prometheus) -> None:
    """Let the pod ask Prometheus: by an attempt in a namespace of its own, which is taken away again."""
    async with open_stage(knowing, namespace) as stage, stage.gateway():
        await stage.pair()
        await stage.route()
        await stage.policy()
        policy = {"kind": "RolloutPolicy", "name": "counted"}
        await stage.rollout(policy=policy, analysis=None, steps=[{"weight": 20, "hold": "24h"}])
        await stage.phase("Idle")
        await stage.edit(revision="2")
        await until(lambda: prometheus.tokens, seconds=20)
        await stage.delete(ROLLOUTS)
        await stage.gone(ROLLOUTS)


async def test_prometheus_is_asked_with_the_token(
    pod: Pod, knowing: Cluster, namespace: str, prometheus: Prometheus
) -> None:
    """Each time, as it stands in its file."""
    assert pod.process is not None
    await judge(knowing, namespace, prometheus)

    assert prometheus.tokens == {f"Bearer {TOKEN}"}


def hooked(pod: Pod, secret: str, number: int) -> int:
    """Call the hook, signed with this secret; return the status of the refusal."""
    body = json.dumps({"namespace": "shop", "rollout": "nobody", "revision": "2"})
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": f"build-{number}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"build-{number}", now, body),
    }
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - its name is another here
    asked = urllib.request.Request(f"https://127.0.0.1:{pod.port}/api/v1/hooks/ci", body.encode(), headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=20, context=context)  # noqa: S310 - as above
    refused.value.close()
    return refused.value.code


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 404), (SECRET.replace("b2Yg", "b2Yh"), 401)])
def test_hooks_are_verified(pod: Pod, secret: str, status: int) -> None:
    """By the secret that is read at each call; whose signature is good hears that there is no such Rollout."""
    assert hooked(pod, secret, status) == status


async def test_nothing_of_them_is_logged(pod: Pod, knowing: Cluster, namespace: str, prometheus: Prometheus) -> None:
    """Neither an address nor a secret nor a token, though all were used."""
    await judge(knowing, namespace, prometheus)
    hooked(pod, SECRET, 1)
    told = [secret for secret in (SECRET, "our-chat", TOKEN) if secret in pod.log]

    assert told == []
    assert not [line for line in pod.log.splitlines() if '"level": "error"' in line]
