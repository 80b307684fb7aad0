"""Facts about files with secrets: the program of the image reads them where the components mount them."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from tests.deploy.image import Built
from tests.deploy.pod import Pod
from tests.deploy.rendering import DEPLOY, SYSTEM, composed, only
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES
from tests.serve.certificates import certificate

pytestmark = [*KUBERNETES, pytest.mark.timeout(300)]

SECRET = f"whsec_{base64.b64encode(b'of nobody else, and of this length').decode()}"
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
        "rollout-prometheus-token": {"token": "of-prometheus"},
        "rollout-prometheus-ca": {"ca.crt": authority},
    }


@pytest.fixture(scope="module")
def pod(built: Built, knowing: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
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


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 404), (SECRET.replace("b2Yg", "b2Yh"), 401)])
def test_hooks_are_verified(pod: Pod, secret: str, status: int) -> None:
    """By the secret that is read at each call; whose signature is good hears that there is no such Rollout."""
    body = json.dumps({"namespace": "shop", "rollout": "checkout", "revision": "2"})
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": f"build-{status}",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"build-{status}", now, body),
    }
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - its name is another here
    asked = urllib.request.Request(f"https://127.0.0.1:{pod.port}/api/v1/hooks/ci", body.encode(), headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked, timeout=20, context=context)  # noqa: S310 - as above
    refused.value.close()

    assert refused.value.code == status


def test_nothing_of_them_is_logged(pod: Pod) -> None:
    """Neither an address nor a secret nor a token."""
    told = [secret for secret in (SECRET, "our-chat", "of-prometheus") if secret in pod.log]

    assert told == []
    assert not [line for line in pod.log.splitlines() if '"level": "error"' in line]
