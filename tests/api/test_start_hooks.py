"""Start hooks: who may call is known by the signature alone, and the same call has one effect."""

import asyncio
import json
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from standardwebhooks import Webhook
from structlog.testing import capture_logs

from rollout.api import hook_signatures
from rollout.aside import THREAD
from rollout.engine.state import MOST_HANDLED
from rollout.engine.table import Phase
from rollout.webhooks import MOST_SECRETS, read_secrets
from tests.api.signing import OTHER, SECRET, body_of, headers_of, start_hook
from tests.api.world import NO_LIMITS, OPERATOR, Reply, World, options, world
from tests.waiting import patient


async def call(api: World, body: bytes, headers: Mapping[str, str] | None = None, *, hook: str = "ci") -> Reply:
    """Call a hook without a token, well signed unless other headers are given."""
    sent = headers_of(body) if headers is None else headers
    return await api.ask("POST", f"/api/v1/hooks/{hook}", token="", data=body, headers=sent)


# ---------------------------------------------------------------- what it does


async def test_a_signed_call_starts_an_attempt(tmp_path: Path) -> None:
    """Without any token; the command has an id with the hook's name in it, and can be asked for."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        reply = await call(api, body_of(reason="pipeline 4711"))

        known = reply.json["id"]
        assert (reply.status, reply.json["action"], known.startswith("hook-ci-")) == (200, "start", True)
        assert reply.headers["Location"] == f"/api/v1/rollouts/shop/web/commands/{known}"
        assert (api.state().phase, api.state().revision) == (Phase.PROGRESSING, "2")
        assert "was started by hook ci" in api.state().transitions[-1].message
        assert "pipeline 4711" in api.state().transitions[-1].message


async def test_the_same_call_again_does_nothing_again(tmp_path: Path) -> None:
    """A retry, signed anew, and a replay: both are answered what became of the first."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        first = headers_of(body, age=20)
        replies = [await call(api, body, headers) for headers in (first, headers_of(body), first)]

        assert [reply.status for reply in replies] == [200, 200, 200]
        assert [reply.json for reply in replies] == [replies[0].json] * 3
        assert api.state().attempt == 1


@pytest.mark.parametrize("other", [{"revision": "3"}, {"reason": "another"}])
async def test_an_id_belongs_to_what_it_first_said(tmp_path: Path, other: Mapping[str, str]) -> None:
    """Another payload under an id that was used is refused, and starts nothing."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        await call(api, body_of())
        reply = await call(api, body_of(**other))

        assert (reply.status, reply.json["reason"]) == (409, "CommandIdTaken")
        assert (api.state().attempt, api.state().revision) == (1, "2")


async def test_two_hooks_never_mean_the_same_command(tmp_path: Path) -> None:
    """Each CI system counts its builds from 1."""
    (tmp_path / "nightly").mkdir()
    hooks = (start_hook(tmp_path), start_hook(tmp_path / "nightly", OTHER, name="nightly"))
    async with world(hooks=hooks) as api:
        await api.standing()
        await call(api, body_of())
        body = body_of(revision="9")
        reply = await call(api, body, headers_of(body, secret=OTHER), hook="nightly")

        assert reply.status == 200
        assert (api.state().attempt, api.state().revision) == (2, "9")


async def test_an_id_of_a_person_is_not_that_of_a_call(tmp_path: Path) -> None:
    """Who leaves commands by hand may have chosen the same."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.under_way()
        await api.command("pause", id="msg_1")
        reply = await call(api, body_of(revision="3"))

        assert (reply.status, api.state().revision) == (200, "3")


async def other_commands(api: World) -> None:
    """Give as many as a Rollout remembers."""
    for _ in range(MOST_HANDLED // 2):
        assert [(await api.command(action)).status for action in ("pause", "resume")] == [200, 200]


async def test_a_replay_does_nothing_however_many_commands_came_after_it(tmp_path: Path) -> None:
    """It is answered what the call was answered; nothing of it is among the handled commands any more."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        first = await call(api, body_of())
        newer = body_of(revision="3")
        await call(api, newer, headers_of(newer, id="msg_2"))
        await other_commands(api)
        replay = await call(api, body_of())
        changed = await call(api, body_of(revision="4"))

        assert (replay.status, replay.json) == (200, first.json)
        assert (changed.status, changed.json["reason"]) == (409, "CommandIdTaken")
        assert (api.state().attempt, api.state().revision) == (2, "3")


async def test_a_call_that_nobody_knows_the_end_of_is_not_made_again(tmp_path: Path) -> None:
    """An abort took the place of the start before it was carried out: a replay is no start after the abort."""
    async with world(controlling=False, hooks=(start_hook(tmp_path),)) as api:
        await api.apply()
        body = body_of()
        path = "/api/v1/hooks/ci?wait=0"
        left = await api.ask("POST", path, token="", data=body, headers=headers_of(body))
        await api.command("abort", wait="0")
        replay = await api.ask("POST", path, token="", data=body, headers=headers_of(body))

    assert (left.status, replay.status, replay.json["reason"]) == (202, 409, "CommandIdTaken")


async def test_a_start_that_is_refused_says_why(tmp_path: Path) -> None:
    """As a command does."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        await call(api, body_of())
        body = body_of()
        reply = await call(api, body, headers_of(body, id="msg_2"))

        assert (reply.status, reply.json["reason"]) == (409, "RevisionAlreadyAtWork")


# ---------------------------------------------------------------- who may not


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v2,c2lnbmF0dXJl v1,c2lnbmF0dXJl"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e400"},
        {"webhook-timestamp": ""},
        {"webhook-id": ""},
        {"webhook-id": "msg_2"},
        {"Authorization": f"Bearer {OPERATOR}", "webhook-signature": ""},
    ],
)
async def test_a_call_that_is_not_signed_is_refused(tmp_path: Path, wrong: Mapping[str, str]) -> None:
    """Whatever stands in its headers, a token included."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        reply = await call(api, body, {**headers_of(body), **wrong})

        assert (reply.status, reply.json["title"]) == (401, "A token is needed")
        assert api.state().attempt == 0


async def test_strangers_are_all_answered_alike(tmp_path: Path) -> None:
    """An unknown hook, another's secret, another body, an old call: nobody learns which it was."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        body = body_of()
        replies = [
            await call(api, body, hook="none"),
            await call(api, body, headers_of(body, secret=OTHER)),
            await call(api, body + b" ", headers_of(body)),
            await call(api, body, headers_of(body, age=301)),
            await call(api, body, headers_of(body, age=-40)),
            await call(api, body, {}),
        ]

    said = [{name: value for name, value in reply.json.items() if name != "instance"} for reply in replies]
    assert {reply.status for reply in replies} == {401}
    assert said == [said[0]] * len(said)


@pytest.mark.parametrize("age", [-20, 280])
async def test_clocks_may_differ_by_seconds(tmp_path: Path, age: float) -> None:
    """A call may be on its way for a while, and come from a clock that is a little ahead."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        reply = await call(api, body, headers_of(body, age=age))

    assert reply.status == 200


@pytest.mark.parametrize("lines", [1, 4])
@pytest.mark.parametrize("hook", ["ci", "none"])
async def test_an_unknown_hook_costs_what_a_wrong_signature_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: str, lines: int
) -> None:
    """One file is read and as many signatures are made, however many secrets are in it."""
    done: list[str] = []

    def reading(file: Path) -> tuple[Webhook, ...]:
        done.append("read")
        return read_secrets(file)

    def checking(secret: Webhook, data: bytes, headers: dict[str, str], *, json_parse: bool = True) -> object:
        done.append("check")
        return checked(secret, data, headers, json_parse=json_parse)

    checked = Webhook.verify
    monkeypatch.setattr(hook_signatures, "read_secrets", reading)
    monkeypatch.setattr(Webhook, "verify", checking)
    async with world(hooks=(start_hook(tmp_path, "\n".join([SECRET] * lines)),)) as api:
        body = body_of()
        reply = await call(api, body, headers_of(body, secret=OTHER), hook=hook)

    assert (reply.status, done) == (401, ["read"] + ["check"] * MOST_SECRETS)


async def test_without_hooks_there_is_nothing_to_call() -> None:
    """Also without a file of hooks the answer is the same."""
    async with world() as api:
        body = body_of()
        reply = await call(api, body)

    assert reply.status == 401


@pytest.mark.parametrize("secret", ["", "nothing of the kind"])
async def test_a_hook_whose_secret_cannot_be_used_takes_no_call(tmp_path: Path, secret: str) -> None:
    """The log says which file; the caller learns nothing."""
    async with world(hooks=(start_hook(tmp_path, secret),)) as api:
        body = body_of()
        with capture_logs() as lines:
            reply = await call(api, body)

    told = [line for line in lines if line["event"] == "a start hook cannot be used"]
    assert (reply.status, len(told)) == (401, 1)
    assert told[0]["file"].endswith("hook.secret")


async def test_strangers_write_few_lines(tmp_path: Path) -> None:
    """One of a kind a minute for each hook, and none about a hook that nobody called."""
    async with world(hooks=(start_hook(tmp_path, ""),)) as api:
        body = body_of()
        with capture_logs() as lines:
            for hook in ("none", "never", "ci", "ci"):
                await call(api, body, hook=hook)

    told = [(line["event"], line["hook"]) for line in lines if "hook" in line]
    assert told == [
        ("a call of a start hook was not accepted", "(unknown)"),
        ("a start hook cannot be used", "ci"),
        ("a call of a start hook was not accepted", "ci"),
    ]


async def test_a_file_that_is_not_read_in_time_takes_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many calls wait in one thread, which is none of those that the rest of the service needs."""
    held, begun = threading.Event(), list[str]()

    def reading(_file: Path) -> tuple[Webhook, ...]:
        begun.append(threading.current_thread().name)
        held.wait(patient(30.0))
        return ()

    monkeypatch.setattr(hook_signatures, "read_secrets", reading)
    monkeypatch.setattr(hook_signatures, "READING_SECONDS", 0.3)
    async with world(hooks=(start_hook(tmp_path),)) as api:
        body = body_of()
        replies = await asyncio.gather(*(call(api, body) for _ in range(20)))
        held.set()

    assert ({reply.status for reply in replies}, begun) == ({401}, [THREAD])


async def test_a_changed_secret_is_taken_at_once(tmp_path: Path) -> None:
    """Two may stand in the file while one takes the place of another."""
    hook = start_hook(tmp_path)
    async with world(hooks=(hook,)) as api:
        await api.standing()
        body = body_of()
        start_hook(tmp_path, f"{OTHER}\n{SECRET}")
        both = [(await call(api, body, headers_of(body, secret=secret))).status for secret in (OTHER, SECRET)]
        start_hook(tmp_path, OTHER)
        old = (await call(api, body)).status

    assert (both, old) == ([200, 200], 401)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"namespace": "bank"}, 403),
        ({"rollout": "admin"}, 403),
        ({"rollout": "web-2"}, 404),
        ({}, 200),
    ],
)
async def test_a_hook_starts_only_what_the_file_lets_it(
    tmp_path: Path, fields: Mapping[str, object], status: int
) -> None:
    """Namespaces by name, Rollouts by pattern; only of those is it told which there are."""
    async with world(hooks=(start_hook(tmp_path, rollouts=["web*"]),)) as api:
        await api.standing()
        body = body_of(**fields)
        reply = await call(api, body)

    assert reply.status == status


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"\xff", 401),
        (b'{"namespace": "shop", "namespace": "bank"}', 400),
        (body_of(revision=None), 422),
        (body_of(action="abort"), 422),
        (body_of(revision=7), 422),
        (body_of(reason="x" * 16 * 1024), 413),
    ],
)
async def test_what_cannot_be_read_is_refused(tmp_path: Path, body: bytes, status: int) -> None:
    """Also where it is well signed."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        headers = headers_of(body_of() if body == b"\xff" else body)
        reply = await call(api, body, headers)

        assert reply.status == status
        assert api.state().attempt == 0


@pytest.mark.parametrize("given", ["-x", "a b", "x" * 65, "ä"])
async def test_an_id_that_no_command_can_have_is_refused(tmp_path: Path, given: str) -> None:
    """Well signed, too."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        signed = dict(headers_of(body, id=given))
        reply = await api.ask("POST", "/api/v1/hooks/ci", token="", data=body, headers=signed)

    assert reply.status in {400, 401}
    assert given != "-x" or reply.json["problems"][0]["field"] == "webhook-id"


async def test_a_form_is_not_taken(tmp_path: Path) -> None:
    """Only JSON is."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        body = body_of()
        reply = await call(api, body, {**headers_of(body), "Content-Type": "text/plain"})

    assert reply.status == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_only_a_post_goes_past_the_door(tmp_path: Path, method: str) -> None:
    """All else below it needs a token."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        without = await api.ask(method, "/api/v1/hooks/ci", token="")
        other = await api.ask("POST", "/api/v1/rollouts/shop/web/commands", token="", json={"action": "abort"})

    assert (without.status, other.status) == (401, 401)


# ---------------------------------------------------------------- how often


async def test_wrong_signatures_are_limited_and_right_ones_go_on(tmp_path: Path) -> None:
    """An address that guesses is slowed down; who has the secret is not."""
    limits = {**NO_LIMITS, "failures_per_minute": 3}
    async with world(given=options(**limits), hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        wrong = [(await call(api, body, headers_of(body, secret=OTHER))).status for _ in range(5)]
        right = await call(api, body)

    assert wrong == [401, 401, 401, 429, 429]
    assert right.status == 200


async def test_an_address_that_calls_too_often_costs_no_more_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is read for what comes beyond the limit of one caller."""
    read: list[Path] = []

    def reading(file: Path) -> tuple[Webhook, ...]:
        read.append(file)
        return read_secrets(file)

    monkeypatch.setattr(hook_signatures, "read_secrets", reading)
    limits = options(rate_per_second=1, burst=3)
    async with world(given=limits, hooks=(start_hook(tmp_path),)) as api:
        replies = [(await call(api, b"{}", {}, hook="none")).status for _ in range(20)]

    assert replies.count(429) == 20 - len(read)
    assert len(read) < 10


async def test_a_hook_may_not_call_too_often(tmp_path: Path) -> None:
    """As a token may not."""
    async with world(given=options(rate_per_second=1, burst=2), hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        body = body_of()
        replies = [await call(api, body) for _ in range(4)]

    assert 429 in {reply.status for reply in replies}
    assert "Retry-After" in replies[-1].headers


# ---------------------------------------------------------------- secrets


async def test_no_secret_is_in_a_line_or_an_answer(tmp_path: Path) -> None:
    """Neither of a good call nor of a bad one."""
    with capture_logs() as lines:
        async with world(hooks=(start_hook(tmp_path),)) as api:
            await api.standing()
            body = body_of()
            replies = [await call(api, body), await call(api, body, headers_of(body, secret=OTHER))]

    said = json.dumps([reply.content.decode() for reply in replies]) + str(lines)
    assert [part for part in (SECRET, OTHER, SECRET.removeprefix("whsec_"), "v1,") if part in said] == []
