"""Rollouts over the API: list, read, apply, delete."""

from tests.api.world import world


async def test_an_applied_rollout_can_be_read() -> None:
    """What was applied is answered with its status, and its version as ETag."""
    async with world() as api:
        applied = await api.apply()
        await api.standing()
        read = await api.ask("GET", "/api/v1/rollouts/shop/web")

    assert applied.status == 201, applied.content
    assert applied.json["outcome"] == "created"
    assert read.json["status"]["phase"] == "Idle"
    assert read.headers["ETag"] == f'"{read.json["metadata"]["resourceVersion"]}"'
