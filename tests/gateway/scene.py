"""A scene in one namespace of the lab: backends with their Services, routes on host names of its own, and Rollouts.

What a kubelet and its controllers would write (endpoints that are not ready, a Service without any) is written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from rollout.kube.api import KubeApi
from rollout.kube.resources import ENDPOINT_SLICES, ROLLOUTS, SERVICES, Document
from tests.gateway import objects
from tests.gateway.answers import Answer, Answers
from tests.gateway.backends import PORT
from tests.gateway.control import SYSTEM
from tests.gateway.crew import BOTH, Crew
from tests.kubernetes.stage import KINDS, PERSON, Stage
from tests.waiting import until

ROUTES = {"http": "HTTPRoute", "grpc": "GRPCRoute"}
ROUTE = "checkout"


class Scene(Stage):
    """What stands in one namespace; ``edge`` is where its routes are attached."""

    def __init__(self, crew: Crew, api: KubeApi, namespace: str, edge: str) -> None:
        """Play in ``namespace``."""
        lab = crew.lab
        super().__init__(lab.cluster, api, namespace)
        self.lab = lab
        self.crew = crew
        self.edge = edge

    # backends: each is named as its Service, and answers with its whole name

    def whole(self, name: str) -> str:
        """Return the name with which a backend of this scene answers."""
        return f"{self.namespace}.{name}"

    def behave(self, name: str, **fields: object) -> None:
        """Let a backend behave like this from now on."""
        self.crew.behave(self.whole(name), **fields)

    def backend(self, *names: str) -> None:
        """Start these backends, each behind a Service with one ready endpoint."""
        for name in names:
            self.crew.place(self.whole(name))
            self.cluster.apply(SERVICES.path(self.namespace), objects.service(name, PORT))
            self.ready(name)

    def ready(self, name: str, *, ready: bool = True) -> None:
        """Let the backend's endpoint be ready, or not."""
        address = self.crew.places[self.whole(name)].address
        self._reach(name, [(address, ready)])

    def _reach(self, name: str, addresses: list[tuple[str, bool]]) -> None:
        path, body = ENDPOINT_SLICES.path(self.namespace), objects.endpoint_slice(name, PORT, addresses)
        given = {"apiVersion": ENDPOINT_SLICES.api_version, "kind": ENDPOINT_SLICES.kind, **body}
        applied = f"{path}/{name}-1?fieldManager=kubelet&force=true"
        status, answer = self.cluster.ask("PATCH", applied, given, content="application/apply-patch+yaml")
        assert status in {HTTPStatus.OK, HTTPStatus.CREATED}, answer

    def kill(self, name: str) -> None:
        """Kill the backend; its pod is not ready any more."""
        self.crew.kill(self.whole(name))
        self.ready(name, ready=False)

    def drain(self, name: str) -> None:
        """Let the backend be on its way out: it still answers, and is not ready any more."""
        self.ready(name, ready=False)

    def scale_to_nothing(self, name: str) -> None:
        """Leave the Service without an endpoint, and end the backend."""
        self._reach(name, [])
        self.crew.kill(self.whole(name))

    def revive(self, name: str) -> None:
        """Let the backend be there again, and ready."""
        self.crew.place(self.whole(name))
        self.ready(name)

    # routes

    def routes(self, *rules: Mapping[str, Any], kinds: Sequence[str] = BOTH) -> None:
        """Make the routes of these kinds, all with the same rules."""
        for kind in kinds:
            self._route(ROUTES[kind], ROUTE, host_of(self.namespace, kind), rules)

    def another_route(self, name: str, *rules: Mapping[str, Any]) -> None:
        """Make an HTTPRoute on a host name of its own."""
        self._route("HTTPRoute", name, host_of(self.namespace, name), rules)

    def _route(self, kind: str, name: str, host: str, rules: Sequence[Mapping[str, Any]]) -> None:
        parent = {"name": self.edge, "namespace": SYSTEM}
        document = {
            "apiVersion": KINDS[kind].api_version,
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"parentRefs": [parent], "hostnames": [host], "rules": list(rules)},
        }
        path = f"{KINDS[kind].path(self.namespace)}?fieldManager={PERSON}"
        status, answer = self.cluster.ask("POST", path, document)
        assert status == HTTPStatus.CREATED, answer

    def shares(self, *, rule: int = 0, kinds: Sequence[str] = BOTH) -> list[tuple[float, ...]]:
        """Return the weights of a rule of these routes, in per cent; the floor is nothing."""
        found = []
        for kind in kinds:
            _, route = self.cluster.ask("GET", KINDS[ROUTES[kind]].path(self.namespace, ROUTE))
            weights = [ref.get("weight", 1) for ref in route["spec"]["rules"][rule]["backendRefs"]]
            found.append(tuple(round(100 * weight / sum(weights), 2) for weight in weights))
        return found

    async def manifest(self, name: str = ROUTE, /, **spec: object) -> Document:
        """Make a Rollout of both routes with ``v1`` as stable, unless ``spec`` says otherwise."""
        given: dict[str, object] = {
            "routes": [{"kind": kind, "name": ROUTE} for kind in ROUTES.values()],
            "backends": {"stable": {"name": "v1", "port": PORT}},
            **spec,
        }
        document = {
            "apiVersion": ROLLOUTS.api_version,
            "kind": "Rollout",
            "metadata": {"name": name},
            "spec": given,
        }
        return await self.api.create(ROLLOUTS, document, namespace=self.namespace)

    # clients

    @contextmanager
    def clients(self, *, rate: float = 50, kinds: Sequence[str] = BOTH, path: str = "/pay") -> Iterator[Answers]:
        """Let ``rate`` requests a second of each kind go through the gateway meanwhile."""
        port = self.lab.proxies[self.edge].port
        hosts = {kind: host_of(self.namespace, kind) for kind in kinds}
        with self.crew.clients(hosts, port, rate=rate, path=path) as answers:
            yield answers

    async def warmed(self, name: str, *, seconds: float = 15.0) -> None:
        """Return when the gateway's Envoy has clusters of the backend's own, over each kind, that are in use."""
        proxy = self.lab.proxies[self.edge]
        wanted = [f"service/{self.namespace}/{name}/{PORT}/{kind}::" for kind in BOTH]

        def is_known() -> bool:
            _, text = self.lab.get(proxy.admin_port, "/clusters")
            return all(one in text for one in wanted)

        await until(is_known, seconds=seconds)

    def first_of(self, name: str, answers: Answers, kind: str) -> Answer:
        """Return the first answer of a backend over a kind of route."""
        return answers.first(lambda one: one.who == self.whole(name), kind=kind)

    async def flows(self, answers: Answers, *, kinds: Sequence[str] = BOTH, seconds: float = 20.0) -> None:
        """Return when clients get good answers over each kind: the routes are served. What was before is forgotten."""

        def is_served() -> bool:
            tails = [answers.last(10, kind=kind) for kind in kinds]
            return all(len(tail) == 10 and not any(one.wrong for one in tail) for tail in tails)

        await until(is_served, seconds=seconds)
        answers.forget()


def host_of(namespace: str, kind: str) -> str:
    """Return the host name of a kind of route; each has its own, as routes of two kinds may not share one."""
    return f"{kind}.{namespace}.example"


def refs(*weights: tuple[str, int]) -> dict[str, Any]:
    """Return a rule with these backends and weights."""
    return {"backendRefs": [{"name": name, "port": PORT, "weight": weight} for name, weight in weights]}
