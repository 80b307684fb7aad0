"""People and programs of a real cluster: service accounts with tokens, and what RBAC lets them do with Rollouts."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import time
from collections.abc import Mapping
from typing import Any

from rollout.kube.access import AccessOptions, KubeAccess
from rollout.kube.api import KubeApi
from rollout.tokens.roles import Role
from tests.fakes.clock import FakeClock
from tests.kubernetes.cluster import Cluster

KEPT_SECONDS = AccessOptions().kept_seconds
ANSWER_SECONDS = 2.0
RBAC_VERSION = "rbac.authorization.k8s.io/v1"
RBAC = f"/apis/{RBAC_VERSION}"
VERBS = {Role.VIEWER: ["get", "list", "watch"], Role.OPERATOR: ["get", "list", "watch", "update", "patch"]}
ISSUER = "https://localhost"
"""Who makes the tokens, as ``Cluster`` tells the API server."""


class People:
    """Those of one namespace, as ``access`` knows them by a clock that stands still."""

    def __init__(self, cluster: Cluster, namespace: str, api: KubeApi) -> None:
        """Begin without anybody; ``api`` is the door to the one who is asked."""
        self.cluster = cluster
        self.namespace = namespace
        self.clock = FakeClock()
        self.access = KubeAccess(api, self.clock, AccessOptions(answer_seconds=ANSWER_SECONDS))

    @property
    def _accounts(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/serviceaccounts"

    def account(self, name: str) -> str:
        """Make a service account and return its user's name."""
        self.cluster.apply(self._accounts, {"metadata": {"name": name}})
        return f"system:serviceaccount:{self.namespace}:{name}"

    def token(self, name: str) -> str:
        """Return a token that the API server makes for the account."""
        status, answer = self.cluster.ask("POST", f"{self._accounts}/{name}/token", {"spec": {}})
        assert status == 201, answer
        token: str = answer["status"]["token"]
        return token

    def signed(self, name: str, *, expires_in_seconds: float) -> str:
        """Return a token of the account as the API server would have made it, good until then (or past that)."""
        _, account = self.cluster.ask("GET", f"{self._accounts}/{name}")
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": [ISSUER],
            "sub": f"system:serviceaccount:{self.namespace}:{name}",
            "iat": now - 7200,
            "nbf": now - 7200,
            "exp": int(now + expires_in_seconds),
            "kubernetes.io": {
                "namespace": self.namespace,
                "serviceaccount": {"name": name, "uid": account["metadata"]["uid"]},
            },
        }
        kid = json.loads(base64.urlsafe_b64decode(_padded(self.token(name).split(".")[0])))["kid"]
        said = f"{_coded({'alg': 'RS256', 'kid': kid})}.{_coded(claims)}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.cluster.folder / "sa.key")]
        made = subprocess.run(command, input=said.encode(), check=True, capture_output=True, timeout=30)
        return f"{said}.{_encoded(made.stdout)}"

    def remove(self, name: str) -> None:
        """Delete the account, and with it its tokens."""
        self.cluster.ask("DELETE", f"{self._accounts}/{name}")

    def grant(self, name: str, role: Role, *, everywhere: bool = False) -> None:
        """Let the account do with Rollouts of the namespace (or of all) what ``role`` does."""
        self.bind(
            name, {"apiGroups": ["rollout.dev"], "resources": ["rollouts"], "verbs": VERBS[role]}, everywhere=everywhere
        )

    def withdraw(self, name: str) -> None:
        """Take back what was granted in the namespace."""
        self.cluster.ask("DELETE", f"{RBAC}/namespaces/{self.namespace}/rolebindings/{name}")

    async def settled(self, name: str, verb: str, *, allowed: bool) -> None:
        """Return when the API server has noticed what was granted or taken back."""
        attributes = {"group": "rollout.dev", "resource": "rollouts", "verb": verb, "namespace": self.namespace}
        spec = {"user": f"system:serviceaccount:{self.namespace}:{name}", "resourceAttributes": attributes}
        await self._until("authorization.k8s.io", "SubjectAccessReview", spec, allowed=allowed)

    async def unknown(self, token: str) -> None:
        """Return when the API server knows the token no more; it may know it for ten seconds from its own cache."""
        await self._until("authentication.k8s.io", "TokenReview", {"token": token}, authenticated=False)

    async def _until(self, group: str, kind: str, spec: Mapping[str, object], **status: bool) -> None:
        path, document = f"/apis/{group}/v1/{kind.lower()}s", {"kind": kind, "apiVersion": f"{group}/v1", "spec": spec}
        async with asyncio.timeout(20):
            while True:
                _, answer = await asyncio.to_thread(self.cluster.ask, "POST", path, document)
                if all(bool(answer["status"].get(field)) == wanted for field, wanted in status.items()):
                    return
                await asyncio.sleep(0.05)

    def bind(self, name: str, rule: dict[str, Any], *, everywhere: bool = False) -> None:
        """Let the account do what ``rule`` says in the namespace, or in all."""
        unique = f"{self.namespace}-{name}" if everywhere else name
        place, cluster = (RBAC, "Cluster") if everywhere else (f"{RBAC}/namespaces/{self.namespace}", "")
        role = {"apiVersion": RBAC_VERSION, "kind": f"{cluster}Role", "metadata": {"name": unique}, "rules": [rule]}
        self.cluster.apply(f"{place}/{cluster.lower()}roles", role)
        binding = {
            "apiVersion": RBAC_VERSION,
            "kind": f"{cluster}RoleBinding",
            "metadata": {"name": unique},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": f"{cluster}Role", "name": unique},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.namespace}],
        }
        self.cluster.apply(f"{place}/{cluster.lower()}rolebindings", binding)


def _coded(told: object) -> str:
    return _encoded(json.dumps(told).encode())


def _encoded(told: bytes) -> str:
    return base64.urlsafe_b64encode(told).rstrip(b"=").decode()


def _padded(told: str) -> str:
    return told + "=" * (-len(told) % 4)
