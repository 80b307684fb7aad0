"""The table of settings: name, type, default and meaning of each, in one place.

``rollout serve`` and ``rollout config`` make their flags from it, the reference is written from it, and
``rollout.settings.reading`` fills it. It knows no source and no file of settings.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from rollout.errors import Problem
from rollout.settings.address import ADDRESS_ALLOWED, Address, parse_address
from rollout.telemetry import LogFormat, LogLevel

TOKENS_FILE = "rollout.tokens"
"""The file of tokens beside the database, unless another is named."""

_MOST_ENTRIES = 64
_URL = re.compile(r"https?://(?:[^/?#@\s]+@)?(?:[A-Za-z0-9][-A-Za-z0-9.]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/\S*)?")
_USER = re.compile(r"(?<=//)[^/?#@\s]+(?=@)")


def _whole(value: object) -> object:
    """Return a number as it is, and one in a text (of a flag or variable) as a number."""
    text = isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value)
    if text or (isinstance(value, int) and not isinstance(value, bool)):
        return int(value)  # type: ignore[call-overload]
    raise ValueError("must be a whole number")


def _url(url: str) -> str:
    if not _URL.fullmatch(url):
        raise ValueError("must be a URL with a host")
    return url


def _admin(url: str) -> str:
    if "@" in url or url.rstrip("/").count("/") > len("//"):
        raise ValueError("must have neither user nor path")
    return url


def _listen(text: str) -> str:
    parse_address(text)
    return text


def _seconds(low: str, high: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "unit": "seconds", "allowed": f"a duration from {low} to {high}, such as 10s"}
    )


_FILE = WithJsonSchema({"type": "string", "allowed": "a path", "shape": "file"})
FilePath = Annotated[Path, _FILE]
Paths = Annotated[tuple[FilePath, ...], Field(max_length=_MOST_ENTRIES)]
HttpUrl = Annotated[
    str,
    Field(max_length=2048),
    AfterValidator(_url),
    WithJsonSchema({"type": "string", "allowed": "an http:// or https:// URL with a host"}),
]
AdminUrl = Annotated[
    HttpUrl,
    AfterValidator(_admin),
    WithJsonSchema({"type": "string", "allowed": "http://host:port or https://host:port"}),
]
Listen = Annotated[str, AfterValidator(_listen), WithJsonSchema({"type": "string", "allowed": ADDRESS_ALLOWED})]
Host = Annotated[
    str,
    Field(
        pattern=r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][-A-Za-z0-9_.]{0,252}|[0-9A-Fa-f:.]+)(:[0-9]{1,5})?$",
        json_schema_extra={"allowed": "a host or host:port"},
    ),
]


Word = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$",
        json_schema_extra={"allowed": "lowercase letters, digits, - and ., at most 253 characters"},
    ),
]
"""A name as Kubernetes has them (RFC 1123 subdomain)."""

Context = Annotated[
    str,
    Field(min_length=1, max_length=253, json_schema_extra={"allowed": "text of at most 253 characters"}),
]


class RuntimeName(StrEnum):
    """Where routes, intent and state are."""

    ENVOY = "envoy"
    KUBERNETES = "kubernetes"


class FailoverSwitch(StrEnum):
    """Whether traffic is failed over by itself."""

    AUTO = "auto"
    STOPPED = "stopped"


class ServeSettings(BaseModel):
    """Everything that ``rollout serve`` lets one choose. Durations are seconds; ``None`` is "not given".

    A field whose name ends in ``_seconds`` is written as a duration and without that ending.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    runtime: RuntimeName = RuntimeName.ENVOY
    """Where routes, intent and state are: in files beside a plain Envoy, or in a Kubernetes cluster."""
    kubeconfig: FilePath | None = None
    """File that says how to reach the cluster. Without it: as kubectl finds it, else the pod's service account."""
    kube_context: Context | None = None
    """Context of the kubeconfig. Without it: its current one."""
    watch_namespace: Word | None = None
    """The one namespace whose Rollouts are run. Without it: those of all namespaces."""
    lease_namespace: Word | None = None
    """Namespace of the Leases by which replicas agree on who acts. Without it: the pod's own, else ``default``."""
    identity: Word | None = None
    """What this replica is called in a Lease; another for each. Without it: the name of the host."""
    lease_seconds: Annotated[float, Field(ge=3, le=300), _seconds("3s", "5m")] = 15.0
    """How long a replica that falls silent is waited for before another acts in its place."""
    shards: Annotated[int, Field(ge=1, le=64), BeforeValidator(_whole)] = 1
    """Over how many Leases Rollouts are spread; the same for all replicas."""
    manifests: FilePath | None = None
    """Folder of Rollout and policy manifests. Without it, Rollouts come by the API alone."""
    rds: Paths = ()
    """An RDS file of Envoy whose named routes may be changed; in runtime envoy at least one, may be given again."""
    admin: AdminUrl = "http://127.0.0.1:9901"
    """Envoy's admin address."""
    database: FilePath = Path("rollout.db")
    """SQLite file for intent and state; made when it is not there."""
    staging: FilePath | None = None
    """Folder for unfinished files: on the filesystem of the RDS files, not watched by Envoy. Without it: one beside
    the folder of each RDS file."""
    prometheus: HttpUrl | None = None
    """Prometheus' address. Without it, runtime envoy reads Envoy's own counters, and runtime kubernetes holds every
    attempt that has something to judge."""
    prometheus_token_file: FilePath | None = None
    """File with a bearer token for Prometheus."""
    prometheus_ca_file: FilePath | None = None
    """File (PEM) with the certificates that Prometheus' own is checked against."""
    tick_seconds: Annotated[float, Field(ge=0.2, le=3600), _seconds("200ms", "1h")] = 10.0
    """How often counters are asked for."""
    gate_hosts: Annotated[tuple[Host, ...], Field(max_length=_MOST_ENTRIES)] = ()
    """A host (or host:port) that gates and hooks may call; may be given again. Addresses that lead to this machine or
    to the network's own services (loopback, link-local) are called only where they are named themselves."""
    gate_secret_file: FilePath | None = None
    """File of the secret (``whsec_`` and base64) that calls of gates and hooks are signed with, after Standard
    Webhooks. A changed file is taken without a restart; two lines sign twice. Without it, calls are not signed."""
    hooks: FilePath | None = None
    """File (YAML) of the hooks by which programs start attempts with a signed call, as CI systems do. Without it,
    there are none."""
    probe_certificates: FilePath | None = None
    """Folder of the certificates, keys and authorities (PEM) that probes of failover may use; Rollouts name files in
    it. A changed file is taken without a restart. Without it, probes with files of their own say nothing."""
    sinks: FilePath | None = None
    """File (YAML) of the sinks that are told of transitions, such as chats and webhooks. Without it nobody is told."""
    failover: FailoverSwitch = FailoverSwitch.AUTO
    """``stopped``: nothing is failed over or back by itself here, whatever the switch of `rollout switch` says."""
    listen: Listen = "127.0.0.1:8686"
    """Where the API listens; ``off``: nowhere. An address that others reach needs TLS."""
    tls_certificate: FilePath | None = None
    """File (PEM) with the API's certificate and those that vouch for it. A changed file is taken without a restart."""
    tls_key: FilePath | None = None
    """File (PEM) with the key of the certificate, not encrypted."""
    tls_client_ca: FilePath | None = None
    """File (PEM) with authorities: whoever connects must then have a certificate of theirs, besides a token."""
    tokens: FilePath | None = None
    """File of the tokens that the API takes (hashes only). Without it: ``rollout.tokens`` beside the database."""
    rate_per_second: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)] = 50
    """How many requests a second a token may send on and on."""
    rate_burst: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(_whole)] = 200
    """How many requests a token may send at once; at least ``rate_per_second``."""
    streams: Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_whole)] = 200
    """How many event streams may be open at one time."""
    log_format: LogFormat = LogFormat.CONSOLE
    """How log lines are written: for people or for programs."""
    log_level: LogLevel = LogLevel.INFO
    """From which level on lines are logged; ``debug`` has every write, too."""

    @property
    def address(self) -> Address | None:
        """Return where the API listens, None when it is off."""
        return parse_address(self.listen)

    @property
    def replica(self) -> str:
        """Return what this replica is called."""
        return self.identity or re.sub(r"[^-a-z0-9.]+", "-", socket.gethostname().lower()).strip("-.") or "rollout"

    @property
    def tokens_file(self) -> Path:
        """Return the file of tokens."""
        return self.tokens if self.tokens is not None else self.database.with_name(TOKENS_FILE)


def rules(settings: ServeSettings) -> Iterator[Problem]:
    """Yield what is wrong between settings that are right one by one; ``field`` is the name in the model."""
    yield from _runtime_rules(settings)
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        lacking = "tls_key" if settings.tls_key is None else "tls_certificate"
        yield Problem(lacking, "is required", given="nothing", allowed="tls_certificate and tls_key together, or none")
    if settings.rate_burst < settings.rate_per_second:
        allowed = f"at least rate_per_second, which is {settings.rate_per_second}"
        yield Problem("rate_burst", "is less than comes in a second", given=str(settings.rate_burst), allowed=allowed)
    address, certificate = settings.address, settings.tls_certificate
    if settings.tls_client_ca is not None and certificate is None:
        yield Problem("tls_client_ca", "needs TLS", given=str(settings.tls_client_ca), allowed="with tls_certificate")
    if settings.hooks is not None and address is None:
        yield Problem("hooks", "needs the API", given=str(settings.hooks), allowed="with listen other than off")
    if address is not None and not address.is_loopback and certificate is None:
        message = "would send tokens over the network without TLS"
        allowed = "a loopback address such as 127.0.0.1:8686, or any with tls_certificate and tls_key"
        yield Problem("listen", message, given=str(address), allowed=allowed)


ONLY_ENVOY = ("manifests", "rds", "admin", "database", "staging", "tokens")
ONLY_KUBERNETES = (
    *("kubeconfig", "kube_context", "watch_namespace", "lease_namespace", "identity"),
    *("lease_seconds", "shards"),
)
"""Settings that mean something in one runtime only."""


def _runtime_rules(settings: ServeSettings) -> Iterator[Problem]:
    """Yield what the runtime lacks, and what another one would need: a setting that does nothing misleads."""
    in_kubernetes = settings.runtime is RuntimeName.KUBERNETES
    for name in ONLY_ENVOY if in_kubernetes else ONLY_KUBERNETES:
        if getattr(settings, name) != ServeSettings.model_fields[name].default:
            allowed = f"with runtime {RuntimeName.ENVOY if in_kubernetes else RuntimeName.KUBERNETES} only"
            given = f"runtime {settings.runtime}"
            yield Problem(name, "means nothing in this runtime", given=given, allowed=allowed)
    if not in_kubernetes and not settings.rds:
        yield Problem("rds", "is required", given="nothing", allowed="the RDS file of Envoy, at least one")


def masked(value: object) -> object:
    """Return the value of a setting as it may be shown: a user and password in a URL are hidden."""
    return _USER.sub("***", value) if isinstance(value, str) else value
