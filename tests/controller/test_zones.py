"""Whether there is such a time zone."""

import pytest

from rollout.controller.zones import zone_of, zone_problems
from rollout.spec.failover import Failover
from rollout.spec.resource import Rollout
from tests.spec.builders import rollout


def with_zone(name: str) -> Rollout:
    """Return a Rollout whose failover has this time zone."""
    sound = rollout()
    return sound.model_copy(update={"spec": sound.spec.model_copy(update={"failover": Failover(time_zone=name)})})


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_a_time_zone_that_there_is_is_found(name: str) -> None:
    """Names of the IANA database are known."""
    assert zone_of(name) is not None
    assert list(zone_problems(with_zone(name))) == []


@pytest.mark.parametrize("name", ["Europe", "Europe/Atlantis", "Mars"])
def test_what_is_no_time_zone_is_a_problem(name: str) -> None:
    """A folder of time zones is none, nor is a name that nobody has heard of."""
    (problem,) = zone_problems(with_zone(name))

    assert (problem.field, problem.given) == ("spec.failover.timeZone", f'"{name}"')
    assert problem.message.startswith("is no time zone that is known here")


def test_a_name_that_is_nearly_right_gets_a_hint() -> None:
    """The sentence says which one was probably meant."""
    (problem,) = zone_problems(with_zone("Europe/Berlni"))

    assert problem.message == "is no time zone that is known here; did you mean Europe/Berlin?"


def test_without_failover_nobody_asks() -> None:
    """A Rollout without failover has no time zone."""
    assert list(zone_problems(rollout())) == []
