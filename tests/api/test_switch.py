"""The operator's switch over the API."""

import pytest

from rollout.controller.switch import AUTOMATIC, BY_SETTING
from tests.api.world import NOBODY, OPERATOR, VIEWER, world

PATH = "/api/v1/failover"


async def test_at_first_nothing_is_stopped() -> None:
    """Whoever has a token may see how it stands."""
    async with world() as api:
        reply = await api.ask("GET", PATH, token=NOBODY)

    assert reply.json == {
        "stopped": False,
        "message": AUTOMATIC,
        "by": "",
        "since": None,
        "reason": "",
        "setting": "auto",
    }


async def test_an_operator_stops_and_releases_failover() -> None:
    """Each turn answers how it stands then, and so does whoever asks later."""
    async with world() as api:
        stopped = (await api.ask("PUT", PATH, json={"stopped": True, "reason": "maintenance of the mesh"})).json
        seen = (await api.ask("GET", PATH, token=VIEWER)).json
        released = (await api.ask("PUT", PATH, json={"stopped": False})).json

    assert (stopped["stopped"], stopped["by"], stopped["reason"]) == (True, "olga", "maintenance of the mesh")
    assert stopped["message"].startswith("Failover is stopped by olga since ")
    assert seen == stopped
    assert (released["stopped"], released["by"], released["reason"]) == (False, "olga", "")


async def test_the_same_call_again_changes_nothing() -> None:
    """A client that lost the answer may ask again."""
    async with world() as api:
        first = await api.ask("PUT", PATH, json={"stopped": True})
        again = await api.ask("PUT", PATH, json={"stopped": True})

    assert again.json == first.json


@pytest.mark.parametrize("token", [VIEWER, NOBODY])
async def test_who_may_not_update_all_rollouts_may_not_turn_it(token: str) -> None:
    """The switch is for all namespaces."""
    async with world() as api:
        reply = await api.ask("PUT", PATH, json={"stopped": True}, token=token)
        seen = await api.ask("GET", PATH)

    assert reply.status == 403
    assert reply.json["detail"].endswith("may not update Rollouts in all namespaces")
    assert seen.json["stopped"] is False


async def test_without_a_token_nothing_is_told() -> None:
    """As everywhere."""
    async with world() as api:
        assert (await api.ask("GET", PATH, token="")).status == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "stopped"),
        ({"stopped": "yes"}, "stopped"),
        ({"stopped": True, "reason": ""}, "reason"),
        ({"stopped": True, "reason": "x" * 257}, "reason"),
        ({"stopped": True, "reason": "two\nlines"}, "reason"),
        ({"stopped": True, "until": 5}, "until"),
    ],
)
async def test_a_wrong_body_is_refused(body: dict[str, object], field: str) -> None:
    """The field that is wrong is named, and nothing is turned."""
    async with world() as api:
        reply = await api.ask("PUT", PATH, json=body)
        seen = await api.ask("GET", PATH)

    assert (reply.status, [problem["field"] for problem in reply.json["problems"]]) == (422, [field])
    assert seen.json["stopped"] is False


async def test_what_cannot_be_kept_is_said() -> None:
    """Nobody believes that failover is stopped where it is not."""
    async with world() as api:
        api.switch.down = True
        reply = await api.ask("PUT", PATH, json={"stopped": True})

    assert (reply.status, reply.json["detail"]) == (503, "the switch cannot be turned now")


async def test_a_release_does_not_undo_the_setting() -> None:
    """The answer still says that failover is stopped, and by what."""
    async with world(stopped=True) as api:
        reply = await api.ask("PUT", PATH, json={"stopped": False}, token=OPERATOR)

    assert (reply.json["stopped"], reply.json["message"], reply.json["setting"]) == (True, BY_SETTING, "stopped")
