"""How a service of the demo answers."""

from random import Random

import pytest

from rollout.demo.behaviour import P50_SECONDS, P99_SECONDS, Behaviour, behaviour_from_wire


def _share_above(behaviour: Behaviour, bound_seconds: float) -> float:
    chance = Random(7)
    return sum(behaviour.draw_latency_seconds(chance) > bound_seconds for _ in range(20_000)) / 20_000


def test_good_latency_runs_through_both_quantiles() -> None:
    """Half of a good revision's answers take longer than p50, 1 in 100 longer than p99."""
    good = Behaviour("v1")

    assert _share_above(good, P50_SECONDS) == pytest.approx(0.5, abs=0.02)
    assert _share_above(good, P99_SECONDS) == pytest.approx(0.01, abs=0.003)


def test_slow_revision_stands_out_at_the_first_bound() -> None:
    """Three times slower, most answers take longer than 50 ms; of a good revision hardly any do."""
    assert _share_above(Behaviour("v1"), 0.05) < 0.05
    assert _share_above(Behaviour("v2", latency_factor=3.0), 0.05) > 0.5


def test_good_revision_never_fails() -> None:
    """A revision without a fault draws no error."""
    chance = Random(7)

    assert not any(Behaviour("v1").draw_error(chance) for _ in range(10_000))


def test_error_share_is_kept() -> None:
    """A revision with 5% errors fails 1 in 20 requests."""
    chance = Random(7)
    bad = Behaviour("v2", error_share=0.05)

    assert sum(bad.draw_error(chance) for _ in range(20_000)) == pytest.approx(1000, abs=100)


def test_behaviour_survives_the_wire() -> None:
    """What is written to a service is what it reads."""
    behaviour = Behaviour("v3", 0.2, 3.0)

    assert behaviour_from_wire(behaviour.to_wire()) == behaviour


def test_half_a_behaviour_is_refused() -> None:
    """An order that lacks a field is an error, not a guess."""
    with pytest.raises(KeyError):
        behaviour_from_wire({"revision": "v2"})
