"""The door of the API: who comes in, how often, and what those learn who do not."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from rollout.api.app import create_app
from rollout.api.rates import Rate, network_of
from tests.api.world import NOBODY, OPERATOR, VIEWER, World, options, world

OPEN = {"/healthz", "/readyz"}
SIGNED = "/api/v1/hooks/{hook}"


def _calls(api: World) -> list[tuple[str, str]]:
    paths = create_app(api.service).openapi()["paths"]
    return [(method.upper(), path) for path, operations in paths.items() for method in operations]


async def test_everything_but_two_calls_needs_a_token() -> None:
    """Every operation that is described answers 401 without a token, whether its path makes sense or not."""
    async with world() as api:
        calls = _calls(api)
        told = {(method, path): (await api.ask(method, path, token="")).status for method, path in calls}

    assert {call for call, status in told.items() if status != 401} == {("GET", path) for path in OPEN}
    assert len(told) > 15


async def test_no_operation_opens_to_somebody_without_a_role() -> None:
    """A known caller without a role gets 403 everywhere, but for what tells of itself and of the service."""
    body = {"kind": "Rollout", "metadata": {"name": "x"}, "spec": {}}
    async with world() as api:
        told = {}
        for method, path in _calls(api):
            if path not in {*OPEN, SIGNED}:
                real = path.format(namespace="shop", name="x", commandId="x", sink="x")
                given: dict[str, Any] = {"json": body} if method in {"PUT", "POST"} else {}
                told[method, path] = (await api.ask(method, real, token=NOBODY, **given)).status

    assert {call for call, status in told.items() if status != 403} == {
        ("GET", "/api/v1/failover"),
        ("GET", "/api/v1/version"),
        ("GET", "/api/v1/whoami"),
    }


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer unknown"},
        {"Authorization": f"Basic {OPERATOR}"},
        {"Authorization": OPERATOR},
        {"Authorization": f"Bearer {OPERATOR} {VIEWER}"},
        {"Authorization": f"Bearer {OPERATOR}, Bearer {VIEWER}"},
        {"Authorization": "Bearer gr\xfcn"},
        {"Authorization": f"Bearer {'x' * 9000}"},
    ],
)
async def test_what_is_no_known_token_is_refused(headers: dict[str, str]) -> None:
    """Anything but one bearer token that is known is a problem 401 that says which scheme is needed."""
    async with world() as api:
        reply = await api.ask("GET", "/api/v1/rollouts", token="", headers=headers)

    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="rollout"')
    assert reply.json["type"] == "urn:rollout:problem:unauthenticated"


async def test_the_scheme_may_be_written_in_any_case() -> None:
    """The name of the scheme is not case sensitive."""
    async with world() as api:
        reply = await api.ask("GET", "/api/v1/whoami", token="", headers={"authorization": f"bEARER  {VIEWER}"})

    assert reply.json == {"name": "victor", "roles": ["viewer"]}


async def test_a_revoked_token_opens_nothing_more() -> None:
    """The next call with a token that was taken back is refused."""
    async with world() as api:
        before = await api.ask("GET", "/api/v1/whoami")
        api.access.revoke("olga")
        after = await api.ask("GET", "/api/v1/whoami")

    assert (before.status, after.status) == (200, 401)


async def test_without_a_token_nobody_learns_what_there_is() -> None:
    """Below /api every path answers 401; elsewhere what does not exist is not found."""
    async with world() as api:
        below = [(await api.ask("GET", path, token="")).status for path in ("/api", "/api/", "/api/v9/x", "/api/v1/x")]
        elsewhere = [(await api.ask("GET", path, token="")).status for path in ("/", "/x", "//api/v1/rollouts")]

    assert (below, elsewhere) == ([401] * 4, [404] * 3)


async def test_when_nobody_can_be_identified_the_answer_says_so() -> None:
    """When tokens cannot be looked up the answer is 503, and what needs none still answers."""
    async with world() as api:
        api.access.down = True
        reply = await api.ask("GET", "/api/v1/whoami")
        alive = await api.ask("GET", "/healthz", token="")

    assert (reply.status, reply.headers["Retry-After"], alive.status) == (503, "1", 200)


async def test_who_asks_too_often_has_to_wait() -> None:
    """Beyond the burst a caller is refused with the time to wait; others are not."""
    async with world(given=options(rate_per_second=0.1, burst=6)) as api:
        replies = [await api.ask("GET", "/api/v1/whoami") for _ in range(8)]
        other = await api.ask("GET", "/api/v1/whoami", token=VIEWER)

    assert [reply.status for reply in replies] == [200] * 6 + [429] * 2
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 2 * 60
    assert replies[-1].json["type"] == "urn:rollout:problem:too-many-requests"
    assert other.status == 200


async def test_after_the_time_to_wait_the_next_is_let_through() -> None:
    """Whoever comes back when the answer says is let through again."""
    async with world(given=options(rate_per_second=4, burst=4)) as api:
        while (refused := await api.ask("GET", "/api/v1/whoami")).status == 200:
            pass
        async with asyncio.timeout(int(refused.headers["Retry-After"]) + 0.5):
            while (reply := await api.ask("GET", "/api/v1/whoami")).status == 429:
                await asyncio.sleep(0.05)

    assert reply.status == 200


async def test_an_address_with_bad_tokens_has_to_wait_but_good_ones_pass() -> None:
    """Too many refused tokens of one address are answered 429; a good token from there is still taken."""
    async with world(given=options(failures_per_minute=3)) as api:
        with capture_logs() as logs:
            bad = [(await api.ask("GET", "/api/v1/whoami", token=f"bad-{number}")).status for number in range(5)]
        good = await api.ask("GET", "/api/v1/whoami")
        without = await api.ask("GET", "/api/v1/whoami", token="")

    assert (bad, good.status, without.status) == ([401] * 3 + [429] * 2, 200, 401)
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["a token was not accepted"] * 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("/run/rollout.sock", "unknown"),
    ],
)
def test_an_address_stands_for_its_network(address: str, network: str) -> None:
    """IPv4 counts by address, also when it comes as IPv6; of IPv6 the network counts."""
    assert network_of(address) == network


async def test_what_is_counted_is_bounded() -> None:
    """When too many are counted one by one, the others share one count."""
    rate = Rate(2, 60, most_counted=3)
    first = [await rate.take(f"caller-{number}") for number in range(3)]
    others = [await rate.take(f"other-{number}") for number in range(4)]

    assert first == [0, 0, 0]
    assert others[:2] == [0, 0]
    assert all(wait > 0 for wait in others[2:])
