"""Which way a target is asked, by what the signal says."""

from __future__ import annotations

from dataclasses import replace

from rollout.probes.grpc_health import GrpcAsker
from rollout.probes.http import HttpAsker
from rollout.probes.said import Asker
from rollout.probes.tcp import TcpAsker
from rollout.probes.tls import Certificates, Trust
from rollout.signals import Target
from rollout.spec.probe import HttpProbe, ProbeSignal


def asker_for(signal: ProbeSignal, target: Target, certificates: Certificates) -> Asker:
    """Return who asks ``target`` as ``signal`` says: by HTTP, gRPC, or else by opening a connection."""
    port = next((way.port for way in (signal.http, signal.grpc, signal.tcp) if way is not None), None)
    target = target if port is None else replace(target, port=port)
    trust = None
    if signal.tls is not None:
        trust = Trust(certificates, signal.tls, server_name=_server_name(signal.http, target))
    if signal.http is not None:
        return HttpAsker(target, signal.http, trust)
    if signal.grpc is not None:
        return GrpcAsker(target, signal.grpc, trust, timeout_seconds=signal.timeout)
    return TcpAsker(target, trust)


def _server_name(http: HttpProbe | None, target: Target) -> str:
    """Return the name that a certificate must have unless the probe's TLS names another."""
    if http is None or http.host is None:
        return target.address
    host = http.host
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host
