"""The acts and their results."""

from rollout.demo.acts import ACTS, ActName, Outcome
from tests.demo.builders import a_failover_result, a_result, a_service_result


def test_every_name_has_an_act() -> None:
    """The table has an act for each name, in the order of the names."""
    assert list(ACTS) == list(ActName)


def test_act_adds_up_its_services() -> None:
    """Requests and failures of an act are those of both services, its time to weight 0 the longer one."""
    result = a_result()

    assert (result.requests, result.failed, result.bad_to_zero_seconds) == (3200, 16, 4.5)


def test_act_has_an_outcome_when_all_services_agree() -> None:
    """One service promoted and one rolled back is no outcome, and not what was expected."""
    agreed = a_result()
    torn = a_result(a_service_result("shop"), a_service_result("cart", Outcome.PROMOTED, zero=None))

    assert (agreed.outcome, agreed.as_expected) == (Outcome.ROLLED_BACK, True)
    assert (torn.outcome, torn.as_expected) == (None, False)


def test_undecided_act_is_not_as_expected() -> None:
    """An act that did not end in time has no outcome."""
    result = a_result(a_service_result("shop", None, zero=None), a_service_result("cart", None, zero=None))

    assert (result.outcome, result.as_expected, result.bad_to_zero_seconds) == (None, False, None)


def test_takeover_of_an_act_is_the_slower_one() -> None:
    """Of two backups the later first answer counts; an act without a failover has none."""
    assert a_failover_result().backup_seconds == 0.112
    assert a_failover_result(took_seconds=None).backup_seconds == 0.098
    assert a_result().backup_seconds is None
