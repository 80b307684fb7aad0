"""What the source of endpoints says when Envoy cannot be asked, or does not know a cluster."""

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import UNKNOWN_ENDPOINTS, BackendKey, Endpoints
from rollout.envoy.admin import AdminClient
from rollout.envoy.health import EnvoyBackendHealth
from tests.envoy.world import EnvoyWorld
from tests.waiting import until

V1 = BackendKey("shop", "v1")


@pytest.mark.real
async def test_an_envoy_that_goes_away_leaves_nothing_known(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """What was ready a moment ago may be gone; subscribers hear of it. Where it was can still be asked."""
    health = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=0.02)
    await health.start()
    try:
        await until(lambda: health.endpoints(V1) == Endpoints(1, 1))
        told: list[BackendKey] = []
        health.subscribe(told.append)
        await envoy.kill()

        await until(lambda: told)
        assert health.endpoints(V1) == UNKNOWN_ENDPOINTS
        assert health.seen(V1).heard_at is None
        assert len(health.targets(V1)) == 1
    finally:
        await health.aclose()


@pytest.mark.real
async def test_a_cluster_that_envoy_does_not_have_is_known_to_be_empty(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """That is knowledge, unlike silence."""
    health = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=0.02)
    await health.start()
    try:
        await until(lambda: health.endpoints(BackendKey("shop", "nobody")) == Endpoints(0, 0, known=True))
    finally:
        await health.aclose()


@pytest.mark.real
async def test_a_first_question_is_answered_before_the_next_round(envoy: EnvoyWorld, admin: AdminClient) -> None:
    """Asking wakes the loop up."""
    health = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=60)
    await health.start()
    try:
        await until(lambda: health.endpoints(V1).known)
    finally:
        await health.aclose()


@pytest.mark.real
async def test_an_envoy_that_starts_knows_nothing_of_what_it_has_not_found(
    envoy: EnvoyWorld, admin: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hosts were not asked yet, which is no reason to fail over."""

    async def starting() -> bool:
        return False

    monkeypatch.setattr(admin, "ready", starting)  # a real one is through with that before anybody can look
    health = EnvoyBackendHealth(admin, SystemClock(), poll_seconds=0.02)
    nobody = BackendKey("shop", "nobody")
    await health.start()
    try:
        await until(lambda: health.endpoints(V1).known)
        assert not health.endpoints(nobody).known
        await until(lambda: not health.endpoints(V1).known)

        assert not health.endpoints(nobody).known
    finally:
        await health.aclose()
