"""Facts about deploy/reference on a real Envoy Gateway: it accepts everything, and Envoy takes what comes of it."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.control import Proxy
from tests.gateway.lab import Lab
from tests.gateway.objects import endpoint_slice
from tests.tools import require
from tests.waiting import patient

pytestmark = pytest.mark.timeout(300)

TREE = Path(__file__).parents[2]
REFERENCE = TREE / "deploy" / "reference"
COLLECTOR = "otel-collector"
GATEWAY, ENVOY = "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
POLICIES = (
    *((ENVOY, plural) for plural in ("backendtrafficpolicies", "clienttrafficpolicies", "securitypolicies")),
    (GATEWAY, "backendtlspolicies"),
)
ROUTES = tuple((GATEWAY, plural) for plural in ("httproutes", "grpcroutes", "tlsroutes"))
NAMESPACES = ("edge", "shop")
SECONDS = 30.0
NOBODY = 3000
"""A port at which nothing in the lab listens, at any address."""

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
        if (condition["status"] == "True") is (condition["type"] == "Overridden")
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
    give_endpoints(lab)
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


def give_endpoints(lab: Lab) -> None:
    """Say of each Service that it has a pod, as a cluster would; nobody answers there."""
    for namespace in NAMESPACES:
        _, services = lab.cluster.ask("GET", f"/api/v1/namespaces/{namespace}/services")
        for number, service in enumerate(services["items"], 1):
            name, port = service["metadata"]["name"], service["spec"]["ports"][0]
            slice_ = endpoint_slice(name, NOBODY, [(f"10.77.200.{number}", True)])
            slice_["ports"][0]["name"] = port["name"]
            lab.cluster.apply(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", slice_)


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


def in_the_end(lab: Lab, kinds: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what is said against each object of these kinds when nothing is any more, or time is up."""
    deadline = time.monotonic() + patient(SECONDS)
    while True:
        told = {name: refused(one) for name, one in found(lab, kinds).items()}
        if not any(told.values()) or time.monotonic() > deadline:
            return told
        time.sleep(0.1)


def test_every_policy_is_accepted(stack: Stack) -> None:
    """By each Gateway that it is for, and none is overridden by another."""
    told = in_the_end(stack.lab, POLICIES)

    assert {name: why for name, why in told.items() if why} == {}
    assert len(told) == 7


def test_every_route_is_accepted(stack: Stack) -> None:
    """With its backends found."""
    told = in_the_end(stack.lab, ROUTES)

    assert {name: why for name, why in told.items() if why} == {}
    assert len(told) == 7


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
    deadline = time.monotonic() + patient(SECONDS)
    while not wanted <= clusters(stack) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert wanted - clusters(stack) == set()
    assert not [name for name in clusters(stack) if name.startswith("service/shop/cart")]
    assert [name for name in clusters(stack) if name.startswith("httproute/shop/cart")]


def test_plain_http_is_sent_on(stack: Stack) -> None:
    """To the same address with TLS."""
    door = stack.lab.door(10080)
    request = http.client.HTTPConnection("127.0.0.1", door, timeout=20)
    with closing(request):
        request.request("GET", "/cart", headers={"Host": "checkout.example.com"})
        answer = request.getresponse()

        assert (answer.status, answer.getheader("location")) == (301, "https://checkout.example.com/cart")


def test_who_has_no_token_is_refused(stack: Stack) -> None:
    """By Envoy itself, on the route with the policy only."""
    answers = {host: asked(stack.lab.door(10443), host) for host in ("account", "checkout")}

    assert answers == {"account": 401, "checkout": 503}  # nobody is behind it here


def asked(port: int, host: str) -> int:
    """Return the status of an answer by TLS, with the name that the listener goes by."""
    name, context = f"{host}.example.com", ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


def condition(stack: Stack, kind: str) -> tuple[str, str]:
    """Return status and message of a condition of the Gateway."""
    _, gateway = stack.lab.cluster.ask("GET", f"/apis/{GATEWAY}/namespaces/edge/gateways/public")
    told = {one["type"]: (one["status"], one["message"]) for one in gateway.get("status", {}).get("conditions", ())}
    return told.get(kind, ("", ""))


def give_address(stack: Stack) -> None:
    """Be the load balancer of the Gateway's Service."""
    services = "/api/v1/namespaces/envoy-gateway-system/services"
    chosen = f"{services}?labelSelector=gateway.envoyproxy.io/owning-gateway-name=public"
    _, told = stack.lab.cluster.ask("GET", chosen)
    (service,) = told["items"]
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "10.77.0.1"}]}}}
    path = f"{services}/{service['metadata']['name']}/status"
    stack.lab.cluster.ask("PATCH", path, status, content="application/merge-patch+json")


def test_the_gateway_is_accepted_as_the_stack_is(stack: Stack) -> None:
    """Nothing has to run beside it: with an address from a load balancer it is programmed."""
    give_address(stack)
    stack.lab.wait_for("the Gateway to be programmed", lambda: condition(stack, "Programmed")[0] == "True")

    assert condition(stack, "Accepted")[0] == "True"


def test_traces_need_a_collector_that_runs(stack: Stack) -> None:
    """Without one Envoy Gateway does not accept the Gateway, with one it does; requests are served meanwhile."""
    told = ("apply", "--server-side", "--field-manager", "tracing", "-k", str(REFERENCE / "tracing"))
    asyncio.run(stack.lab.cluster.kubectl(*told))
    stack.lab.wait_for("the Gateway to be refused", lambda: condition(stack, "Accepted")[0] == "False")
    why, served = condition(stack, "Accepted")[1], asked(stack.lab.door(10443), "account")
    slice_ = endpoint_slice(COLLECTOR, NOBODY, [("10.77.200.99", True)])
    slice_["ports"][0]["name"] = "otlp"
    stack.lab.cluster.apply("/apis/discovery.k8s.io/v1/namespaces/edge/endpointslices", slice_)
    stack.lab.wait_for("the Gateway to be accepted", lambda: condition(stack, "Accepted")[0] == "True")

    assert f"no ready endpoints for the related Service edge/{COLLECTOR}" in why
    assert served == 401
