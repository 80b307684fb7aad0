"""The reference stack in the lab: what its tutorial makes before it, the Envoy of its Gateway, and how that is asked.

Called by ``test_reference``, which applies it once for all its facts.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.control import Proxy
from tests.gateway.lab import Lab
from tests.gateway.objects import endpoint_slice
from tests.tools import require

NAMESPACES = ("edge", "shop")
NOBODY = 3000
"""A port at which nothing in the lab listens, at any address."""

Object = dict[str, Any]


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


def asked(port: int, host: str) -> int:
    """Return the status of an answer by TLS, with the name that the listener goes by."""
    name = f"{host}.example.com"
    with connected(port, name) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return int(connection.recv(4096).split()[1])


@contextmanager
def connected(port: int, name: str) -> Iterator[ssl.SSLSocket]:
    """Connect by TLS, with the name that the listener goes by."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        yield connection
