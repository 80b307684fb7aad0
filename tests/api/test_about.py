"""What the service tells of itself: that it lives, whether it is ready, what it is, and who asks."""

from rollout import __version__
from rollout.api.models import Version, WhoAmI
from tests.api.world import NOBODY, world


async def test_it_lives_and_is_ready() -> None:
    """Both answers need no token, and are short."""
    async with world(controlling=False) as api:
        alive = await api.ask("GET", "/healthz", token="")
        ready = await api.ask("GET", "/readyz", token="")

    assert (alive.status, alive.json) == (200, {"status": "alive"})
    assert (ready.status, ready.json) == (200, {"status": "ready"})


async def test_what_is_not_ready_says_why() -> None:
    """Readiness is a problem 503 with the reason; the process still lives, and other calls still answer."""
    async with world(controlling=False, ready="the controller has not looked at every Rollout yet") as api:
        alive = await api.ask("GET", "/healthz", token="")
        ready = await api.ask("GET", "/readyz", token="")
        other = await api.ask("GET", "/api/v1/rollouts")

    assert (alive.status, other.status, ready.status) == (200, 200, 503)
    assert ready.json["detail"] == "the controller has not looked at every Rollout yet"
    assert ready.headers["Retry-After"] == "1"


async def test_version_and_runtime_are_told() -> None:
    """Every known caller may ask what answers."""
    async with world(controlling=False) as api:
        reply = await api.ask("GET", "/api/v1/version", token=NOBODY)

    assert Version.model_validate(reply.json) == Version(version=__version__, runtime="envoy")


async def test_callers_are_told_who_they_are() -> None:
    """Every known caller may ask under which name and with which roles."""
    async with world(controlling=False) as api:
        reply = await api.ask("GET", "/api/v1/whoami", token=NOBODY)

    assert WhoAmI.model_validate(reply.json) == WhoAmI(name="nora", roles=["none"])
