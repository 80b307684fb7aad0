"""The door to an API server that fails: how often is asked, how long is waited, and what is said in the end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import pytest
from aiohttp import web
from kubernetes.aio import client

from rollout.errors import ConflictError, PermanentError, RolloutError, Unavailable
from rollout.kube.api import KubeApi
from rollout.kube.faults import Busy, TooLong
from rollout.kube.resources import LEASES, Document
from tests.kube.faulty import HASTY, Faulty, busy, event, faulty, lease, page, stream
from tests.prometheus.liar import Answer, breaks_off, drips, hangs, lying, says

Ask = Callable[[KubeApi], Awaitable[object]]
FOUND = says('{"metadata": {"name": "a", "resourceVersion": "5"}}')
BODY: Document = {"metadata": {"name": "a"}}
ASKS: list[tuple[str, Ask]] = [
    ("GET /a", lambda api: api.get(LEASES, "shop", "a")),
    ("POST ", lambda api: api.create(LEASES, BODY, namespace="shop")),
    ("PUT /a", lambda api: api.replace(LEASES, "shop", "a", BODY)),
    ("PATCH /a", lambda api: api.patch(LEASES, "shop", "a", [{"op": "test", "path": "/a", "value": 1}])),
    ("DELETE /a", lambda api: api.delete(LEASES, "shop", "a")),
]


@dataclass(slots=True)
class Lucky:
    """Chance as a test wants it."""

    luck: float = 0.5

    def __call__(self) -> float:
        """Return it."""
        return self.luck


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Run a server."""
    async with faulty() as running:
        yield running


@pytest.mark.parametrize(("what", "ask"), ASKS, ids=[what.split()[0] for what, _ in ASKS])
async def test_what_failed_for_now_is_asked_again(server: Faulty, what: str, ask: Ask) -> None:
    """Three times in all, each of the five verbs; then it is said what was asked and what came."""
    server.lists = [says("<html>oh</html>", status=503, kind="text/html")]
    async with server.door() as api:
        with pytest.raises(Busy) as caught:
            await ask(api)

    verb, _, rest = what.partition(" ")
    path = f"/apis/coordination.k8s.io/v1/namespaces/shop/leases{rest}"
    assert str(caught.value) == f"{verb} {path}: the API server answered 503"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (says("{}", status=403), PermanentError),
        (says("{}", status=409), ConflictError),
        (says("{}", status=422), ConflictError),
        (says("x" * 100_001), TooLong),
    ],
    ids=["forbidden", "conflict", "failed test", "too long"],
)
async def test_what_will_not_pass_is_asked_once(server: Faulty, told: Answer, expected: type[RolloutError]) -> None:
    """Asking again would bring the same."""
    server.lists = [told]
    async with server.door() as api:
        with pytest.raises(expected):
            await api.get(LEASES, "shop", "a")

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "told",
    [
        says("<html></html>", kind="text/html"),
        says("[]"),
        says('{"metadata":'),
        says(b"\xff"),
        says(""),
        breaks_off,
        hangs,
        drips,
    ],
    ids=["HTML", "a list", "truncated", "no text", "nothing", "breaks off", "hangs", "drips"],
)
async def test_what_is_no_answer_is_asked_for_again(server: Faulty, told: Answer) -> None:
    """Whatever stands between the API server and here; the second try is a good one."""
    server.lists = [told, FOUND]
    async with server.door() as api:
        found = await api.get(LEASES, "shop", "a")

    assert found["metadata"]["name"] == "a"
    assert len(server.asked) == 2


@pytest.mark.parametrize(("luck", "least", "most"), [(0.0, 0.05, 0.1), (1.0, 0.15, 0.3)])
async def test_gaps_grow_and_have_jitter(server: Faulty, luck: float, least: float, most: float) -> None:
    """From half to one and a half of 0.1 s, then twice that."""
    server.lists = [says("{}", status=500)]
    options = replace(HASTY, first_wait_seconds=0.1)
    api = KubeApi(client.Configuration(host=server.liar.url), Lucky(luck), options)
    with pytest.raises(Unavailable):
        await api.get(LEASES, "shop", "a")
    await api.aclose()

    first, second = server.at[1] - server.at[0], server.at[2] - server.at[1]
    assert first >= least
    assert second >= most
    assert first + second < least + most + 1.0


async def test_a_busy_server_is_asked_again_when_it_says(server: Faulty) -> None:
    """429 with Retry-After: a second later, and a little."""
    server.lists = [busy(1), FOUND]
    async with server.door() as api:
        await api.get(LEASES, "shop", "a")

    assert 1.0 <= server.at[1] - server.at[0] < 2.5


async def test_the_door_is_counted(server: Faulty) -> None:
    """Each question with its seconds and its error; a second try is a question of its own."""
    heard: list[str] = []

    def count(seconds: float, error: BaseException | None) -> None:
        assert seconds >= 0
        heard.append(type(error).__name__)

    server.lists = [says("{}", status=500), FOUND]
    api = KubeApi(client.Configuration(host=server.liar.url), Lucky(), HASTY, count)
    await api.get(LEASES, "shop", "a")
    await api.aclose()

    assert heard == ["Busy", "NoneType"]


async def test_a_page_names_where_it_goes_on(server: Faulty) -> None:
    """And a first page asks from the beginning."""
    server.lists = [page(lease("a", 5), version=7, after="next")]
    async with server.door() as api:
        first = await api.list_page(LEASES, limit=2)
        await api.list_page(LEASES, limit=0, after="next")

    assert (first["items"], first["metadata"]["continue"]) == ([lease("a", 5)], "next")
    assert server.asked == [{"limit": "2"}, {"continue": "next"}]


async def test_a_watch_ends_when_the_server_ends_it(server: Faulty) -> None:
    """Without an error; what came before was told, first that it is open."""
    server.watches = [stream(event("ADDED", lease("a", 8)), event("DELETED", lease("a", 9)))]
    told = []
    async with server.door() as api, aclosing(api.watch(LEASES, since="7", seconds=9.5)) as events:
        async for kind, document in events:
            told.append((kind, (document.get("metadata") or {}).get("resourceVersion")))

    assert told == [("OPENED", None), ("ADDED", "8"), ("DELETED", "9")]
    assert server.asked == [
        {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "9", "resourceVersion": "7"}
    ]


async def test_a_token_is_sent_and_never_said() -> None:
    """Neither in the error nor in its cause."""
    seen: list[str] = []

    async def refuses(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"message": "no such right"}, status=403)

    async with lying() as liar:
        liar.answers = [refuses]
        configuration = client.Configuration(
            host=liar.url, api_key={"BearerToken": "secret"}, api_key_prefix={"BearerToken": "Bearer"}
        )
        api = KubeApi(configuration, Lucky(), HASTY)
        with pytest.raises(PermanentError) as caught:
            await api.get(LEASES, "shop", "a")
        await api.aclose()

    assert seen == ["Bearer secret"]
    assert "secret" not in repr(caught.value) + repr(caught.value.__cause__)
