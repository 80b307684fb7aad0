"""How a backend is probed: by HTTP, gRPC or TCP, plain or with TLS, how often and how patiently."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rollout.spec.base import Model, Text
from rollout.spec.quantities import Port, PositiveDuration, Whole

FILE_ALLOWED = "a file name: letters, digits, - _ and ., no folder"
SERVER_NAME_ALLOWED = "a DNS name or an IP address"

FileName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_.]*$",
        json_schema_extra={"allowed": FILE_ALLOWED},
    ),
]
"""A file in the folder of certificates."""

ServerName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9:]([-A-Za-z0-9.:]*[A-Za-z0-9:])?$",
        json_schema_extra={"allowed": SERVER_NAME_ALLOWED},
    ),
]
"""A name in a certificate."""


class HttpProbe(Model):
    """An HTTP request that must answer 2xx."""

    path: Text = "/"
    """Path of the request."""
    port: Port | None = None
    """Port to ask; absent: the backend's."""
    host: Text | None = None
    """Host header; absent: the address."""


class GrpcProbe(Model):
    """The gRPC health protocol; ``service`` is empty for the whole server."""

    service: Annotated[str, Field(max_length=253)] = ""
    """Name of the service to ask for; empty: the whole server."""
    port: Port | None = None
    """Port to ask; absent: the backend's."""


class TcpProbe(Model):
    """A TCP connection that must open."""

    port: Port | None = None
    """Port to ask; absent: the backend's."""


class ProbeTls(Model):
    """TLS of a probe; files are names in the folder of certificates that the controller is started with."""

    server_name: ServerName | None = None
    """Name that the certificate must have; absent: the Host of the request without its port, else the address."""
    ca: FileName | None = None
    """File of the authorities that are trusted (PEM); absent: those of the system."""
    certificate: FileName | None = None
    """File of the certificate that is shown (PEM); absent: none is."""
    key: FileName | None = None
    """File of its key (PEM), without a password."""


class ProbeSignal(Model):
    """Health by own probes: ``fall`` bad or ``rise`` good answers in a row change it."""

    http: HttpProbe | None = None
    """Ask by HTTP."""
    grpc: GrpcProbe | None = None
    """Ask by the gRPC health protocol."""
    tcp: TcpProbe | None = None
    """Open a TCP connection."""
    tls: ProbeTls | None = None
    """Use TLS; absent: plain text."""
    interval: PositiveDuration = 1.0
    """Time between two probes."""
    timeout: PositiveDuration = 0.5
    """How long an answer may take."""
    fall: Annotated[Whole, Field(ge=1, le=100)] = 3
    """Bad answers in a row that make it Unhealthy."""
    rise: Annotated[Whole, Field(ge=1, le=100)] = 5
    """Good answers in a row that make it Healthy."""
