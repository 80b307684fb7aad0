"""Facts about who may use the API of a cluster, asked of a real API server with RBAC."""

from __future__ import annotations

import asyncio
import logging
import random
import time

import pytest

from rollout.errors import Unavailable
from rollout.kube.access import KubeAccess
from rollout.kube.api import KubeApi
from rollout.ports import Caller, Verb
from rollout.tokens.roles import Role
from tests.kubernetes.access.people import ANSWER_SECONDS, KEPT_SECONDS, People
from tests.kubernetes.cluster import ADMIN, SOMEBODY
from tests.kubernetes.proxy import Mode, Proxy

REVIEWS = {"tokenreviews", "subjectaccessreviews"}


def asked(people: People, *, since: int = 0) -> list[str]:
    """Return which reviews the administrator, as whom we ask, asked for."""
    events = people.cluster.audited("admin")[since:]
    return [event["objectRef"]["resource"] for event in events if event["objectRef"].get("resource") in REVIEWS]


async def rights(people: People, token: str, namespace: str) -> set[Verb]:
    """Return what the token lets somebody do there."""
    caller = await people.access.identify(token)
    assert caller is not None
    return {verb for verb in Verb if await people.access.may(caller, verb, namespace)}


# ---------------------------------------------------------------- who calls


async def test_a_token_says_whose_it_is(people: People) -> None:
    """A service account has the name and the groups that RBAC knows it by."""
    name = people.account("ci")
    caller = await people.access.identify(people.token("ci"))

    assert caller is not None
    assert caller.name == name
    assert {"system:serviceaccounts", f"system:serviceaccounts:{people.namespace}"} <= set(caller.roles)


async def test_a_person_of_the_cluster_is_known(people: People) -> None:
    """Tokens need not be of service accounts."""
    caller = await people.access.identify(SOMEBODY)

    assert caller is not None
    assert caller.name == "somebody"


async def test_a_token_is_good_until_it_expires(people: People) -> None:
    """Two tokens that differ in nothing else."""
    people.account("ci")
    good, expired = (people.signed("ci", expires_in_seconds=seconds) for seconds in (3600, -60))

    assert await people.access.identify(good) is not None
    assert await people.access.identify(expired) is None


async def test_a_token_that_was_changed_is_nobodys(people: People) -> None:
    """Another signature, or none, and a token of another cluster's key."""
    people.account("ci")
    head, claims, signature = people.token("ci").split(".")
    turned = signature[::-1]

    assert await people.access.identify(f"{head}.{claims}.{turned}") is None
    assert await people.access.identify(f"{head}.{claims}.") is None


async def test_a_token_for_another_audience_is_nobodys(people: People) -> None:
    """What was made for a vault opens nothing here."""
    people.account("ci")
    path = f"/api/v1/namespaces/{people.namespace}/serviceaccounts/ci/token"
    _, answer = people.cluster.ask("POST", path, {"spec": {"audiences": ["vault"]}})

    assert await people.access.identify(answer["status"]["token"]) is None


async def test_a_token_that_is_too_long_is_not_asked_for(people: People) -> None:
    """What cannot be a token costs the API server nothing."""
    before = len(people.cluster.audited("admin"))
    found = await people.access.identify("x" * 16_385)

    assert found is None
    assert asked(people, since=before) == []


async def test_an_account_that_is_gone_is_forgotten(people: People) -> None:
    """Its token goes on for as long as answers hold, and no longer."""
    people.account("ci")
    token = people.token("ci")
    before = await people.access.identify(token)
    people.remove("ci")
    await people.unknown(token)
    people.clock.advance(KEPT_SECONDS - 0.1)
    shortly = await people.access.identify(token)
    people.clock.advance(0.2)

    assert before is not None
    assert shortly == before
    assert await people.access.identify(token) is None


# ---------------------------------------------------------------- what they may


@pytest.mark.parametrize(
    ("role", "verbs"), [(Role.VIEWER, {Verb.GET, Verb.LIST}), (Role.OPERATOR, {Verb.GET, Verb.LIST, Verb.UPDATE})]
)
async def test_a_role_counts_where_it_is_bound(people: People, role: Role, verbs: set[Verb]) -> None:
    """In its namespace; not in another, and not in all."""
    people.account("ada")
    people.grant("ada", role)
    token = people.token("ada")
    await people.settled("ada", "get", allowed=True)

    assert await rights(people, token, people.namespace) == verbs
    assert await rights(people, token, "default") == set()
    assert await rights(people, token, "") == set()


async def test_a_stranger_is_known_and_may_nothing(people: People) -> None:
    """A good token is no right."""
    assert await rights(people, SOMEBODY, people.namespace) == set()


async def test_an_administrator_may_everything(people: People) -> None:
    """By the group, which comes with the token."""
    assert await rights(people, ADMIN, "") == set(Verb)


async def test_a_right_is_lost_after_ten_seconds(people: People) -> None:
    """A yes holds so long, and no longer."""
    people.account("ada")
    people.grant("ada", Role.OPERATOR)
    token = people.token("ada")
    await people.settled("ada", "update", allowed=True)
    seen = [await rights(people, token, people.namespace)]
    people.withdraw("ada")
    await people.settled("ada", "update", allowed=False)
    for seconds in (KEPT_SECONDS - 0.1, 0.1):
        people.clock.advance(seconds)
        seen.append(await rights(people, token, people.namespace))

    assert seen == [set(Verb), set(Verb), set()]


async def test_a_right_is_won_after_ten_seconds(people: People) -> None:
    """A no holds so long, and no longer."""
    people.account("ada")
    token = people.token("ada")
    seen = [await rights(people, token, people.namespace)]
    people.grant("ada", Role.OPERATOR)
    await people.settled("ada", "update", allowed=True)
    for seconds in (KEPT_SECONDS - 0.1, 0.1):
        people.clock.advance(seconds)
        seen.append(await rights(people, token, people.namespace))

    assert seen == [set(), set(), set(Verb)]


async def test_a_right_to_one_object_is_none_to_all(people: People) -> None:
    """RBAC by resourceNames lets nobody look at the others of the namespace."""
    people.account("ada")
    rule = {"apiGroups": ["rollout.dev"], "resources": ["rollouts"], "verbs": ["get"], "resourceNames": ["checkout"]}
    people.bind("ada", rule)

    assert await rights(people, people.token("ada"), people.namespace) == set()


# ---------------------------------------------------------------- how it is asked


async def test_many_who_ask_at_once_ask_the_cluster_once(people: People) -> None:
    """Whether the answer is there already or is still under way."""
    people.account("ada")
    token = people.token("ada")
    before = len(people.cluster.audited("admin"))
    found = await asyncio.gather(*(people.access.identify(token) for _ in range(50)))
    caller = await people.access.identify(token)
    assert caller is not None
    await asyncio.gather(*(people.access.may(caller, Verb.GET, people.namespace) for _ in range(50)))
    await people.access.may(caller, Verb.GET, people.namespace)

    assert set(found) == {caller}
    assert asked(people, since=before) == ["tokenreviews", "subjectaccessreviews"]


async def test_a_bad_token_is_asked_for_once(people: People) -> None:
    """A no is kept, too: who comes again and again with a token that is none costs the cluster one question."""
    before = len(people.cluster.audited("admin"))
    found = [await people.access.identify("wrong") for _ in range(3)]
    people.clock.advance(KEPT_SECONDS)
    await people.access.identify("wrong")

    assert found == [None] * 3
    assert asked(people, since=before) == ["tokenreviews"] * 2


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.SWALLOW])
async def test_without_an_answer_nobody_is_let_in(people: People, door: Proxy, mode: Mode) -> None:
    """That nobody can be asked is not that the token is wrong, and not that it is right; it is said in time."""
    caller = await people.access.identify(ADMIN)
    assert caller is not None
    people.clock.advance(KEPT_SECONDS)
    door.set(mode)
    if mode is Mode.REFUSE:
        door.cut()
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no TokenReview could be had, so nobody is let in"):
        await people.access.identify(ADMIN)
    with pytest.raises(Unavailable, match="no SubjectAccessReview could be had, so nobody is let in"):
        await people.access.may(caller, Verb.GET, people.namespace)

    assert time.monotonic() - began < 2 * ANSWER_SECONDS + 1


async def test_it_is_asked_again_when_the_cluster_is_back(people: People, door: Proxy) -> None:
    """What failed is not kept."""
    door.set(Mode.REFUSE)
    with pytest.raises(Unavailable):
        await people.access.identify(ADMIN)
    door.set(Mode.PASS)

    assert await people.access.identify(ADMIN) is not None


async def test_who_may_not_ask_lets_nobody_in(people: People) -> None:
    """Without the right to reviews it says what is forbidden to whom, and no more."""
    api = KubeApi(people.cluster.configuration(token=SOMEBODY), random.random)
    access = KubeAccess(api, people.clock)
    try:
        with pytest.raises(Unavailable, match=r'403 .*User "somebody" cannot create resource "tokenreviews"'):
            await access.identify(ADMIN)
        with pytest.raises(Unavailable, match=r'User "somebody" cannot create resource "subjectaccessreviews"'):
            await access.may(Caller("ada"), Verb.GET, "shop")
    finally:
        await api.aclose()


async def test_no_token_is_told(people: People, door: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a good nor a bad one is in a log, whatever its level, or in an error or what hangs on it."""
    people.account("ada")
    good, bad = people.token("ada"), "wrong-" + "7" * 60
    with caplog.at_level(logging.DEBUG):
        await people.access.identify(good)
        await people.access.identify(bad)
        people.clock.advance(KEPT_SECONDS)
        door.set(Mode.REFUSE)
        door.cut()
        with pytest.raises(Unavailable) as failed:
            await people.access.identify(good)
    told = [caplog.text, repr(failed.value), repr(failed.value.__cause__), repr(vars(people.access))]

    assert not [text for text in told if good in text or bad in text]
