"""What must be true of failover, number by number: the figures of the stories that show it.

The table in ``tests.stories`` says where else a statement is shown. The timelines beside the stories say the rest.
"""

from itertools import pairwise

import pytest

from tests.stories.played import (
    AWAY,
    BACKUP,
    CANARY,
    HOME,
    STABLE,
    condition,
    on_backups,
    played,
    stages,
    told,
    writes,
)

CONFIRM = 2.0
A_PASS = 1.0
SCRAPE = 10.0
WRITTEN = 0.1
"""How long a record and a write take in a rehearsal, generously."""


def test_01_one_write_when_all_endpoints_go() -> None:
    """Primary 0, backup all, within confirmFor + 1 s of the fault at 10 s; no second write in the next minute."""
    [(at, weights)] = writes(played("failover-01-all-endpoints-go-and-one-write-follows"))

    assert weights == AWAY
    assert 10 + CONFIRM <= at <= 10 + CONFIRM + 1


def test_01_a_rollout_for_failover_alone() -> None:
    """The same without a canary, and all of it returns."""
    found = writes(played("failover-01-a-rollout-for-failover-alone"))

    assert [weights[BACKUP] for _, weights in found] == [100, 90, 50, 0]
    assert all(set(weights) == {STABLE, BACKUP} for _, weights in found)
    assert 10 + CONFIRM <= found[0][0] <= 10 + CONFIRM + 1


def test_02_ready_pods_that_answer_500() -> None:
    """After three probes and confirmFor; the status names the probe and what it was answered."""
    outcome = played("failover-02-ready-pods-that-answer-500")
    [(at, weights)] = writes(outcome)
    [flip] = told(outcome, "FailedOver")

    assert weights == AWAY
    assert 10 + 2 + CONFIRM <= at <= 10 + 3 + CONFIRM + A_PASS
    assert "probe: 0 of 4 targets healthy and checkout-v1-0:8080 answered 500, 500, 500" in flip["message"]


def test_03_every_request_fails() -> None:
    """Within a fifth of the window and a scrape and a pass, after which it is confirmed."""
    [(at, weights)] = writes(played("failover-03-every-request-fails"))

    assert weights == AWAY
    assert 62 + 60 / 5 <= at <= 62 + 60 / 5 + SCRAPE + CONFIRM + A_PASS


def test_03_forty_failures_are_too_few() -> None:
    """Nothing is written where fifty requests are asked for."""
    outcome = played("failover-03-forty-failures-are-too-few")

    assert not outcome.writes
    assert 80 <= outcome.requests[STABLE]["bad"] <= 160


def test_04_two_bad_probes_and_a_good_one_for_ever() -> None:
    """Nothing is written, and nothing is even suspected."""
    outcome = played("failover-04-two-bad-probes-and-a-good-one-for-ever")

    assert not outcome.writes
    assert not told(outcome, "PrimaryDown")


@pytest.mark.parametrize("mode", ["down", "slow", "empty", "nan"])
def test_05_prometheus_does_not_answer(mode: str) -> None:
    """Nothing is written until endpoints tell of a fault, at 180 s; a condition names the signal."""
    outcome = played(f"failover-05-prometheus-{mode}")
    [(at, weights)] = writes(outcome)
    ready = condition(outcome, "FailoverReady")

    assert weights == AWAY
    assert 180 + CONFIRM <= at <= 180 + CONFIRM + A_PASS
    assert (ready["status"], ready["reason"]) == ("False", "SignalUnavailable")


def test_05_nothing_but_a_prometheus_that_is_down() -> None:
    """Nothing is written, and the condition says so."""
    outcome = played("failover-05-nothing-but-a-prometheus-that-is-down")
    ready = condition(outcome, "FailoverReady")

    assert not outcome.writes
    assert ready["status"] == "False"


def test_06_the_backup_is_dead_too() -> None:
    """No write for as long, told once; within a second of the backup's return, at 100 s, a flip."""
    outcome = played("failover-06-the-backup-is-dead-too")
    [(at, weights)] = writes(outcome)

    assert weights == AWAY
    assert 100 <= at <= 100 + A_PASS
    assert len(told(outcome, "NoHealthyBackup")) == 1


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("hold", [AWAY]),
        ("preferprimary", [AWAY, HOME]),
        ("spread", [AWAY, {STABLE: 50, CANARY: 0, BACKUP: 50}]),
    ],
)
def test_07_all_are_unhealthy(name: str, shares: list[dict[str, int]]) -> None:
    """What allUnhealthy asks for and nothing else, never all zero."""
    outcome = played(f"failover-07-all-are-unhealthy-and-{name}")
    until = [weights for at, weights in writes(outcome) if at < 119]

    assert len(until) == len(shares)
    assert all(sum(weights.values()) == 100 for _, weights in writes(outcome))
    assert until[0] == shares[0]
    assert until[-1] == shares[-1]


def test_08_ordered_backups() -> None:
    """To the near one, then the far one, back to the near one after 120 s of health, then home after 120 s."""
    outcome = played("failover-08-ordered-backups")
    done = told(outcome, "FailedBack")
    over = [made["failover"]["active"] for made in told(outcome, "FailedOver")]

    assert over == ["checkout-near", "checkout-far"]
    assert [made["failover"]["active"] for made in done] == ["checkout-near", ""]
    assert done[0]["at"] == pytest.approx(60 + 120 + 2 * 30 + 30, abs=A_PASS)
    assert done[1]["at"] == pytest.approx(300 + 120 + 2 * 30 + 30, abs=A_PASS)


@pytest.mark.parametrize("strategy", ["switch", "spill"])
def test_09_a_rolling_update(strategy: str) -> None:
    """Nothing is written."""
    assert not played(f"failover-09-a-rolling-update-in-{strategy}").writes


def test_09_a_lasting_partial_loss_spills() -> None:
    """After holdOff, as Envoy's formula has it: 70 % stay."""
    [(at, weights)] = writes(played("failover-09-a-lasting-partial-loss-spills"))

    assert weights == {STABLE: 70, CANARY: 0, BACKUP: 30}
    assert 25 <= at <= 25 + A_PASS


def test_10_failback_ramps() -> None:
    """After 120 s of health 10, 50 and 100 % return, 30 s apart."""
    [_, *back] = on_backups(played("failover-10-failback-ramps"))

    assert [weight for _, weight in back] == [90, 50, 0]
    assert [at for at, _ in back] == [pytest.approx(20 + 120 + 30 * step, abs=A_PASS) for step in range(3)]


def test_10_a_failback_that_breaks() -> None:
    """Back at once; 120, 240 and 300 s of health are waited for, no more than the maximum."""
    outcome = played("failover-10-a-failback-that-breaks")
    broke = [made["at"] for made in told(outcome, "FailbackBroke")]
    began = [made["at"] for made in told(outcome, "FailingBack") if "began" in made["message"]]
    returned = [at for at, weight in on_backups(outcome) if weight == 100][1:]

    assert broke == [pytest.approx(at, abs=WRITTEN) for at in (150, 440, 820)]
    assert returned == [pytest.approx(at, abs=WRITTEN) for at in (150, 440, 820)]
    assert began == [pytest.approx(at, abs=A_PASS) for at in (20 + 120, 160 + 240, 450 + 300, 830 + 300)]
    assert stages(outcome)[-1] == "Normal"


def test_11_propose_waits_for_a_number() -> None:
    """Nothing is written before the right number is named; wrong ones are refused."""
    outcome = played("failover-11-propose-waits-for-a-number")
    [(over_at, over), (back_at, _), *_] = writes(outcome)

    assert [refused["reason"] for refused in outcome.refused] == ["OldNumber", "OldNumber"]
    assert over == AWAY
    assert over_at == pytest.approx(30, abs=WRITTEN)
    assert back_at == pytest.approx(220, abs=WRITTEN)
    assert outcome.final["failover"]["phase"] == "Normal"


def test_12_a_primary_that_flaps() -> None:
    """Three failovers within ten minutes, the third one latched, and no write until it is cleared at 510 s."""
    outcome = played("failover-12-a-primary-that-flaps")
    over = [made for made in outcome.transitions if made["reason"] in {"FailedOver", "Latched"}]
    latched = over[2]["at"]

    assert [made["reason"] for made in over[:3]] == ["FailedOver", "FailedOver", "Latched"]
    assert not [at for at, _ in writes(outcome) if latched + WRITTEN < at < 510]
    assert [made["at"] for made in told(outcome, "Unlatched")] == [pytest.approx(510, abs=WRITTEN)]


def test_12_flapping_with_the_defaults() -> None:
    """One failover, and no way back."""
    assert [weights for _, weights in writes(played("failover-12-flapping-with-the-defaults"))] == [AWAY]


def test_13_a_start_with_slow_caches() -> None:
    """Nothing is written after the first failover, for as long as nothing is seen."""
    outcome = played("failover-13-a-start-with-slow-caches")
    before = [weights for at, weights in writes(outcome) if at < 120]

    assert before == [AWAY]


def test_13_a_restart_in_the_middle_of_a_failback() -> None:
    """Each step once, and each lasts as long as it should."""
    back = on_backups(played("failover-13-a-restart-in-the-middle-of-a-failback"))[1:]

    assert [weight for _, weight in back] == [90, 50, 0]
    assert [after - before for (before, _), (after, _) in pairwise(back)] == [pytest.approx(30, abs=A_PASS)] * 2


def test_14_blind_for_minutes() -> None:
    """Nothing is written before it sees again, at 240 s; then soon."""
    [(at, weights)] = writes(played("failover-14-blind-for-minutes"))

    assert weights == AWAY
    assert 240 <= at <= 240 + CONFIRM + A_PASS


def test_14_what_was_down_before_is_up_again() -> None:
    """Nothing is written, ever."""
    assert not played("failover-14-what-was-down-before-is-up-again").writes


def test_14_no_probe_can_be_sent() -> None:
    """Nothing is written, and a condition says that nobody can tell."""
    outcome = played("failover-14-no-probe-can-be-sent")

    assert not outcome.writes
    assert len(told(outcome, "HealthUnknown")) == 1


def test_14_the_api_is_gone_for_minutes() -> None:
    """One write, soon after the return at 180 s."""
    [(at, weights)] = writes(played("failover-14-the-api-is-gone-for-minutes"))

    assert weights == AWAY
    assert 180 <= at <= 180 + 5


def test_15_weights_reset_again_and_again() -> None:
    """Put back each time, with gaps that grow from 1 s to 60 s, and told once, naming who it was."""
    outcome = played("failover-15-weights-reset-again-and-again")
    repairs = [at for at, weights in writes(outcome)[1:]]
    gaps = [after - before for before, after in pairwise(repairs)]
    conflict = condition(outcome, "OwnershipConflict")
    [once] = told(outcome, "OwnershipConflict")

    assert all(weights == AWAY for _, weights in writes(outcome))
    assert repairs[0] <= 20 + A_PASS
    assert all(before <= after + A_PASS for before, after in pairwise(gaps))
    assert gaps[-1] == pytest.approx(60, abs=3)
    assert "kubectl-edit" in once["message"]
    assert conflict["status"] == "True"
    assert "kubectl-edit" in conflict["message"]


def test_15_a_conflict_at_every_write() -> None:
    """The failover is written all the same, within confirmFor + 1 s."""
    [(at, weights)] = writes(played("failover-15-a-conflict-at-every-write"))

    assert weights == AWAY
    assert at <= 10 + CONFIRM + 1


def test_16_thirty_five_routes() -> None:
    """One transition that is told, 35 writes within two seconds of it."""
    outcome = played("failover-16-thirty-five-routes")
    [flip] = told(outcome, "FailedOver")

    assert len({write["route"] for write in outcome.writes}) == len(outcome.writes) == 35
    assert all(weights == AWAY and at <= flip["at"] + 2 for at, weights in writes(outcome))


def test_18_the_gateway_does_not_follow() -> None:
    """Told within verify.within of the write, once, and written once."""
    outcome = played("failover-18-the-gateway-does-not-follow")
    [(at, _)] = writes(outcome)
    [late] = told(outcome, "Ineffective")

    assert at + 10 <= late["at"] + WRITTEN <= at + 10 + A_PASS
    assert condition(outcome, "FailoverReady")["reason"] == "Ineffective"


def test_19_a_drill() -> None:
    """10 % from 07:10:00 (200 s) on for two minutes; it succeeded."""
    outcome = played("failover-19-a-drill")

    assert [weight for _, weight in on_backups(outcome)] == [10, 0]
    assert [at for at, _ in on_backups(outcome)] == [pytest.approx(at, abs=A_PASS) for at in (200, 320)]
    assert outcome.final["failover"]["drilled"]["result"] == "SUCCEEDED"


def test_19_errors_on_the_backup_end_a_drill() -> None:
    """At 240 s, at once."""
    outcome = played("failover-19-errors-on-the-backup-end-a-drill")

    assert [weight for _, weight in on_backups(outcome)] == [10, 0]
    assert on_backups(outcome)[1][0] == pytest.approx(240, abs=WRITTEN)
    assert outcome.final["failover"]["drilled"]["result"] == "ABORTED"


def test_19_a_real_failure_ends_a_drill() -> None:
    """From 10 % to all of it, after confirmFor."""
    outcome = played("failover-19-a-real-failure-ends-a-drill")

    assert [weight for _, weight in on_backups(outcome)] == [10, 100]
    assert on_backups(outcome)[1][0] == pytest.approx(240 + CONFIRM, abs=WRITTEN)
    assert outcome.final["failover"]["drilled"]["result"] == "ABORTED"


@pytest.mark.parametrize(
    ("story", "why"),
    [
        ("in-a-blocked-window", "the time is blocked for drills"),
        ("during-an-attempt", "an attempt is under way"),
        ("onto-a-backup-that-is-not-whole", "checkout-dr is not whole"),
    ],
)
def test_19_no_drill(story: str, why: str) -> None:
    """It is skipped, and why is recorded; the backup gets nothing."""
    outcome = played(f"failover-19-no-drill-{story}")
    drilled = outcome.final["failover"]["drilled"]

    assert not any(weight for _, weight in on_backups(outcome))
    assert (drilled["result"], drilled["why"]) == ("SKIPPED", why)


def test_20_the_primary_dies_during_an_attempt() -> None:
    """The rule goes to the backup and back to 75/25; the step's hold time stood still meanwhile."""
    outcome = played("failover-20-the-primary-dies-during-an-attempt")
    [first, away, *back] = [weights for _, weights in writes(outcome)]
    second = next(made["at"] for made in outcome.transitions if made["step"] == 2)
    returned = told(outcome, "FailedBack")[0]["at"]

    assert first == {STABLE: 75, CANARY: 25, BACKUP: 0}
    assert away == AWAY
    assert back[2] == first
    assert second == pytest.approx(returned + 60 - 30, abs=A_PASS + SCRAPE)
    assert outcome.final["phase"] == "Idle"


def test_20_only_the_canary_dies() -> None:
    """Aborted within milliseconds of the fault at 40 s; no failover."""
    outcome = played("failover-20-only-the-canary-dies")

    assert [weights for _, weights in writes(outcome)] == [{STABLE: 75, CANARY: 25, BACKUP: 0}, HOME]
    assert writes(outcome)[-1][0] == pytest.approx(40, abs=WRITTEN)
    assert outcome.final["phase"] == "Aborted"
    assert outcome.final["failover"]["phase"] == "Normal"


def test_20_the_primary_dies_and_no_backup_is_healthy() -> None:
    """Nothing is written after the first step, and it is said that the canary carries all."""
    outcome = played("failover-20-the-primary-dies-and-no-backup-is-healthy")
    meanwhile = [said.reason for said in outcome.said if 42 < said.at < 120]

    assert [weights for at, weights in writes(outcome) if at < 120] == [{STABLE: 75, CANARY: 25, BACKUP: 0}]
    assert "CanaryCarriesAll" in meanwhile
