"""Facts about a blind controller: what it sees stands still and grows old, and a new life sees again."""

from pathlib import Path
from typing import Any

from rollout.rehearsal.outcome import Outcome
from tests.rehearsal.builders import CANARY, STABLE, START, manifest, phases, play

BACKUP = "checkout-dr"
DEAD = {"backend": STABLE, "ready": "0/2"}


def failing_over(**failover: object) -> dict[str, Any]:
    """Return the manifest of a Rollout with failover by endpoints, and one backup."""
    backends = {name: {"name": each, "port": 8080} for name, each in (("stable", STABLE), ("canary", CANARY))}
    backups = [{"name": BACKUP, "port": 8080}]
    return manifest(backends={**backends, "backups": backups}, failover={"signals": {"endpoints": {}}, **failover})


def moves(folder: Path, *events: dict[str, Any], **failover: object) -> tuple[Outcome, list[float]]:
    """Return what came of it, and when all was written to the backup."""
    outcome = play(folder, *events, rollout=failing_over(**failover))
    return outcome, [write["at"] for write in outcome.writes if write["weights"][BACKUP] == 100]


def test_it_sees_again_when_it_is_told_to(tmp_path: Path) -> None:
    """The fault of 20 s is acted on at 60 s."""
    _, [at] = moves(
        tmp_path, {"at": "10s", "controller": "blind"}, {"at": "20s", **DEAD}, {"at": "60s", "controller": "seeing"}
    )

    assert 60 <= at <= 63


def test_a_restart_sees_again(tmp_path: Path) -> None:
    """At 60.5 s it is back."""
    _, [at] = moves(
        tmp_path, {"at": "10s", "controller": "blind"}, {"at": "20s", **DEAD}, {"at": "60s", "controller": "restart"}
    )

    assert 60.5 <= at <= 64


def test_one_that_comes_back_blind_knows_nothing(tmp_path: Path) -> None:
    """It has no routes to decide on, so it records nothing either, until it sees."""
    away = ({"at": "9s", "controller": "restart"}, {"at": "9200ms", "controller": "blind"})
    outcome, [at] = moves(tmp_path, *away, {"at": "20s", **DEAD}, {"at": "60s", "controller": "seeing"})

    assert [said.at for said in outcome.said if 9 < said.at < 60] == []
    assert 60 <= at <= 63


def test_what_was_heard_is_known_for_half_a_minute(tmp_path: Path) -> None:
    """Then nobody can tell, which is told."""
    outcome, _ = moves(tmp_path, {"at": "10s", "controller": "blind"})
    [told] = [made["at"] for made in outcome.transitions if made["reason"] == "HealthUnknown"]

    assert 40 <= told <= 41


def test_metrics_stand_still_with_it(tmp_path: Path) -> None:
    """An attempt that sees no new samples is not advanced, and goes on when it sees."""
    outcome = play(tmp_path, START, {"at": "5s", "controller": "blind"}, {"at": "3m", "controller": "seeing"})
    [second] = [made["at"] for made in outcome.transitions if made["step"] == 2 and made["phase"] == "Progressing"]

    assert second > 180
    assert phases(outcome)[0] == ("Progressing", 1, "Started")


def test_its_own_writes_are_seen(tmp_path: Path) -> None:
    """A write is answered with the route as it is then, so that it is not written again and again."""
    outcome = play(
        tmp_path, {"at": "5s", "controller": "blind"}, {**START, "at": "6s"}, {"at": "20s", "command": "abort"}
    )

    assert [write["weights"][CANARY] for write in outcome.writes] == [10, 0]


def test_the_operator_stops_everything(tmp_path: Path) -> None:
    """And lets it go on at 60 s."""
    outcome, [at] = moves(
        tmp_path, {"at": "5s", "failover": "stopped"}, {"at": "10s", **DEAD}, {"at": "60s", "failover": "auto"}
    )

    assert 60 <= at <= 61
    assert "FailoverStopped" in [made["reason"] for made in outcome.transitions]


def test_a_backend_that_rests_on_purpose_is_no_failure(tmp_path: Path) -> None:
    """The traffic moves all the same, and it is said why."""
    annotations = {"rollout.dev/maintenance": STABLE}
    outcome, [_] = moves(tmp_path, {"at": "5s", "annotations": annotations}, {"at": "10s", **DEAD, "ready": "0/0"})

    assert "PrimaryScaledToZero" in [made["reason"] for made in outcome.transitions]
    assert outcome.final["failover"].get("failovers", []) == []


def test_a_transition_carries_where_failover_stood(tmp_path: Path) -> None:
    """Phase, active backup and number; null without failover."""
    outcome, _ = moves(tmp_path, {"at": "10s", **DEAD})
    without = play(tmp_path, START)

    assert [made["failover"] for made in outcome.transitions] == [
        {"phase": "Confirming", "active": "", "epoch": 0},
        {"phase": "FailedOver", "active": BACKUP, "epoch": 1},
    ]
    assert {made["failover"] for made in without.transitions} == {None}
    assert without.final["failover"]["phase"] == "Normal"
