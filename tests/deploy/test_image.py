"""Facts about the image: its own lines build it, and a pod of it does its work with what the manifests give it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rollout import __version__
from tests.deploy.image import DOCKERFILE, PINNED, TREE, Built, Container, check_base, instructions, variables
from tests.deploy.pod import Pod
from tests.deploy.rendering import CHART, DEPLOY, OVERLAYS, helm, kustomized, only, read
from tests.kubernetes.access.day import ACCOUNT
from tests.kubernetes.access.rules import forbidden
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fixtures import KUBERNETES

pytestmark = [*KUBERNETES, pytest.mark.timeout(300)]

WHERE = {"one-replica": "rollout-system", "namespaced": "shop"}
MEBI = 2**20


async def started(overlay: str, built: Built, cluster: Cluster, folder: Path) -> Pod:
    """Start a pod of an overlay that is applied before."""
    await cluster.kubectl("apply", "-k", str(OVERLAYS / overlay))
    deployment = only(kustomized(OVERLAYS / overlay), "Deployment")
    pod = Pod(built, deployment, cluster, namespace=WHERE[overlay], folder=folder)
    pod.start()
    return pod


@pytest.fixture(scope="module", params=WHERE)
def pod(
    request: pytest.FixtureRequest, built: Built, knowing: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pod]:
    """Return a pod that is ready."""
    pod = asyncio.run(started(request.param, built, knowing, tmp_path_factory.mktemp("pod")))
    try:
        pod.until("readiness")
        yield pod
    finally:
        pod.end()


def test_the_wheel_runs_from_a_clean_environment(built: Built, tmp_path: Path) -> None:
    """As the user of the image, with its variables, below a root that nobody can write to."""
    done = subprocess.run(
        Container(built, tmp_path).command("version"),
        env=Container(built, tmp_path).environment({}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.stdout, done.stderr) == (f"{__version__}\n", "")
    assert built.wheels == [f"rollout-{__version__}-py3-none-any.whl"]


def test_a_pod_serves_with_what_the_manifests_give_it(pod: Pod, knowing: Cluster) -> None:
    """Its probes succeed, it holds the Lease, and does nothing that its rights do not allow."""
    user = f"system:serviceaccount:{pod.namespace}:{ACCOUNT}"
    path = f"/apis/coordination.k8s.io/v1/namespaces/{pod.namespace}/leases"
    _, leases = knowing.ask("GET", path)

    assert [pod.asked(kind) for kind in ("startup", "liveness", "readiness")] == [200, 200, 200]
    assert [lease["spec"]["holderIdentity"].startswith("rollout-controller-1") for lease in leases["items"]] == [True]
    assert '"event": "serving"' in pod.log
    assert forbidden(knowing.audited(user)) == []


def test_a_pod_needs_less_memory_than_it_asks_for(pod: Pod) -> None:
    """At rest; the limit leaves room for many Rollouts."""
    assert pod.process is not None
    asked = pod.spec["resources"]["requests"]["memory"]

    assert psutil.Process(pod.process.pid).memory_info().rss < int(asked.removesuffix("Mi")) * MEBI


async def test_a_pod_ends_when_it_is_asked_to(built: Built, knowing: Cluster, tmp_path: Path) -> None:
    """Within the time that the kubelet gives it, and without an error."""
    pod = await started("namespaced", built, knowing, tmp_path)
    try:
        pod.until("startup")

        assert pod.stop() == 0
    finally:
        pod.end()


def test_the_test_of_the_chart_succeeds(pod: Pod) -> None:
    """Its command, with the token of its account, through TLS that is checked."""
    flags = ["--set", f"namespaced={str(pod.namespace == 'shop').lower()}"]
    command = [helm(), "template", "rollout", str(CHART), "--namespace", pod.namespace, *flags]
    shown = subprocess.run(
        [*command, "--show-only", "templates/tests/reaches-the-api.yaml"], capture_output=True, text=True, check=True
    )
    (pod.folder / "test.yaml").write_text(shown.stdout, encoding="utf-8")
    (test,) = read(pod.folder / "test.yaml")
    (container,) = test["spec"]["containers"]
    given = {one["name"]: one["value"] for one in container["env"]}
    done = pod.run(*container["args"], more={**given, "ROLLOUT_SERVER": f"https://127.0.0.1:{pod.port}"})

    assert done.returncode == 0
    assert done.stderr.startswith("No Rollouts found") or done.stdout.startswith("NAME")  # others may have some there


def test_nothing_is_built_on_what_moves() -> None:
    """Both stages begin with an image by digest, which make gives; what is installed has hashes."""
    bases = [rest.split()[0] for _, word, rest in instructions() if word == "FROM"]
    lines = (DEPLOY / "image" / "build.txt").read_text(encoding="utf-8")

    assert bases == ["${BASE}", "${BASE}"]
    assert "ARG BASE\n" in DOCKERFILE.read_text(encoding="utf-8")
    assert len(re.findall(r"^\S+==\S+ \\$", lines, re.MULTILINE)) == len(
        re.findall(r"==", re.sub(r"(?m)^#.*$", "", lines))
    )
    assert all(
        "--hash=sha256:" in block for block in re.split(r"(?m)^(?=\w)", re.sub(r"(?m)^#.*\n", "", lines)) if block
    )


@pytest.mark.parametrize("base", ["python:3.13-slim", "python@sha512:ab", ""])
def test_a_base_without_a_digest_is_refused(base: str) -> None:
    """By the Dockerfile itself, for who builds without make."""
    (line,) = [rest for stage, word, rest in instructions() if (stage, word) == (1, "RUN") and "$BASE" in rest]
    done = check_base(line, base)

    assert done.returncode == 1
    assert "BASE needs a digest" in done.stderr


def test_a_base_is_pinned() -> None:
    """By a name that says what it is, of the Python that the lock of the builder is for, and a whole digest."""
    pinned = PINNED.read_text(encoding="utf-8")
    lines = (DEPLOY / "image" / "build.txt").read_text(encoding="utf-8")

    assert re.fullmatch(r"docker\.io/library/python:3\.13-slim-trixie@sha256:[0-9a-f]{64}\n", pinned)
    assert "--python-version 3.13" in lines


def test_the_image_has_no_user_of_its_own_rights() -> None:
    """The user is that of the Deployment, no root, with no home in which a kubeconfig would be looked for."""
    users = [rest for stage, word, rest in instructions() if (stage, word) == (2, "USER")]
    security = only(kustomized(OVERLAYS / "one-replica"), "Deployment")["spec"]["template"]["spec"]["securityContext"]

    assert users == [f"{security['runAsUser']}:{security['runAsGroup']}"]
    assert variables(2)["HOME"] == "/nonexistent"


def test_what_is_sent_to_the_builder_is_what_is_copied() -> None:
    """No more, so that no file of a developer's gets into a layer."""
    lines = (DEPLOY / "image" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        name for stage, word, rest in instructions() if (stage, word) == (1, "COPY") for name in rest.split()[:-1]
    }

    assert "*" in lines
    assert sent == copied


DIGEST = f"sha256:{'ab' * 32}"
DOCKER = f"""#!/bin/sh
if [ "$*" = "buildx version" ]; then exit "${{NO_BUILDX:-0}}"; fi
echo "$@" >> "$CALLS"
case "$*" in *imagetools*) echo "${{DIGEST-{DIGEST}}}" ;; esac
"""


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a tree with the script and a docker that keeps what it is asked."""
    for folder in (".ci", "deploy/image", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".ci" / "image").write_bytes((TREE / ".ci" / "image").read_bytes())
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path


def script(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    command = ["bash", str(tree / ".ci" / "image"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_the_digest_is_asked_for_once_and_kept(tree: Path) -> None:
    """What was pinned is what is built on from then on, for both architectures."""
    done = [script(tree, "--tag", "one"), script(tree, "--tag", "two")]
    asked, first, second = (tree / "calls").read_text(encoding="utf-8").splitlines()
    pinned = (tree / "deploy" / "image" / "base.txt").read_text(encoding="utf-8").strip()

    assert [one.returncode for one in done] == [0, 0]
    assert asked.startswith("buildx imagetools inspect docker.io/library/python:")
    assert pinned == f"docker.io/library/python:3.13-slim-trixie@{DIGEST}"
    assert f"--platform linux/amd64,linux/arm64 --build-arg BASE={pinned} " in first
    assert second == first.replace("one", "two")


def test_another_base_for_once(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is taken with a digest and refused without; nothing is asked for or kept."""
    monkeypatch.setenv("BASE", f"registry.example/python:3.13@{DIGEST}")
    taken = script(tree)
    monkeypatch.setenv("BASE", "registry.example/python:3.13")
    refused = script(tree)

    assert (taken.returncode, refused.returncode) == (0, 1)
    assert f"BASE=registry.example/python:3.13@{DIGEST} " in (tree / "calls").read_text(encoding="utf-8")
    assert not (tree / "deploy" / "image" / "base.txt").exists()


def test_a_docker_without_buildx_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked for."""
    monkeypatch.setenv("NO_BUILDX", "1")
    done = script(tree)

    assert (done.returncode, done.stderr) == (1, "image: docker with buildx is needed, and is not there\n")
    assert not (tree / "calls").exists()


def test_what_is_no_digest_is_not_built_on(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept, and nothing is built."""
    monkeypatch.setenv("DIGEST", "latest")
    done = script(tree)

    assert done.returncode == 1
    assert not (tree / "deploy" / "image" / "base.txt").exists()
    assert "no digest" in done.stderr
