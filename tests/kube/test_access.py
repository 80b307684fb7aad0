"""Facts about reviews that no real API server answers so: whatever comes, nobody is let in by it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from rollout.errors import Unavailable
from rollout.kube.access import AccessOptions, KubeAccess
from rollout.ports import Caller, Verb
from tests.fakes.clock import FakeClock
from tests.kube.faulty import Faulty, faulty
from tests.prometheus.liar import says

TOKEN = "secret-" + "7" * 40
ADA = {"username": "ada", "uid": "1", "groups": ["dev"], "extra": {"scopes": ["view", "edit"], "a": ["b"]}}


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Return an API server that answers as told."""
    async with faulty() as made:
        yield made


@pytest.fixture
async def access(server: Faulty) -> AsyncIterator[KubeAccess]:
    """Return who asks it."""
    async with server.door() as api:
        yield KubeAccess(api, FakeClock(), AccessOptions(answer_seconds=0.5))


def reviewed(**status: object) -> dict[str, Any]:
    """Return a review with this status."""
    return {"kind": "Review", "status": status}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"authenticated": "true", "user": ADA},
        {"authenticated": True},
        {"authenticated": True, "user": "ada"},
        {"authenticated": True, "user": {}},
        {"authenticated": True, "user": {"username": ""}},
        {"authenticated": True, "user": {"username": 7}},
        {"authenticated": True, "user": {"username": "x" * 513}},
    ],
)
async def test_a_review_without_a_name_is_of_nobody(
    server: Faulty, access: KubeAccess, status: dict[str, object]
) -> None:
    """Only a plain yes with a name that can be shown lets somebody in."""
    server.lists = [says(json.dumps(reviewed(**status)))]

    assert await access.identify(TOKEN) is None


@pytest.mark.parametrize(
    "status", [{}, {"allowed": "true"}, {"allowed": 1}, {"allowed": True, "denied": True}, {"evaluationError": "no"}]
)
async def test_what_is_not_plainly_allowed_is_forbidden(
    server: Faulty, access: KubeAccess, status: dict[str, object]
) -> None:
    """Where one authorizer denies, it counts for nothing that another allows."""
    server.lists = [says(json.dumps(reviewed(**status)))]

    assert not await access.may(Caller("ada"), Verb.GET, "shop")


@pytest.mark.parametrize("answer", ["[]", "no JSON", "{}", '{"status": "Success"}', '{"status": null}'])
async def test_an_answer_that_is_no_review_is_no_answer(server: Faulty, access: KubeAccess, answer: str) -> None:
    """It says neither that the token is good nor that it is not."""
    server.lists = [says(answer)]
    with pytest.raises(Unavailable, match="no TokenReview could be had"):
        await access.identify(TOKEN)
    with pytest.raises(Unavailable, match="no SubjectAccessReview could be had"):
        await access.may(Caller("ada"), Verb.GET, "shop")


async def test_a_server_that_repeats_the_token_is_not_quoted(server: Faulty, access: KubeAccess) -> None:
    """What it says of the token stays here."""
    server.lists = [says(json.dumps({"message": f"cannot read {TOKEN}"}), status=400)]
    with pytest.raises(Unavailable) as failed:
        await access.identify(TOKEN)

    assert str(failed.value) == "no TokenReview could be had, so nobody is let in: PermanentError"
    assert failed.value.__cause__ is None


async def test_uid_and_scopes_are_asked_for_too(server: Faulty, access: KubeAccess) -> None:
    """A token that is good for less than its user says so, and the authorizer has to hear of it."""
    asked: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        return web.json_response(reviewed(authenticated=True, user=ADA, allowed=True))

    server.lists = [answer]
    caller = await access.identify(TOKEN)
    assert caller is not None
    allowed = await access.may(caller, Verb.UPDATE, "shop")

    assert (caller.name, caller.roles, allowed) == ("ada", ("dev",), True)
    assert asked[0]["spec"] == {"token": TOKEN}
    assert asked[1] == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "ada",
            "groups": ["dev"],
            "uid": "1",
            "extra": {"scopes": ["view", "edit"], "a": ["b"]},
            "resourceAttributes": {
                "group": "rollout.dev",
                "resource": "rollouts",
                "verb": "update",
                "namespace": "shop",
            },
        },
    }


async def test_two_tokens_of_one_user_share_no_rights(server: Faulty, access: KubeAccess) -> None:
    """What one may is not answered with what the other may, when their scopes differ."""
    narrow = {**ADA, "extra": {"scopes": ["view"]}}

    async def answer(request: web.Request) -> web.StreamResponse:
        spec = (await request.json())["spec"]
        if "token" in spec:
            return web.json_response(reviewed(authenticated=True, user=ADA if spec["token"] == "wide" else narrow))
        return web.json_response(reviewed(allowed="edit" in spec["extra"]["scopes"]))

    server.lists = [answer]
    found = []
    for token in ("wide", "narrow"):
        caller = await access.identify(token)
        assert caller is not None
        found.append(await access.may(caller, Verb.UPDATE, "shop"))

    assert found == [True, False]
