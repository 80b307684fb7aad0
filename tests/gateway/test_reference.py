"""Facts about deploy/reference on a real Envoy Gateway: it accepts everything, and Envoy takes what comes of it.

And what the tutorial says that one sees when something is wrong is what Envoy Gateway and Envoy show.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.control import Proxy
from tests.gateway.lab import Lab
from tests.gateway.objects import endpoint_slice, service
from tests.gateway.stack import NAMESPACES, NOBODY, Object, Stack, asked, connected, give_endpoints, prepare
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
SECONDS = 30.0
SHOP, OUTSIDE = "shop", "outside"
CONNECTIONS, EACH = 40, 10
"""How many requests come at once, over how many connections: four times what one client may send in a second."""


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


def condition(stack: Stack, kind: str) -> tuple[str, str]:
    """Return status and message of a condition of the Gateway."""
    _, gateway = stack.lab.cluster.ask("GET", f"/apis/{GATEWAY}/namespaces/edge/gateways/public")
    told = {one["type"]: (one["status"], one["message"]) for one in gateway.get("status", {}).get("conditions", ())}
    return told.get(kind, ("", ""))


def accepted(stack: Stack, status: str) -> None:
    """Wait until the Gateway is accepted, or not."""
    what = f"Accepted of the Gateway to be {status}"
    stack.lab.wait_for(what, lambda: condition(stack, "Accepted")[0] == status)


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


@contextmanager
def tracing(stack: Stack) -> Iterator[None]:
    """Have traces for a while, and take them away as the tutorial says."""
    told = ("apply", "--server-side", "--field-manager", "tracing", "-k", str(REFERENCE / "tracing"))
    asyncio.run(stack.lab.cluster.kubectl(*told))
    try:
        yield
    finally:
        patch = json.dumps([{"op": "remove", "path": "/spec/telemetry/tracing"}])
        away = ("patch", "envoyproxy", "public", "-n", "edge", "--type", "json", "-p", patch)
        asyncio.run(stack.lab.cluster.kubectl(*away))
        accepted(stack, "True")


def test_traces_need_a_collector_that_runs(stack: Stack) -> None:
    """Without one Envoy Gateway does not accept the Gateway, with one it does; requests are served meanwhile."""
    slice_ = endpoint_slice(COLLECTOR, NOBODY, [("10.77.200.99", True)])
    slice_["ports"][0]["name"] = "otlp"
    with ExitStack() as afterwards, tracing(stack):
        accepted(stack, "False")
        why, served = condition(stack, "Accepted")[1], asked(stack.lab.door(10443), "account")
        afterwards.enter_context(made(stack.lab, "endpointslices", slice_, namespace="edge"))
        accepted(stack, "True")

    assert f"no ready endpoints for the related Service edge/{COLLECTOR}" in why
    assert served == 401


def test_traces_can_be_taken_away(stack: Stack) -> None:
    """By one patch, and without a collector the Gateway is accepted again."""
    with tracing(stack):
        accepted(stack, "False")

    assert condition(stack, "Accepted")[0] == "True"


# what the table at the end of the tutorial says that one sees


@contextmanager
def made(lab: Lab, plural: str, body: Object, *, namespace: str = SHOP) -> Iterator[str]:
    """Make an object for a while; give its path."""
    path = f"/apis/{body['apiVersion']}/namespaces/{namespace}/{plural}"
    lab.cluster.apply(path, body)
    try:
        yield f"{path}/{body['metadata']['name']}"
    finally:
        lab.cluster.ask("DELETE", f"{path}/{body['metadata']['name']}")


def route(name: str, backend: str, *, listener: str = "https") -> Object:
    """Return a route for a host of that name, at the Gateway of the stack."""
    parent = {"name": "public", "namespace": "edge", "sectionName": listener}
    rule = {"backendRefs": [{"name": backend, "port": NOBODY}]}
    spec = {"parentRefs": [parent], "hostnames": [f"{name}.example.com"], "rules": [rule]}
    return {"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def policy(name: str, target: str) -> Object:
    """Return a policy for a route, which says nothing of merging."""
    aimed = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": target}
    spec = {"targetRefs": [aimed], "retry": {"numRetries": 1}}
    return {"apiVersion": ENVOY, "kind": "BackendTrafficPolicy", "metadata": {"name": name}, "spec": spec}


def conditions(lab: Lab, path: str) -> dict[str, tuple[str, str]]:
    """Return what the status of a route or policy says, by type: status and reason."""
    _, one = lab.cluster.ask("GET", path)
    status = one.get("status", {})
    answers = status.get("parents") or status.get("ancestors") or ()
    return {told["type"]: (told["status"], told["reason"]) for answer in answers for told in answer["conditions"]}


def comes(fact: Callable[[], Any]) -> bool:
    """Return whether it comes about in time."""
    deadline = time.monotonic() + patient(SECONDS)
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def flags(stack: Stack, host: str) -> set[str]:
    """Return the flags of answers to a host, from the access log."""
    lines = stack.proxy.log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return {one["flags"] for one in told if one["host"] == f"{host}.example.com"}


def answered(stack: Stack, host: str, status: int) -> bool:
    """Return whether the host is answered so in time."""
    return comes(lambda: asked(stack.lab.door(10443), host) == status)


def test_a_policy_without_merge_type_overrides_the_gateways(stack: Stack) -> None:
    """The Gateway's says so, for as long as it has lost the route."""
    of_gateway = f"/apis/{ENVOY}/namespaces/edge/backendtrafficpolicies/public"
    with made(stack.lab, "backendtrafficpolicies", policy("alone", "account")):
        overridden = comes(lambda: conditions(stack.lab, of_gateway).get("Overridden", ("",))[0] == "True")

    assert overridden
    assert comes(lambda: "Overridden" not in conditions(stack.lab, of_gateway))


def test_a_policy_that_aims_at_nobody_has_no_status(stack: Stack) -> None:
    """Such as one beside the Gateway, for a route of another namespace; what was made later has its answer."""
    with (
        made(stack.lab, "backendtrafficpolicies", policy("astray", "checkout"), namespace="edge") as astray,
        made(stack.lab, "httproutes", route("later", "nobody")) as later,
    ):
        looked = comes(lambda: conditions(stack.lab, later))
        told = conditions(stack.lab, astray)

    assert looked
    assert told == {}


def test_a_service_that_there_is_not(stack: Stack) -> None:
    """``ResolvedRefs`` is false."""
    with made(stack.lab, "httproutes", route("missing", "nobody")) as path:
        assert comes(lambda: conditions(stack.lab, path).get("ResolvedRefs") == ("False", "BackendNotFound"))


def test_a_namespace_without_the_label(stack: Stack) -> None:
    """``NotAllowedByListeners``."""
    stack.lab.cluster.make_namespace(OUTSIDE)
    with made(stack.lab, "httproutes", route("outside", "nobody"), namespace=OUTSIDE) as path:
        assert comes(lambda: conditions(stack.lab, path).get("Accepted") == ("False", "NotAllowedByListeners"))


def test_a_host_without_a_route(stack: Stack) -> None:
    """404, and ``NR``."""
    assert answered(stack, "unheard", HTTPStatus.NOT_FOUND)
    assert comes(lambda: flags(stack, "unheard") == {"NR"})


def test_nobody_takes_the_connection(stack: Stack) -> None:
    """503, and ``UF``."""
    assert answered(stack, "cart", HTTPStatus.SERVICE_UNAVAILABLE)
    assert comes(lambda: any("UF" in one for one in flags(stack, "cart")))


def test_nobody_is_there(stack: Stack) -> None:
    """A Service without endpoints is 503 without a flag: Envoy Gateway has told Envoy to answer so."""
    lab = stack.lab
    lab.cluster.apply(f"/api/v1/namespaces/{SHOP}/services", service("empty", NOBODY))
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{SHOP}/endpointslices"
    lab.cluster.apply(slices, endpoint_slice("empty", NOBODY, []))
    with made(lab, "httproutes", route("empty", "empty")):
        assert answered(stack, "empty", HTTPStatus.SERVICE_UNAVAILABLE)
        assert comes(lambda: "-" in flags(stack, "empty"))


def test_too_often(stack: Stack) -> None:
    """429, for each client apart: more than a hundred in a second."""
    door, found = stack.lab.door(10443), set[int]()
    answered(stack, "checkout", HTTPStatus.SERVICE_UNAVAILABLE)
    with ThreadPoolExecutor(CONNECTIONS) as pool:

        def refuses() -> bool:
            found.update(status for each in pool.map(lambda _: many(door), range(CONNECTIONS)) for status in each)
            return HTTPStatus.TOO_MANY_REQUESTS in found

        is_refused = comes(refuses)

    assert is_refused
    assert found == {503, 429}  # nobody is behind it here


def many(door: int) -> list[int]:
    """Return the statuses of requests that are sent one after the other over one connection."""
    name = "checkout.example.com"
    found = []
    with connected(door, name) as connection:
        for _ in range(EACH):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            answer.read()
            found.append(answer.status)
    return found
