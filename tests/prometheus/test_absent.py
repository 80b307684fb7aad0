"""Where no Prometheus is set, an attempt holds and says so."""

import pytest

from rollout.engine.observation import BackendKey
from rollout.errors import Unavailable
from rollout.ports import Ask
from rollout.prometheus.absent import NoPrometheus

ASK = Ask(
    namespace="shop",
    route="checkout",
    canary=BackendKey("shop", "checkout-v2"),
    stable=BackendKey("shop", "checkout-v1"),
    templates=None,
    errors=True,
    bounds=(),
    queries=(),
    since=0.0,
)


async def test_every_question_is_answered_with_what_is_missing() -> None:
    """The sentence names the setting."""
    with pytest.raises(Unavailable, match="no Prometheus is set"):
        await NoPrometheus().measure(ASK)


def test_nothing_is_kept() -> None:
    """What was never measured needs no checkpoint."""
    assert NoPrometheus().checkpoint(ASK) == {}
