"""Rules over more than one field of a failover, alone and with a policy."""

from typing import Any

import pytest

from rollout.errors import ConfigurationError
from rollout.spec.built_in import built_in_policy
from rollout.spec.failover import Failover
from rollout.spec.merge import effective, examine_policy
from tests.spec.builders import BACKENDS, policy_document, rollout, rollout_document

WHOLE = {
    "mode": "Auto",
    "signals": {
        "endpoints": {"minReadyPercent": 1},
        "probe": {"http": {"path": "/healthz"}, "interval": "1s", "timeout": "500ms", "fall": 3, "rise": 5},
        "metrics": {"failAbove": "20%", "recoverBelow": "5%", "window": "60s", "minSamples": 50},
        "combine": "AnyFails",
        "staleAfter": "10s",
    },
    "strategy": "Switch",
    "overprovisioning": 140,
    "holdOff": "15s",
    "standbyWeight": 0,
    "confirmFor": "2s",
    "allUnhealthy": "Hold",
    "rampUp": [],
    "failback": {
        "mode": "Auto",
        "stableFor": "120s",
        "steps": [10, 50, 100],
        "stepInterval": "30s",
        "holdGrowth": {"factor": 2, "max": "30m"},
        "windows": [],
    },
    "damping": {"cooldown": "60s", "maxFailovers": 3, "per": "10m", "onExceed": "Latch"},
    "fleetLimit": {"maxPercent": 30, "within": "60s", "atLeast": 5},
    "drill": {"schedule": "0 10 * * 2", "percent": 10, "duration": "5m", "blockedWindows": []},
    "verify": {"routeStatus": True, "within": "10s"},
}
WITH_BACKUP = {**BACKENDS, "backups": [{"name": "dr"}]}
REF = {"kind": "RolloutPolicy", "name": "house"}


def said(**failover: object) -> list[str]:
    """Return what is said of a failover with a backup."""
    with pytest.raises(ConfigurationError) as caught:
        rollout(failover=failover, backends=WITH_BACKUP)
    return [str(problem) for problem in caught.value.problems]


def under(policy: object, **spec: object) -> Failover | None:
    """Return the failover of a Rollout whose policy has this one."""
    document = rollout_document(policy=REF, **spec)
    return effective(document, policy_document(failover=policy), built_in_policy()).spec.failover


@pytest.mark.parametrize("failover", [WHOLE, {"signals": {"endpoints": {}, "combine": "Quorum(1)"}}])
def test_a_sound_failover_is_admitted(failover: dict[str, object]) -> None:
    """The whole shape is read, and so is the least that can be said."""
    found = rollout(failover=failover, backends=WITH_BACKUP).spec.failover

    assert found is not None
    assert found.failback.steps == (10, 50, 100)


def test_a_rollout_may_limit_the_fleet_itself() -> None:
    """With two signals the limit may stand in the Rollout as well as in its policy."""
    signals: dict[str, Any] = {"endpoints": {}, "probe": {"tcp": {}}}
    found = rollout(failover={"signals": signals, "fleetLimit": {}}, backends=WITH_BACKUP).spec.failover

    assert found is not None
    assert found.fleet_limit is not None


def test_backups_without_failover_are_fine() -> None:
    """Backups may be named before anything fails over to them."""
    assert len(rollout(backends=WITH_BACKUP).spec.backends.backups) == 1


@pytest.mark.parametrize(
    ("tls", "problems"),
    [
        ({"certificate": "own.pem"}, ["key: is needed where there is a certificate"]),
        ({"key": "own.key"}, ["certificate: is needed where there is a key"]),
    ],
)
def test_a_certificate_and_its_key_come_together(tls: dict[str, str], problems: list[str]) -> None:
    """One without the other cannot be shown."""
    told = said(signals={"probe": {"tcp": {}, "tls": tls}})
    path, allowed = "spec.failover.signals.probe.tls", "both certificate and key, or none of them"

    assert told == [f"{path}.{problem} (given: nothing); allowed: {allowed}" for problem in problems]


@pytest.mark.parametrize("tls", [{}, {"ca": "ca.pem", "serverName": "pay"}, {"certificate": "o.pem", "key": "o.key"}])
def test_other_ways_to_use_tls_are_fine(tls: dict[str, str]) -> None:
    """Authorities and a name need no certificate of one's own."""
    signals: dict[str, Any] = {"probe": {"tcp": {}, "tls": tls}}

    assert rollout(failover={"signals": signals}, backends=WITH_BACKUP).spec.failover is not None


def test_failover_of_a_policy_is_for_those_with_backups() -> None:
    """One policy serves Rollouts with backups, which fail over, and Rollouts without, which do not."""
    policy: dict[str, Any] = {"signals": {"endpoints": {}}}
    found = under(policy, backends=WITH_BACKUP)

    assert found is not None
    assert found.signals.endpoints is not None
    assert under(policy) is None


def test_failover_of_the_rollout_itself_needs_a_backup() -> None:
    """Who asks for failover must say where to."""
    with pytest.raises(ConfigurationError) as caught:
        under({"signals": {"endpoints": {}}}, failover={"mode": "Propose"})

    assert [problem.field for problem in caught.value.problems] == ["spec.backends.backups"]


def test_a_probe_of_the_rollout_displaces_that_of_the_policy() -> None:
    """Another way to ask takes the place of the policy's, and its pace stays."""
    policy: dict[str, Any] = {"signals": {"probe": {"http": {"path": "/healthz"}, "interval": "2s"}}}
    found = under(policy, failover={"signals": {"probe": {"tcp": {}}}}, backends=WITH_BACKUP)

    assert found is not None
    assert found.signals.probe is not None
    assert (found.signals.probe.http, found.signals.probe.interval) == (None, 2.0)


@pytest.mark.parametrize(
    "failover",
    [
        {"damping": {"maxFailovers": 2}},
        {"signals": {"endpoints": {}, "combine": "Quorum(2)"}},
        {"signals": {"probe": {"interval": "2s"}}},
    ],
)
def test_a_policy_may_leave_the_rest_to_its_rollouts(failover: dict[str, object]) -> None:
    """Signals that a Rollout may add are not missed in the policy."""
    assert examine_policy(policy_document(failover=failover), built_in_policy()) == ()


def test_a_policy_limits_the_fleet_only_with_two_signals() -> None:
    """With one signal a broken observer looks like a broken fleet."""
    found = examine_policy(policy_document(failover={"fleetLimit": {}, "signals": {"probe": {"tcp": {}}}}), {})

    assert [problem.field for problem in found] == ["spec.failover.fleetLimit"]
    assert found[0].given == "1 signal"


@pytest.mark.parametrize(
    ("signals", "problem"),
    [
        (
            {"probe": {"tcp": {}, "interval": "1ms"}},
            ".probe.interval: is too short (given: 1ms); allowed: at least 20ms",
        ),
        ({"metrics": {"window": "10ms"}}, ".metrics.window: is too short (given: 10ms); allowed: at least 1s"),
        (
            {"probe": {"http": {"path": "healthz"}}},
            '.probe.http.path: is no path (given: "healthz"); allowed: / and printable ASCII without a space',
        ),
        (
            {"probe": {"http": {"host": "jo:pw@dr"}}},
            '.probe.http.host: is no host (given: "jo:pw@dr"); allowed: a name or an address, with a port or without',
        ),
    ],
)
def test_what_no_probe_could_do_well_is_refused(signals: dict[str, object], problem: str) -> None:
    """Too often for a process that all share, over too short a time, or to nowhere."""
    assert said(signals=signals) == [f"spec.failover.signals{problem}"]
