"""The door brings back what a sink answers, in bounded time and size, and says what happened in words of its own."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import pytest

from rollout.aside import Aside
from rollout.errors import PermanentError, Unavailable
from rollout.notify.senders.door import MOST_BYTES, USER_AGENT, Door
from tests.notify.stands.faults import answers, breaks_off, closes, drips, floods, hangs, no_http, redirects, slow
from tests.notify.stands.server import Fault, Stand, standing
from tests.tools import free_port

SECONDS = 0.4


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    """Run a server that takes everything."""
    async with standing(Stand()) as server:
        yield server


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    """Return a door of little patience."""
    made = Door("sink team", Aside("sink team"), seconds=SECONDS)
    yield made
    await made.aclose()


async def status_of(door: Door, url: str, *, most: int = MOST_BYTES) -> tuple[int, int]:
    """Return the status that comes back, and how many bytes of the body."""
    deadline = asyncio.get_running_loop().time() + SECONDS
    answer = await door.post(url, b"{}", {"Content-Type": "application/json"}, deadline=deadline, most=most)
    return answer.status, len(answer.body)


async def said_of(door: Door, url: str, *, most: int = MOST_BYTES) -> str:
    """Return what is said of a failure that may pass."""
    with pytest.raises(Unavailable) as caught:
        await status_of(door, url, most=most)
    return str(caught.value)


async def test_a_post_comes_through(stand: Stand, door: Door) -> None:
    """With its body, its headers and ours."""
    assert await status_of(door, stand.url) == (200, 2)

    [one] = stand.received
    assert (one.body, one.headers["User-Agent"], one.headers["Content-Type"]) == (b"{}", USER_AGENT, "application/json")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (hangs, f"sink team does not answer within {SECONDS:g} s"),
        (slow(3600), f"sink team does not answer within {SECONDS:g} s"),
        (closes, "sink team closes the connection without an answer"),
        (no_http, "sink team answers with something that is not HTTP"),
    ],
    ids=["hangs", "slow", "closes", "no_http"],
)
async def test_no_answer_may_pass(stand: Stand, door: Door, *, fault: Fault, said: str) -> None:
    """It says what happened, within the time limit."""
    stand.faults = [fault]
    begun = time.monotonic()

    assert await said_of(door, stand.url) == said
    assert time.monotonic() - begun < SECONDS + 1


async def test_a_port_that_nobody_listens_on_may_pass(door: Door) -> None:
    """It may be a restart."""
    assert await said_of(door, f"http://127.0.0.1:{free_port()}/T0PSECRET") == "sink team refuses the connection"


async def test_a_name_that_is_not_found_may_pass(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the name server."""

    def nowhere(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known: hooks.secret.example")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)

    assert await said_of(door, "http://hooks.secret.example/") == (
        "sink team cannot be reached: the name of its host is not found"
    )


async def test_a_redirect_is_not_followed(stand: Stand, door: Door) -> None:
    """Its status comes back, and nobody else is called."""
    stand.faults = [redirects(f"{stand.origin}/elsewhere")]

    status, _ = await status_of(door, stand.url)

    assert status == 307
    assert [one.path for one in stand.received] == [stand.path]


@pytest.mark.parametrize("status", [200, 500])
async def test_no_more_is_read_than_4_kib(stand: Stand, door: Door, *, status: int) -> None:
    """Of 10 MB, too."""
    stand.faults = [floods(status)]

    assert await status_of(door, stand.url) == (status, MOST_BYTES)


async def test_more_is_read_where_it_is_asked_for(stand: Stand, door: Door) -> None:
    """And still only so much."""
    stand.faults = [floods(200)]

    assert await status_of(door, stand.url, most=100_000) == (200, 100_000)


@pytest.mark.parametrize(
    ("fault", "status"), [(drips(200), 200), (drips(404), 404), (breaks_off, 200)], ids=["200", "404", "breaks_off"]
)
async def test_a_body_that_does_not_come_changes_no_status(
    stand: Stand, door: Door, *, fault: Fault, status: int
) -> None:
    """A message that was taken is not sent again because of small talk."""
    stand.faults = [fault]

    assert (await status_of(door, stand.url))[0] == status


@pytest.mark.parametrize(
    ("fault", "said"),
    [(drips(200), f"does not answer within {SECONDS:g} s"), (breaks_off, "breaks its answer off")],
    ids=["drips", "breaks_off"],
)
async def test_a_body_that_is_needed_must_come(stand: Stand, door: Door, *, fault: Fault, said: str) -> None:
    """As that of an API which says in it what happened."""
    stand.faults = [fault]

    assert await said_of(door, stand.url, most=MOST_BYTES + 1) == f"sink team {said}"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.secret.example/T0PSECRET",
        "ftp://hooks.secret.example/T0PSECRET",
        "http:///T0PSECRET",
        "http://[::1/T0PSECRET",
        "http://127.0.0.1:99999/T0PSECRET",
        "http://127.0.0.1:0/T0PSECRET",
        "http://127.0.0.1/T0P SECRET",
        "http://secret..example/",
        f"http://{'s' * 70}.example/",
    ],
)
async def test_what_is_no_address_is_for_good(door: Door, *, url: str) -> None:
    """It is not repeated."""
    with pytest.raises(PermanentError) as caught:
        await status_of(door, url)

    assert str(caught.value) == "sink team has an address that is not a URL with http or https"


async def test_connections_are_used_again(stand: Stand, door: Door) -> None:
    """A second message needs no second handshake."""
    ports: set[object] = set()

    async def port(request: object) -> None:
        ports.add(request.transport.get_extra_info("peername"))  # type: ignore[attr-defined]

    stand.faults = [port, port, port]
    for _ in range(3):
        await status_of(door, stand.url)

    assert len(ports) == 1


async def test_no_proxy_of_the_environment_is_used(stand: Stand, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see the address."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    assert (await status_of(door, stand.url))[0] == 200


async def test_a_proxy_is_used_when_it_is_asked_for(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some networks have no other way out."""
    monkeypatch.setenv("http_proxy", stand.origin)
    door = Door("sink team", Aside("sink team"), seconds=SECONDS, trust_env=True)

    assert (await status_of(door, "http://hooks.secret.example/T0PSECRET"))[0] == 200
    assert [one.headers["Host"] for one in stand.received] == ["hooks.secret.example"]
    await door.aclose()


async def test_a_proxy_that_is_not_there_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named as what it is, without its address."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    door = Door("sink team", Aside("sink team"), seconds=SECONDS, trust_env=True)

    said = await said_of(door, "http://hooks.secret.example/T0PSECRET")
    await door.aclose()

    assert said == "sink team cannot be reached: the proxy of the environment does not answer"


async def test_a_closed_door_stays_closed(stand: Stand, door: Door) -> None:
    """Nothing is sent after the end."""
    await status_of(door, stand.url)
    await door.aclose()

    assert await said_of(door, stand.url) == "sink team is closed"


async def test_statuses_are_not_judged(stand: Stand, door: Door) -> None:
    """That is for those who know the service."""
    stand.faults = [answers(410)]

    assert (await status_of(door, stand.url))[0] == 410
