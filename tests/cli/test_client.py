"""The client: what is asked, what is tried again, and how answers and problems are read."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollout.api.models import CommandRequest
from rollout.cli.asking import Call
from rollout.cli.client import ApiClient, Filters
from rollout.cli.connection import Connection
from rollout.cli.failures import ApiProblem, NotUnderstood, ServerAway, TimedOut
from rollout.cli.retries import Limits
from rollout.cli.running import Code
from rollout.engine.table import Action
from rollout.errors import ConfigurationError
from tests.cli.answers import document, live, summary
from tests.cli.standin import Running, StandIn, answering, breaking, problem
from tests.tools import require

QUICK = Limits(seconds=5, first_wait_seconds=0.001, longest_wait_seconds=0.01)
COMMANDS = "/rollouts/default/checkout/commands"
DONE = {"id": "a", "action": "pause", "state": "done", "reason": "PausedByCommand", "message": "done"}
PAUSE = CommandRequest(action=Action.PAUSE)
VERSION = {"version": "1", "runtime": "envoy"}


@pytest.fixture
async def api(server: StandIn, running: Running) -> AsyncIterator[ApiClient]:
    """Return a client of the stand-in that does not wait for long."""
    server.answers["GET", "/version"] = (200, VERSION)
    async with ApiClient(Connection(server.url, "secret-token"), QUICK) as api:
        yield api


async def test_the_token_goes_along(api: ApiClient, server: StandIn) -> None:
    """And the name of the program, and an id for the log of the server."""
    await api.version()
    await api.version()
    first, second = (each.headers for each in server.asked)

    assert first["Authorization"] == "Bearer secret-token"
    assert first["User-Agent"].startswith("rollout/")
    assert first["X-Request-ID"] != second["X-Request-ID"]


async def test_without_a_token_none_is_sent(server: StandIn, running: Running) -> None:
    """Not even an empty one."""
    server.answers["GET", "/version"] = (200, VERSION)
    async with ApiClient(Connection(server.url)) as api:
        await api.version()

    assert "Authorization" not in server.asked[0].headers


async def test_a_prefix_of_the_address_stays(server: StandIn, running: Running) -> None:
    """For a server behind a proxy."""
    server.first.append(answering(lambda: web.json_response(VERSION)))
    async with ApiClient(Connection(f"{server.url}/behind")) as api:
        await api.version()

    assert server.paths() == ["/behind/api/v1/version"]


async def test_a_list_is_read_to_its_end(api: ApiClient, server: StandIn) -> None:
    """Page by page, with the filters on each."""
    server.summaries = [summary(f"r{number}") for number in range(1201)]
    filters = Filters("shop", ("Paused", "Idle"), ("a=b",))
    names = [found.name async for found in api.summaries(filters)]

    assert names == [f"r{number}" for number in range(1201)]
    assert len(server.asked) == 3
    assert server.asked[2].query == {
        "namespace": "shop",
        "phase": "Paused",
        "label": "a=b",
        "limit": "500",
        "continue": "1000",
    }


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again(api: ApiClient, server: StandIn, status: int) -> None:
    """After the time that it asks for."""
    server.first.append(answering(lambda: problem(status, "busy", headers={"Retry-After": "0"})))

    assert (await api.version()).version == "1"


async def test_a_question_is_not_asked_for_ever(api: ApiClient, server: StandIn) -> None:
    """After four tries the last problem is told."""
    server.first.extend(answering(lambda: problem(503, "busy")) for _ in range(9))

    with pytest.raises(ApiProblem, match="busy"):
        await api.version()
    assert len(server.asked) == 4


async def test_a_broken_connection_is_asked_again(api: ApiClient, server: StandIn) -> None:
    """Where asking changes nothing."""
    server.first.append(breaking)

    assert (await api.version()).version == "1"


async def test_a_command_is_sent_again_under_its_id(api: ApiClient, server: StandIn) -> None:
    """So that it is carried out once, though its first answer was lost."""
    server.answers["POST", COMMANDS] = (200, DONE)
    server.first.append(breaking)
    outcome = await api.command("default", "checkout", PAUSE)
    ids = [json.loads(each.body)["id"] for each in server.asked]

    assert outcome.state == "done"
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_an_apply_whose_answer_was_lost_is_not_sent_again(api: ApiClient, server: StandIn) -> None:
    """It may have been done, and then would be told as unchanged."""
    server.first.append(breaking)

    with pytest.raises(ServerAway):
        await api.apply(("default", "checkout"), b"{}")
    assert len(server.asked) == 1


async def test_an_apply_that_was_not_done_is_sent_again(api: ApiClient, server: StandIn) -> None:
    """The server said so."""
    server.answers["PUT", "/rollouts/default/checkout"] = (
        200,
        {"outcome": "created", "dryRun": False, "resource": document(), "warnings": []},
    )
    server.first.append(answering(lambda: problem(503, "busy")))

    assert (await api.apply(("default", "checkout"), b"{}")).outcome == "created"


async def test_a_command_says_what_was_given_and_no_more(api: ApiClient, server: StandIn) -> None:
    """In the words of the API."""
    server.answers["POST", COMMANDS] = (200, DONE)
    request = CommandRequest(action=Action.PROMOTE, full=True, reason="why", id="a")
    await api.command("default", "checkout", request, wait_seconds=99)

    assert json.loads(server.asked[0].body) == {"action": "promote", "full": True, "reason": "why", "id": "a"}
    assert server.asked[0].query == {"wait": "30"}


async def test_a_problem_is_told_whole(api: ApiClient, server: StandIn) -> None:
    """Status, sentence, reason, each wrong field, and the command it is about."""
    wrong = {"field": "spec.steps[0].weight", "message": "is too large", "given": "500", "allowed": "0 to 100"}
    refused = {**DONE, "state": "refused"}
    server.first.append(
        answering(lambda: problem(422, "it is wrong", reason="IllegalInPhase", problems=[wrong], command=refused))
    )
    with pytest.raises(ApiProblem) as caught:
        await api.version()
    found = caught.value

    assert (found.status, found.detail, found.reason, found.code) == (
        422,
        "it is wrong",
        "IllegalInPhase",
        Code.REFUSED,
    )
    assert str(found.problems[0]) == "spec.steps[0].weight: is too large (given: 500); allowed: 0 to 100"
    assert found.command is not None
    assert found.command.state == "refused"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 1), (403, 1), (404, 1), (409, 2), (412, 2), (413, 2), (415, 2), (422, 2), (500, 1), (502, 1)],
)
async def test_a_status_decides_the_exit_code(api: ApiClient, server: StandIn, status: int, code: int) -> None:
    """2 where the question is refused as it is, 1 where it could not be looked at."""
    server.first.append(answering(lambda: problem(status, "no")))
    with pytest.raises(ApiProblem) as caught:
        await api.version()

    assert caught.value.code == code


async def test_a_fault_of_the_server_is_told_with_its_request(api: ApiClient, server: StandIn) -> None:
    """By which its log can be searched."""
    server.first.append(answering(lambda: problem(500, "the server has a fault")))

    with pytest.raises(ApiProblem, match=r"the server has a fault \(request abc\)"):
        await api.version()


async def test_a_problem_in_other_words_is_still_a_problem(api: ApiClient, server: StandIn) -> None:
    """As a proxy gives it."""
    server.first.append(answering(lambda: web.Response(status=502, text="<h1>Bad Gateway</h1>")))

    with pytest.raises(ApiProblem, match="<h1>Bad Gateway</h1>"):
        await api.version()


@pytest.mark.parametrize("body", ["", "[]", "<html>", '{"version": 1}'])
async def test_what_is_not_rollout_is_said(api: ApiClient, server: StandIn, body: str) -> None:
    """Instead of an error of a library."""
    server.first.append(answering(lambda: web.Response(text=body)))

    with pytest.raises(NotUnderstood, match="the answer is no Version"):
        await api.version()


async def test_nobody_is_followed_elsewhere(api: ApiClient, server: StandIn) -> None:
    """A token goes to the server that was named."""
    server.first.append(answering(lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})))

    with pytest.raises(NotUnderstood, match="answers 302"):
        await api.version()


async def test_a_field_of_a_later_version_does_no_harm(api: ApiClient, server: StandIn) -> None:
    """An answer may grow."""
    server.answers["GET", "/version"] = (200, {**VERSION, "more": 1})

    assert (await api.version()).runtime == "envoy"


async def test_a_server_that_is_not_there_is_told(server: StandIn, running: Running) -> None:
    """With its address and why."""
    running.stop()
    async with ApiClient(Connection(server.url), QUICK) as api:
        with pytest.raises(ServerAway, match=rf"cannot reach {server.url}: Connection refused"):
            await api.version()


async def test_a_server_that_is_back_within_the_tries_is_asked(server: StandIn, running: Running) -> None:
    """A restart takes a moment."""
    server.answers["GET", "/version"] = (200, VERSION)
    running.stop()
    limits = Limits(first_wait_seconds=0.05, longest_wait_seconds=0.2, tries=50)
    async with ApiClient(Connection(server.url), limits) as api:
        asked = asyncio.create_task(api.version())
        await asyncio.sleep(0)
        await asyncio.to_thread(running.start)

        assert (await asked).version == "1"


async def test_a_server_that_does_not_answer_in_time_is_told() -> None:
    """It took the connection and says nothing; it is not asked again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with ApiClient(Connection(url), Limits(seconds=0.05)) as api:
            with pytest.raises(TimedOut, match=f"{url} did not answer in time"):
                await api.version()


async def test_names_are_quoted(api: ApiClient, server: StandIn) -> None:
    """Whatever they hold, they stay one part of the path."""
    with pytest.raises(ApiProblem):
        await api.live("a/b", "..?x")

    assert server.asked[0].query == {}
    assert server.asked[0].path == "/api/v1/rollouts/a/b/..?x/live"


async def test_live_numbers_are_read(api: ApiClient, server: StandIn) -> None:
    """As the model has them."""
    server.live = live()

    assert await api.live("default", "checkout") == live()


async def test_an_answer_that_is_too_large_is_not_read(
    api: ApiClient, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory is not filled."""
    monkeypatch.setattr("rollout.cli.asking.MOST_BYTES", 1000)
    server.first.append(answering(lambda: web.Response(text="x" * 2000)))

    with pytest.raises(NotUnderstood, match="larger than 1000 bytes"):
        await api.version()


async def test_a_client_is_used_inside_its_context() -> None:
    """Outside there is no session."""
    api = ApiClient(Connection())

    with pytest.raises(RuntimeError, match="outside"):
        [part async for part in api.stream("/x")]


class TestTls:
    """An authority of one's own is trusted when it is given, and nothing else is."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> tuple[Path, Path]:
        """Return a certificate for 127.0.0.1 that signed itself, and its key."""
        require(shutil.which("openssl"), "no openssl on PATH")
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", "/CN=rollout", "-addext", "subjectAltName=IP:127.0.0.1"]
        command = ["openssl", *what, *names, "-out", str(cert), "-keyout", str(key)]
        subprocess.run(command, check=True, capture_output=True, timeout=20)
        return cert, key

    @pytest.fixture
    async def url(self, certificate: tuple[Path, Path]) -> AsyncIterator[str]:
        """Run a server with this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        app = web.Application()
        app.router.add_get("/api/v1/version", answering(lambda: web.json_response(VERSION)))
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()

    async def test_an_authority_that_is_given_is_trusted(self, url: str, certificate: tuple[Path, Path]) -> None:
        """The answer comes."""
        async with ApiClient(Connection(url, ca_file=certificate[0])) as api:
            assert (await api.version()).version == "1"

    async def test_a_certificate_that_nobody_vouches_for_is_refused(self, url: str) -> None:
        """The sentence says that it is the certificate."""
        async with ApiClient(Connection(url), QUICK) as api:
            with pytest.raises(ServerAway, match="certificate verify failed"):
                await api.version()

    @pytest.mark.parametrize("content", [None, "no certificate"])
    async def test_a_file_without_certificates_is_told(self, tmp_path: Path, content: str | None) -> None:
        """Before anybody is asked."""
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content, encoding="utf-8")

        with pytest.raises(ConfigurationError, match=r"--ca-file: cannot be used: .*; allowed: a file with PEM"):
            await ApiClient(Connection(ca_file=file)).__aenter__()


async def test_a_question_says_what_it_is() -> None:
    """And nothing more: a call holds no token."""
    assert "oken" not in repr(Call("GET", "/x"))
