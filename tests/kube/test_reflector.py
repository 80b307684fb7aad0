"""A reflector before an API server that says what none should: it holds on, says so, and never runs wild."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from rollout.kube.resources import Document
from tests.kube.faulty import QUICK, Faulty, event, faulty, lease, page, status, stream, words
from tests.prometheus.liar import Answer, breaks_off, hangs, says
from tests.waiting import until


@pytest.fixture
async def server() -> AsyncIterator[Faulty]:
    """Run a server with one object."""
    async with faulty() as running:
        running.lists = [page(lease("a", 5, "one"), version=7)]
        yield running


async def test_a_page_that_is_too_old_begins_the_list_anew(server: Faulty) -> None:
    """410 on the second page."""
    gone = says('{"code": 410, "message": "continue token expired"}', status=410)
    first = page(lease("a", 5, "old"), version=7, after="p2")
    server.lists = [first, gone, page(lease("a", 8, "new"), version=9, after="p2"), page(lease("b", 6, "x"), version=9)]

    async with server.reflector() as reflector:
        await until(lambda: reflector.synced)

        assert server.listed() == ["", "p2", "", "p2"]
        assert words(reflector) == {"a": "new", "b": "x"}
        assert reflector.problem == ""


async def test_an_expired_watch_lists_anew(server: Faulty) -> None:
    """HTTP 200 with an ERROR event of code 410; what is not listed any more is gone."""
    server.lists.append(page(lease("b", 9, "two"), version=10))
    server.watches = [stream(event("ERROR", status(410))), stream(stays=True)]

    async with server.reflector() as reflector:
        await until(lambda: words(reflector) == {"b": "two"})

        await until(lambda: server.watched() == ["7", "10"])


async def test_a_watch_that_is_refused_as_expired_lists_anew(server: Faulty) -> None:
    """The same as HTTP 410."""
    server.watches = [says("{}", status=410), stream(stays=True)]

    async with server.reflector():
        await until(lambda: server.listed() == ["", ""])


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(stream(event("ADDED", "a word")), id="no object"),
        pytest.param(stream(event("ADDED", {"metadata": {"name": "b"}})), id="no version"),
        pytest.param(stream(event("ADDED", {"metadata": {"resourceVersion": "8"}})), id="no name"),
        pytest.param(stream(event("ADDED", {"metadata": "b"})), id="metadata is a word"),
        pytest.param(stream(event("SHRUNK", lease("b", 8))), id="no event"),
        pytest.param(stream(event("ADDED", lease("b", 8, kind="Pod"))), id="another kind"),
        pytest.param(stream(b"[]\n"), id="a list"),
        pytest.param(stream(b'{"type": "ADDED", "obj\n'), id="truncated JSON"),
        pytest.param(stream(b"<html>500</html>\n"), id="HTML in the stream"),
        pytest.param(stream(b"\xff\xfe\xff\n"), id="no text"),
        pytest.param(stream(event("ERROR", status(500))), id="an error"),
        pytest.param(stream(event("ERROR", {"code": "none"})), id="an error without a code"),
        pytest.param(says("<html>Internal Server Error</html>", status=500, kind="text/html"), id="HTML 500"),
        pytest.param(says("no", status=403), id="forbidden"),
        pytest.param(breaks_off, id="breaks off"),
    ],
)
async def test_what_is_no_event_is_refused_and_the_watch_begun_again(server: Faulty, told: Answer) -> None:
    """Nothing is taken from it, the problem is said, and the next watch goes on from the same version."""
    problems: list[str] = []
    server.watches = [told, told, stream(event("MODIFIED", lease("a", 8, "two")), stays=True)]

    async with server.reflector() as reflector:
        while words(reflector)["a"] != "two":
            problems.append(reflector.problem)
            await asyncio.sleep(0.002)

        assert server.watched() == ["7", "7", "7"]
        assert set(words(reflector)) == {"a"}
        assert any(problems) or told is breaks_off
        await until(lambda: not reflector.problem)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(says("<html></html>", kind="text/html"), id="HTML"),
        pytest.param(says("[]"), id="a list"),
        pytest.param(says('{"metadata": {"resourceVersion": "7"}, "items": {}}'), id="no list"),
        pytest.param(says('{"metadata": {"resourceVersion": "7"}, "items": ["a"]}'), id="no objects"),
        pytest.param(says('{"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {}}]}'), id="no names"),
        pytest.param(says('{"items": []}'), id="no version"),
        pytest.param(says('{"metadata": {"resourceVersion": "7"}, "items": ['), id="truncated"),
        pytest.param(hangs, id="no answer"),
        pytest.param(breaks_off, id="breaks off"),
    ],
)
async def test_what_is_no_list_is_refused(server: Faulty, told: Answer) -> None:
    """Nothing is synced before a list that is one; the problem is said."""
    server.lists = [told]

    async with server.reflector() as reflector:
        await until(lambda: reflector.problem)

        assert not reflector.synced
        server.lists = [page(lease("a", 5, "one"), version=7)]
        await until(lambda: words(reflector) == {"a": "one"})


async def test_an_empty_list_may_have_no_items(server: Faulty) -> None:
    """Go writes an empty list as null."""
    server.lists = [says('{"metadata": {"resourceVersion": "7"}, "items": null}')]

    async with server.reflector() as reflector:
        assert reflector.synced


async def test_a_giant_event_makes_it_list(server: Faulty) -> None:
    """An event longer than what is read of one would come again for ever."""
    giant = event("MODIFIED", lease("a", 8, "x" * 6_000))
    server.lists.append(page(lease("a", 8, "from the list"), version=9))
    server.watches = [stream(giant), stream(stays=True)]

    async with server.reflector() as reflector:
        await until(lambda: words(reflector) == {"a": "from the list"})

        await until(lambda: server.watched() == ["7", "9"])


async def test_a_list_too_long_is_asked_for_in_smaller_pages(server: Faulty) -> None:
    """Until an answer is short enough to be read."""
    server.lists = [says("x" * 100_001), says("x" * 100_001), *server.lists]

    async with server.reflector(replace(QUICK, page=100)) as reflector:
        await until(lambda: reflector.synced)

        assert [query["limit"] for query in server.asked if "limit" in query] == ["100", "25", "6"]


async def test_pieces_of_lines_make_an_event(server: Faulty) -> None:
    """However the network cuts the stream, and with empty lines between."""
    line = event("MODIFIED", lease("a", 8, "two")) + b"\n\n" + event("ADDED", lease("b", 9, "ü"))
    server.watches = [stream(*(line[at : at + 7] for at in range(0, len(line), 7)), stays=True)]

    async with server.reflector() as reflector:
        await until(lambda: words(reflector) == {"a": "two", "b": "ü"})


async def test_bookmarks_move_the_version_on(server: Faulty) -> None:
    """The next watch begins there."""
    mark = {"kind": "Lease", "metadata": {"resourceVersion": "99", "creationTimestamp": None}}
    server.lists.append(page(version=99))
    server.watches = [stream(event("BOOKMARK", mark)), stream(stays=True)]

    async with server.reflector():
        await until(lambda: server.watched() == ["7", "99"])


async def test_a_silent_watch_is_given_up(server: Faulty) -> None:
    """Two seconds after it should have ended by itself."""
    options = replace(QUICK, renew_seconds=1.0)

    async with server.reflector(options) as reflector:
        await until(lambda: "in time" in reflector.problem)
        await until(lambda: len(server.watched()) == 2)

        assert 2.5 < server.watched_at()[1] - server.watched_at()[0] < 4.0


async def test_a_watch_that_does_not_begin_to_answer_is_given_up_sooner(server: Faulty) -> None:
    """Long before its time is over."""
    server.watches = [hangs, stream(stays=True)]

    async with server.reflector(replace(QUICK, renew_seconds=60.0)):
        await until(lambda: len(server.watched()) == 2, seconds=2.0)


async def test_an_object_that_nobody_understands_does_not_hide_the_others(server: Faulty) -> None:
    """It is left out and counted; the rest is seen."""

    def keep(document: Document) -> Document:
        assert document["spec"]["holderIdentity"] != "poison"
        return document

    server.lists = [page(lease("a", 5, "poison"), lease("b", 6, "fine"), version=7)]
    server.watches = [stream(event("ADDED", lease("c", 8, "fine")), stays=True)]

    async with server.reflector(keep=keep) as reflector:
        await until(lambda: words(reflector) == {"b": "fine", "c": "fine"})

        assert reflector.problem == ""


async def test_a_listener_that_fails_does_not_keep_others_from_hearing(server: Faulty) -> None:
    """Nor does it end the watch."""
    told: list[str] = []
    server.watches = [stream(event("ADDED", lease("b", 8)), event("ADDED", lease("c", 9)), stays=True)]

    def fails(*_: object) -> None:
        raise ValueError("no")

    async with server.reflector(QUICK, fails, lambda name, *_: told.append(name[1])):
        await until(lambda: told == ["a", "b", "c"])

        assert server.watched() == ["7"]
