"""Start hooks: who may call is known by the signature alone, and the same call has one effect."""

import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rollout.engine.table import Phase
from tests.api.signing import OTHER, SECRET, body_of, headers_of, start_hook
from tests.api.world import NO_LIMITS, OPERATOR, Reply, World, options, world


async def call(api: World, body: bytes, headers: Mapping[str, str] | None = None, *, hook: str = "ci") -> Reply:
    """Call a hook without a token, well signed unless other headers are given."""
    sent = headers_of(body) if headers is None else headers
    return await api.ask("POST", f"/api/v1/hooks/{hook}", token="", data=body, headers=sent)


# ---------------------------------------------------------------- what it does


async def test_a_signed_call_starts_an_attempt(tmp_path: Path) -> None:
    """Without any token; the command has the call's id and the hook's name."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        reply = await call(api, body_of(reason="pipeline 4711"))

        assert (reply.status, reply.json["id"], reply.json["action"]) == (200, "msg_1", "start")
        assert reply.headers["Location"] == "/api/v1/rollouts/shop/web/commands/msg_1"
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


async def test_an_id_belongs_to_what_it_first_said(tmp_path: Path) -> None:
    """Another payload under an id that was used is no second start."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.standing()
        await call(api, body_of())
        other = body_of(revision="3")
        reply = await call(api, other)

        assert reply.status == 200
        assert (api.state().attempt, api.state().revision) == (1, "2")


async def test_an_id_of_another_command_is_refused(tmp_path: Path) -> None:
    """As when a command is left by somebody else."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        await api.under_way()
        await api.command("pause", id="msg_1")
        reply = await call(api, body_of())

        assert (reply.status, reply.json["reason"]) == (409, "CommandIdTaken")


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
            await call(api, body, headers_of(body, age=-301)),
            await call(api, body, {}),
        ]

    said = [{name: value for name, value in reply.json.items() if name != "instance"} for reply in replies]
    assert {reply.status for reply in replies} == {401}
    assert said == [said[0]] * len(said)


async def test_an_unknown_hook_takes_as_long_as_a_wrong_signature(tmp_path: Path) -> None:
    """A file is read and a signature made in any case."""
    async with world(hooks=(start_hook(tmp_path),)) as api:
        body = body_of()
        wrong = headers_of(body, secret=OTHER)
        took: dict[str, list[float]] = {"ci": [], "none": []}
        for _ in range(60):
            for hook, times in took.items():
                began = time.perf_counter()
                await call(api, body, wrong, hook=hook)
                times.append(time.perf_counter() - began)

    known, unknown = (statistics.median(times) for times in took.values())
    assert unknown == pytest.approx(known, rel=0.5)


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
