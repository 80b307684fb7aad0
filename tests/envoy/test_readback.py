"""Whether Envoy took a version, out of looks from before and after."""

import pytest

from rollout.engine.observation import Acceptance
from rollout.envoy.readback import Subscription, verdict


def sub(version: str, refused: int = 0, *, owner: str = "http.ingress.rds.edge") -> Subscription:
    """Return one listener's use of the routes."""
    return Subscription(owner, version, refused)


def test_the_served_version_is_accepted() -> None:
    """Old refusals do not matter then."""
    assert verdict(["edge"], "2", before=None, now={"edge": (sub("2", 7),)}) == (Acceptance.ACCEPTED, "")


def test_another_version_is_pending() -> None:
    """Both versions are named."""
    acceptance, message = verdict(["edge"], "2", before={"edge": (sub("1"),)}, now={"edge": (sub("1"),)})

    assert acceptance is Acceptance.PENDING
    assert "serves version 1 of the route configuration edge, not yet 2" in message


def test_one_more_refusal_is_a_refusal() -> None:
    """The counter grew since the look before, and the version is not served."""
    acceptance, message = verdict(["edge"], "2", before={"edge": (sub("1", 3),)}, now={"edge": (sub("1", 4),)})

    assert acceptance is Acceptance.REFUSED
    assert "goes on with version 1" in message


def test_a_restart_of_envoy_starts_the_counters_anew() -> None:
    """One refusal after it is one more, although it was three before."""
    acceptance, _ = verdict(["edge"], "2", before={"edge": (sub("1", 3),)}, now={"edge": (sub("", 1),)})

    assert acceptance is Acceptance.REFUSED


@pytest.mark.parametrize("now", [{}, {"edge": ()}, {"other": (sub("2"),)}])
def test_routes_that_no_listener_uses_are_pending(now: dict[str, tuple[Subscription, ...]]) -> None:
    """Nobody can serve them."""
    acceptance, message = verdict(["edge"], "2", before={}, now=now)

    assert acceptance is Acceptance.PENDING
    assert "no listener" in message


def test_every_listener_must_serve_it() -> None:
    """One that is late makes it pending."""
    now = {"edge": (sub("2"), sub("1", owner="http.second.rds.edge"))}

    assert verdict(["edge"], "2", before={}, now=now)[0] is Acceptance.PENDING


def test_a_refusal_outweighs_what_is_pending() -> None:
    """With two route configurations in one file."""
    now = {"edge": (sub("1"),), "inner": (sub("1", 1, owner="http.inner.rds.inner"),)}

    assert verdict(["edge", "inner"], "2", before={}, now=now)[0] is Acceptance.REFUSED
