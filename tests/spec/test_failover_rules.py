"""Failover is read whole, checked, and not yet acted on."""

import pytest

from rollout.errors import ConfigurationError
from tests.spec.builders import BACKENDS, rollout

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


@pytest.mark.parametrize("failover", [WHOLE, {"signals": {"endpoints": {}, "combine": "Quorum(1)"}}])
def test_a_sound_failover_is_only_not_yet_available(failover: dict[str, object]) -> None:
    """The whole shape is read; the one thing said is that nothing acts on it yet."""
    with pytest.raises(ConfigurationError) as caught:
        rollout(failover=failover, backends={**BACKENDS, "backups": [{"name": "dr"}]})

    assert [str(problem) for problem in caught.value.problems] == [
        "spec.failover: is not yet available (given: a failover); allowed: no failover"
    ]


def test_backups_without_failover_are_fine() -> None:
    """Backups may be named before anything fails over to them."""
    assert len(rollout(backends={**BACKENDS, "backups": [{"name": "dr"}]}).spec.backends.backups) == 1


@pytest.mark.parametrize(
    ("tls", "problems"),
    [
        ({}, []),
        ({"ca": "ca.pem", "serverName": "pay.internal"}, []),
        ({"certificate": "own.pem", "key": "own.key"}, []),
        ({"certificate": "own.pem"}, ["key: is needed where there is a certificate"]),
        ({"key": "own.key"}, ["certificate: is needed where there is a key"]),
    ],
)
def test_a_certificate_and_its_key_come_together(tls: dict[str, str], problems: list[str]) -> None:
    """One without the other cannot be shown."""
    signals = {"probe": {"tcp": {}, "tls": tls}}
    with pytest.raises(ConfigurationError) as caught:
        rollout(failover={"signals": signals}, backends={**BACKENDS, "backups": [{"name": "dr"}]})
    path, allowed = "spec.failover.signals.probe.tls", "both certificate and key, or none of them"
    told = [str(problem) for problem in caught.value.problems if "not yet available" not in str(problem)]

    assert told == [f"{path}.{problem} (given: nothing); allowed: {allowed}" for problem in problems]
