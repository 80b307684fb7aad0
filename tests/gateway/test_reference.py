"""Facts about deploy/reference on a real Envoy Gateway: it accepts every object, and a real Envoy takes what comes of it."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.control import Proxy
from tests.gateway.lab import Lab
from tests.tools import require

pytestmark = pytest.mark.timeout(300)

TREE = Path(__file__).parents[2]
REFERENCE = TREE / "deploy" / "reference"
GATEWAY, ENVOY = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
POLICIES = (
    *((ENVOY, plural) for plural in ("backendtrafficpolicies", "clienttrafficpolicies", "securitypolicies")),
    (GATEWAY, "backendtlspolicies"),
)
ROUTES = tuple((GATEWAY, plural) for plural in ("httproutes", "grpcroutes", "tlsroutes"))
NAMESPACES = ("edge", "shop")

Object = dict[str, Any]


def found(lab: Lab, kinds: Sequence[tuple[str, str]]) -> dict[str, Object]:
    """Return the objects of these kinds in the namespaces of the stack, by kind, namespace and name."""
    objects: dict[str, Object] = {}
    for group, plural in kinds:
        for namespace in NAMESPACES:
            _, told = lab.cluster.ask("GET", f"/apis/{group}/namespaces/{namespace}/{plural}")
            objects |= {f"{plural} {namespace}/{one['metadata']['name']}": one for one in told["items"]}
    return objects


def refused(one: Object) -> list[str]:
    """Return what the status of a policy or route says against it, or that nobody has looked at it as it is."""
    status = one.get("status", {})
    answers = [answer["conditions"] for answer in status.get("parents", status.get("ancestors", ()))]
    told = [
        f"{condition['type']}: {condition.get('message', '')}"
        for conditions in answers
        for condition in conditions
        if (condition["status"] == "True") is (condition["type"] in {"Overridden"})
        or condition.get("observedGeneration", 0) < one["metadata"]["generation"]
    ]
    return told if answers else ["nobody has looked at it"]


@dataclass(frozen=True, slots=True)
class Stack:
    """The stack in the lab, and the Envoy of its Gateway."""

    lab: Lab
    proxy: Proxy

    def envoy(self, path: str) -> str:
        """Return what Envoy's admin interface answers."""
        status, text = self.lab.get(self.proxy.admin_port, path)
        assert status == 200, text
        return text


@pytest.fixture(scope="module")
def stack(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Apply the stack as its tutorial does, with certificates and keys of the test's own."""
    folder = tmp_path_factory.mktemp("reference")
    prepare(lab, folder)
    for path in (TREE / "policies" / "envoy-gateway-http.yaml", TREE / "policies" / "envoy-gateway-grpc.yaml"):
        asyncio.run(lab.cluster.kubectl("apply", "-f", str(path)))
    asyncio.run(lab.cluster.kubectl("apply", "--server-side", "-k", str(REFERENCE)))
    proxy = Proxy("public", len(lab.proxies), 10443, lab.folder / "envoy-public")
    try:
        proxy.start(lab.enclosure, lab.cluster, lab.control)
        stack = Stack(lab, proxy)
        lab.wait_for("the Envoy of the stack", lambda: lab.get(proxy.admin_port, "/ready")[0] == 200)
        yield stack
    finally:
        if proxy.process is not None:
            proxy.process.kill()
            proxy.process.wait()
        asyncio.run(lab.cluster.kubectl("delete", "-k", str(REFERENCE), "--wait=false"))


def prepare(lab: Lab, folder: Path) -> None:
    """Make what the tutorial makes before: the certificate, the authority of a backend, the keys of the issuer."""
    openssl = shutil.which("openssl")
    require(openssl, "no openssl on PATH")
    names = ["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:*.example.com"]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run(
        [str(openssl), *made, "-out", str(folder / "tls.crt"), "-keyout", str(folder / "tls.key")],
        check=True,
        capture_output=True,
        timeout=30,
    )
    (folder / "jwks.json").write_text(json.dumps(jwks(str(openssl), folder / "tls.key")), encoding="utf-8")
    certificate = f"--cert={folder / 'tls.crt'}", f"--key={folder / 'tls.key'}"
    for namespace in NAMESPACES:
        lab.cluster.make_namespace(namespace)
    for command in (
        ("create", "secret", "tls", "public-tls", "-n", "edge", *certificate),
        ("create", "configmap", "payments-ca", "-n", "shop", f"--from-file=ca.crt={folder / 'tls.crt'}"),
        ("create", "configmap", "issuer-keys", "-n", "shop", f"--from-file=jwks={folder / 'jwks.json'}"),
    ):
        asyncio.run(lab.cluster.kubectl(*command))


def jwks(openssl: str, key: Path) -> Object:
    """Return the public half of an RSA key as issuers publish theirs."""
    command = [openssl, "rsa", "-in", str(key), "-noout", "-modulus"]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    modulus = bytes.fromhex(told.strip().partition("=")[2])
    number = base64.urlsafe_b64encode(modulus).rstrip(b"=").decode()
    return {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": number, "e": "AQAB"}]}


def test_every_policy_is_accepted(stack: Stack) -> None:
    """By each Gateway that it is for, and none is overridden by another."""
    stack.lab.wait_for(
        "policies to be accepted", lambda: not any(refused(one) for one in found(stack.lab, POLICIES).values())
    )

    assert len(found(stack.lab, POLICIES)) == 7


def test_every_route_is_accepted(stack: Stack) -> None:
    """With its backends found."""
    stack.lab.wait_for(
        "routes to be accepted", lambda: not any(refused(one) for one in found(stack.lab, ROUTES).values())
    )

    assert len(found(stack.lab, ROUTES)) == 7


def test_the_gateway_is_programmed(stack: Stack) -> None:
    """With each of its listeners."""

    def listeners() -> list[Object]:
        _, gateway = stack.lab.cluster.ask("GET", f"/apis/{GATEWAY}/namespaces/edge/gateways/public")
        return [
            {one["type"]: one["status"] for one in listener["conditions"]}
            for listener in gateway.get("status", {}).get("listeners", ())
        ]

    stack.lab.wait_for(
        "listeners to be programmed",
        lambda: [one.get("Programmed") for one in listeners()] == ["True", "True", "True"],
    )

    assert [one["ResolvedRefs"] for one in listeners()] == ["True", "True", "True"]


def test_envoy_takes_what_comes_of_it(stack: Stack) -> None:
    """Nothing of its configuration is rejected, and it listens where it should."""
    stack.lab.wait_for("Envoy to listen", lambda: stack.envoy("/listeners").count("\n") >= 3)
    told = json.loads(stack.envoy("/stats?format=json&filter=update_rejected$"))
    rejected = {one["name"]: one["value"] for one in told["stats"] if one.get("value")}

    assert rejected == {}


def clusters(stack: Stack) -> set[str]:
    """Return the names of the clusters that Envoy has."""
    told = json.loads(stack.envoy("/clusters?format=json"))
    return {one["name"] for one in told["cluster_statuses"]}


def test_who_is_judged_has_a_cluster_for_each_backend(stack: Stack) -> None:
    """Named as the policies of the product expect; the sticky route has one of its own."""
    wanted = {
        f"service/shop/{service}-{version}/8080/{kind}"
        for service, kind in (("checkout", "http"), ("pricing", "grpc"))
        for version in ("primary", "canary")
    }
    stack.lab.wait_for("clusters", lambda: wanted <= clusters(stack))

    assert not [name for name in clusters(stack) if name.startswith("service/shop/cart")]
    assert [name for name in clusters(stack) if name.startswith("httproute/shop/cart")]


def test_plain_http_is_sent_on(stack: Stack) -> None:
    """To the same address with TLS."""
    door = stack.lab.door(10080)
    told = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}"]  # noqa: S607 - wherever it is
        + ["-H", "Host: checkout.example.com", f"http://127.0.0.1:{door}/cart"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert told.stdout == "301 https://checkout.example.com/cart"


def test_who_has_no_token_is_refused(stack: Stack) -> None:
    """By Envoy itself, on the route with the policy only."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answers = {host: asyncio.run(asked(stack.lab.door(10443), host, context)) for host in ("account", "checkout")}

    assert answers["account"] == 401
    assert answers["checkout"] == 503  # nobody is behind it here


async def asked(port: int, host: str, context: ssl.SSLContext) -> int:
    """Return the status of an answer by TLS, with the name that the listener goes by."""
    name = f"{host}.example.com"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        line = await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()
    return int(line.split()[1])
