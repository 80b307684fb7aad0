"""A reflector before an API server that fails for a long time: few questions, one sentence, and no end of memory."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import pytest
import structlog
from kubernetes.aio import client

from rollout.clock import SystemClock
from rollout.kube.api import KubeApi
from rollout.kube.reflector import Reflector, ReflectorOptions
from rollout.kube.resources import LEASES, Document, Resource, version_of
from tests.kube.faulty import QUICK, Faulty, busy, event, faulty, lease, page, status, stream, words
from tests.prometheus.liar import Answer, hangs, says
from tests.waiting import until

pytestmark = pytest.mark.long

NO_KIND = "the server could not find the requested resource"
HTML = says("<html>Internal Server Error</html>", status=500, kind="text/html")


class Broken(KubeApi):
    """A door whose lists are fine, and whose watches break as no API server makes them."""

    listed = 0

    async def list_page(
        self, resource: Resource, *, namespace: str = "", name: str = "", limit: int = 500, after: str = ""
    ) -> Document:
        """Give an empty list."""
        self.listed += 1
        return {"metadata": {"resourceVersion": "7"}, "items": []}

    async def watch(
        self, resource: Resource, *, namespace: str = "", name: str = "", since: str, seconds: float
    ) -> AsyncGenerator[tuple[str, Document], None]:
        """Break after the opening."""
        yield "OPENED", {}
        raise ZeroDivisionError


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Run a server with one object."""
    async with faulty() as running:
        running.lists = [page(lease("a", 5, "one"), version=7)]
        yield running


@pytest.mark.parametrize(
    ("told", "least"),
    [
        pytest.param(stream(), 2, id="closed at once"),
        pytest.param(stream(event("ERROR", status(410))), 4, id="expired at once"),
        pytest.param(says("{}", status=410), 4, id="expired"),
        pytest.param(HTML, 2, id="broken"),
        pytest.param(says("{}", status=403), 2, id="forbidden"),
        pytest.param(says("{}", status=404), 2, id="no such kind"),
        pytest.param(stream(b"<html></html>\n"), 2, id="HTML in the stream"),
        pytest.param(stream(event("BOOKMARK", lease("", 8)), event("ERROR", status(500))), 2, id="an error"),
    ],
)
async def test_a_watch_that_never_works_does_not_make_it_run_wild(server: Faulty, told: Answer, least: int) -> None:
    """The gaps grow: at most 15 questions in two seconds, lists and looks included."""
    server.watches = [told]

    async with server.reflector(ReflectorOptions()):
        await asyncio.sleep(2.0)  # what is counted is how little happens in this time

        assert least <= len(server.asked) <= 15


@pytest.mark.parametrize(
    ("told", "tries"),
    [
        pytest.param(HTML, 3, id="broken"),
        pytest.param(says("{}", status=403), 1, id="forbidden"),
        pytest.param(says("{}", status=404), 1, id="no such kind"),
        pytest.param(says("{}", status=410), 1, id="expired"),
        pytest.param(hangs, 3, id="no answer"),
        pytest.param(page("a word", version=7), 1, id="no list"),
    ],
)
async def test_a_list_that_never_works_does_not_make_it_run_wild(server: Faulty, told: Answer, tries: int) -> None:
    """The gaps grow from 0.2 s: at most six rounds in two seconds, of at most three tries each."""
    server.lists = [told]

    async with server.reflector(ReflectorOptions()):
        await asyncio.sleep(2.0)  # what is counted is how little happens in this time

        assert 2 <= len(server.asked) <= 6 * tries


async def test_gaps_are_not_the_same_for_all(server: Faulty) -> None:
    """What fails together does not come back together: by chance a gap is up to twice as long."""
    options, took = ReflectorOptions(first_gap_seconds=0.05), list[float]()
    server.watches = [stream()]
    for chance in (lambda: 0.0, lambda: 1.0):
        server.asked.clear()
        server.at.clear()
        async with server.reflector(options, chance=chance):
            await until(lambda: len(server.watched()) == 4)
            took.append(server.watched_at()[3] - server.watched_at()[0])

    assert took[1] > 1.5 * took[0]


async def test_a_busy_server_is_left_alone_as_long_as_it_asks_for(server: Faulty) -> None:
    """429 with Retry-After, to a list and to a watch."""
    server.lists.insert(0, busy(1))
    server.watches = [busy(1), stream(stays=True)]

    async with server.reflector(patience_seconds=5.0):
        await until(lambda: len(server.watched()) == 2)

        assert server.at[1] - server.at[0] >= 1.0
        assert server.watched_at()[1] - server.watched_at()[0] >= 1.0


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (says('{"message": "leases is forbidden: no"}', status=403), "answered 403 (leases is forbidden: no)"),
        (says(f'{{"message": "{NO_KIND}"}}', status=404), f"answered 404 ({NO_KIND})"),
    ],
    ids=["forbidden", "no such kind"],
)
async def test_what_cannot_be_seen_is_told_in_one_sentence(server: Faulty, told: Answer, sentence: str) -> None:
    """Once in the log, however often it is tried; when it can be seen it is."""
    server.lists, seen = [told], server.lists[0]

    with structlog.testing.capture_logs() as logs:
        async with server.reflector() as reflector:
            await until(lambda: len(server.asked) >= 4)

            path = "/apis/coordination.k8s.io/v1/leases"
            assert reflector.problem == f"GET {path}: the API server {sentence}"
            assert [entry["why"] for entry in logs if entry["event"] == "watch failed"] == [reflector.problem]
            server.lists = [seen]
            await until(lambda: words(reflector) == {"a": "one"})
            assert (reflector.problem, reflector.absent) == ("", False)


@pytest.mark.parametrize("objects", [(), (lease("a", 5), lease("b", 6))], ids=["empty pages", "pages"])
async def test_a_list_without_end_is_given_up(server: Faulty, objects: tuple[object, ...]) -> None:
    """Every page says that there is another; it is begun anew, and said."""
    server.lists = [page(*objects, version=7, after="more")]

    async with server.reflector(replace(QUICK, most_listed=20)) as reflector:
        await until(lambda: server.listed().count("") >= 2)

        assert not reflector.synced
        assert reflector.problem == "leases: the list does not end"
        assert 10 <= server.listed().index("", 1) <= 20


async def test_a_renewed_watch_needs_no_list(server: Faulty) -> None:
    """It goes on from the last bookmark, though nothing happened to the objects that are watched."""
    marks = [event("BOOKMARK", {"kind": "Lease", "metadata": {"resourceVersion": str(n)}}) for n in (20, 30, 40)]
    server.watches = [*(stream(mark, seconds=1.1) for mark in marks), stream(stays=True)]

    async with server.reflector(replace(QUICK, renew_seconds=1.0)):
        await until(lambda: len(server.watched()) == 4, seconds=8.0)

        assert server.watched() == ["7", "20", "30", "40"]
        assert len(server.asked) == 1 + 4


async def test_a_look_that_is_not_answered_does_not_hold_up_the_watch(server: Faulty) -> None:
    """After a watch that broke it is asked whether the cluster went back in time, for a moment only."""
    server.lists = [server.lists[0], hangs]
    changed = event("MODIFIED", lease("a", 8, "two"))
    server.watches = [stream(event("ERROR", status(500))), stream(changed, stays=True)]

    async with server.reflector(replace(QUICK, look_seconds=0.1)) as reflector:
        await until(lambda: words(reflector) == {"a": "two"}, seconds=2.0)

        assert server.watched() == ["7", "7"]


async def test_an_error_that_nobody_thought_of_lists_anew() -> None:
    """It is logged, said by its name only, and does not end the reflector."""
    api = Broken(client.Configuration(host="http://127.0.0.1:1"), random.random)
    reflector = Reflector(api, LEASES, lambda document: document, SystemClock(), chance=random.random, options=QUICK)

    with structlog.testing.capture_logs() as logs:
        await reflector.start()
        await until(lambda: api.listed == 3)

    assert reflector.problem == "leases: ZeroDivisionError"
    assert {(entry["event"], entry["log_level"]) for entry in logs} >= {("watch failed", "error")}
    await reflector.aclose()
    await api.aclose()


async def test_a_follower_hears_all_in_order_and_may_fail(server: Faulty) -> None:
    """Also what was known before from an answer of one's own; one that fails keeps nobody from hearing."""
    told: list[tuple[str, str]] = []
    server.watches = [stream(event("MODIFIED", lease("a", 8, "mine")), event("DELETED", lease("a", 9)), stays=True)]

    def fails(*_: object) -> None:
        raise ValueError("no")

    async with server.door() as api:
        reflector = server.made(api)
        reflector.follow(fails)
        reflector.follow(lambda kind, document: told.append((kind, version_of(document))))
        reflector.put(lease("a", 8, "mine"))
        with structlog.testing.capture_logs():
            await reflector.start()
            await until(lambda: len(told) == 5)

        assert told == [("LISTING", "7"), ("LISTED", "5"), ("SYNCED", "7"), ("MODIFIED", "8"), ("DELETED", "9")]
        assert words(reflector) == {}
        await reflector.aclose()
