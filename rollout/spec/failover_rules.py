"""Rules over more than one field of a failover, beside ``rollout.spec.admission``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rollout.errors import Problem
from rollout.spec.failover import Failover, Signals
from rollout.spec.metrics import MetricTemplates
from rollout.spec.probe import ProbeSignal, ProbeTls
from rollout.spec.quantities import format_duration, format_fraction
from rollout.spec.sentences import shown
from rollout.spec.traffic import Backends

_LEAST_FOR_FLEET = 2

LEAST_INTERVAL_SECONDS = 0.02
"""More often no target is probed: all Rollouts share one process."""

LEAST_WINDOW_SECONDS = 1.0

_HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,253}")
_PATH = re.compile(r"/[\x21-\x7e]*")


def failover_problems(failover: Failover, *, backends: Backends, metrics: MetricTemplates | None) -> Iterator[Problem]:
    """Yield what is wrong with ``failover`` of a Rollout with these backends and metric templates."""
    if not backends.backups:
        message, allowed = "is needed for failover", "a list of 1 to 8 entries"
        yield Problem("spec.backends.backups", message, given="nothing", allowed=allowed)
    yield from _of_names(backends)
    yield from _of_signals(failover.signals)
    if failover.signals.metrics is not None and metrics is not None and metrics.errors is None:
        message, allowed = "needs metrics.errors of the policy, which has none", "a policy with metrics.errors"
        yield Problem("spec.failover.signals.metrics", message, given="a signal", allowed=allowed)
    signals = _count(failover.signals)
    if failover.fleet_limit is not None and signals < _LEAST_FOR_FLEET:
        message, allowed = "needs two signals, to tell a broken observer", "no fleetLimit, or two signals"
        yield Problem(
            "spec.failover.fleetLimit",
            message,
            given=f"{signals or 'no'} signal{'' if signals == 1 else 's'}",
            allowed=allowed,
        )


def _of_names(backends: Backends) -> Iterator[Problem]:
    stable, canary = backends.names
    roles = {stable: "stable", canary: "canary"}
    for index, backup in enumerate(backends.backups):
        role = roles.setdefault(backup.name, f"backups[{index}]")
        if role != f"backups[{index}]":
            message, allowed = f"is the name of {role} too, and failover tells backends apart by name", "another name"
            yield Problem(f"spec.backends.backups[{index}].name", message, given=backup.name, allowed=allowed)


def _count(signals: Signals) -> int:
    return sum(signal is not None for signal in (signals.endpoints, signals.probe, signals.metrics))


def _of_signals(signals: Signals) -> Iterator[Problem]:
    path, count = "spec.failover.signals", _count(signals)
    if count == 0:
        yield Problem(path, "has no signal", given="nothing", allowed="endpoints, probe or metrics")
    if signals.combine.startswith("Quorum") and signals.combine > f"Quorum({count})":
        allowed = f"at most Quorum({count})"
        yield Problem(f"{path}.combine", "asks for more votes than there are", given=signals.combine, allowed=allowed)
    if signals.probe is not None:
        ways = sum(way is not None for way in (signals.probe.http, signals.probe.grpc, signals.probe.tcp))
        if ways != 1:
            message, allowed = "needs one way to ask", "one of http, grpc and tcp"
            yield Problem(f"{path}.probe", message, given=f"{ways} ways" if ways else "nothing", allowed=allowed)
        yield from _of_probe(f"{path}.probe", signals.probe)
        yield from _of_tls(f"{path}.probe.tls", signals.probe.tls)
    if signals.metrics is not None and signals.metrics.window < LEAST_WINDOW_SECONDS:
        given = format_duration(signals.metrics.window)
        yield Problem(f"{path}.metrics.window", "is too short", given=given, allowed="at least 1s")
    if signals.metrics is not None and signals.metrics.recover_below > signals.metrics.fail_above:
        given = format_fraction(signals.metrics.recover_below)
        allowed = f"at most failAbove ({format_fraction(signals.metrics.fail_above)})"
        yield Problem(f"{path}.metrics.recoverBelow", "is above failAbove", given=given, allowed=allowed)


def _of_probe(path: str, probe: ProbeSignal) -> Iterator[Problem]:
    if probe.interval < LEAST_INTERVAL_SECONDS:
        given = format_duration(probe.interval)
        yield Problem(f"{path}.interval", "is too short", given=given, allowed="at least 20ms")
    http = probe.http
    if http is not None and not _PATH.fullmatch(http.path):
        allowed = "/ and printable ASCII without a space"
        yield Problem(f"{path}.http.path", "is no path", given=shown(http.path), allowed=allowed)
    if http is not None and http.host is not None and not _HOST.fullmatch(http.host):
        given, allowed = shown(http.host), "a name or an address, with a port or without"
        yield Problem(f"{path}.http.host", "is no host", given=given, allowed=allowed)


def _of_tls(path: str, tls: ProbeTls | None) -> Iterator[Problem]:
    if tls is None or (tls.certificate is None) == (tls.key is None):
        return
    given, other = ("certificate", "key") if tls.key is None else ("key", "certificate")
    message, allowed = f"is needed where there is a {given}", "both certificate and key, or none of them"
    yield Problem(f"{path}.{other}", message, given="nothing", allowed=allowed)
