"""`rollout notify`, against the real API and against a sink; and what `rollout describe` says of sinks."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
import structlog
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from rollout.api.sink_models import NotifiedView, SinkView
from rollout.cli.completion import sink_names
from rollout.cli.main import app
from rollout.cli.sink_rows import COLUMNS, WIDE, describe_sinks, row_of
from rollout.errors import PermanentError, Unavailable
from rollout.signals import SinkStanding
from tests.api.world import VIEWER, World, world
from tests.fakes.sinks import FakeDesk
from tests.notify.stands.faults import answers
from tests.notify.stands.server import standing
from tests.notify.stands.slack_hook import SlackHook

Cli = Callable[..., Coroutine[None, None, Result]]
NOW = 10_000.0
CHAT = SinkStanding("team-shop", "Slack", delivered=3, delivered_at=NOW)
BUS = SinkStanding("bus", "CloudEvents", failed=4, pending=2, lag_seconds=65.0, problem="nobody answers within 5 s")


@pytest.fixture
def desk() -> FakeDesk:
    """Return two sinks, one of which is in trouble."""
    return FakeDesk(CHAT, BUS)


@pytest.fixture
async def api(desk: FakeDesk) -> AsyncIterator[World]:
    """Serve the API; its log would go to the standard output of the commands, which are in the same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with world(desk=desk) as served:
        yield served


async def run(*arguments: str, **environ: str) -> Result:
    """Run the command line in a thread."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=environ))


@pytest.fixture
def cli(api: World, tmp_path: Path) -> Cli:
    """Return the command line, asking the API as the operator."""

    async def call(*arguments: str, **environ: str) -> Result:
        own = {"ROLLOUT_CONFIG": str(tmp_path / "none.toml"), "ROLLOUT_SERVER": api.url, "ROLLOUT_TOKEN": api.token}
        return await run(*arguments, **{**own, **environ})

    return call


# ---------------------------------------------------------------- list


async def test_sinks_are_listed_as_a_table(cli: Cli) -> None:
    """In the order of the file; what is wrong stands last."""
    result = await cli("notify", "list")
    title, chat, bus = result.stdout.splitlines()

    assert title.split() == [column.title for column in COLUMNS]
    assert chat.split() == ["team-shop", "Slack", "ok", "3", "0", "0", "-", "-"]
    assert bus.split("  ")[-1].strip() == "nobody answers within 5 s"
    assert bus.split()[:7] == ["bus", "CloudEvents", "ok", "0", "4", "2", "1m05s"]


async def test_a_wide_table_has_all_columns(cli: Cli) -> None:
    """With what was folded, and how long ago."""
    result = await cli("notify", "list", "-o", "wide")

    assert result.stdout.splitlines()[0].split() == [column.title for column in WIDE]


async def test_sinks_are_listed_for_programs(cli: Cli) -> None:
    """As JSON and as YAML."""
    as_json = json.loads((await cli("notify", "list", "-o", "json")).stdout)
    as_yaml = YAML(typ="safe").load((await cli("notify", "list", "-o", "yaml")).stdout)

    assert [item["name"] for item in as_json["items"]] == ["team-shop", "bus"]
    assert as_yaml == as_json


async def test_without_sinks_it_says_where_they_are_set_up(desk: FakeDesk, cli: Cli) -> None:
    """On standard error: there is nothing to list."""
    desk.known = ()
    result = await cli("notify", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "the setting sinks of rollout serve" in result.stderr


VIEW = SinkView(
    name="a",
    kind="Slack",
    delivered=1,
    failed=2,
    folded=3,
    passed_over=7,
    pending=4,
    lag_seconds=0.0,
    delivered_at=NOW - 130,
    problem="",
    problem_at=NOW - 5,
    closed_until=None,
    quiet=False,
)


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({}, "ok"),
        ({"quiet": True}, "quiet"),
        ({"closed_until": NOW + 65, "quiet": True}, "closed 1m05s"),
        ({"closed_until": NOW - 1}, "ok"),
    ],
)
def test_the_state_of_a_sink_is_one_word(changed: dict[str, object], state: str) -> None:
    """Closed says for how long."""
    assert row_of(VIEW.model_copy(update=changed), now=NOW)[2] == state


def test_the_age_of_an_error_that_is_over_is_not_shown() -> None:
    """What was delivered since made it good."""
    assert row_of(VIEW, now=NOW, wide=True)[-5:] == ["3", "7", "2m", "-", "-"]
    assert row_of(VIEW.model_copy(update={"problem": "x"}), now=NOW, wide=True)[-2:] == ["5s", "x"]


def test_a_sink_gives_no_orders_to_the_terminal() -> None:
    """What a sink answered is escaped."""
    assert row_of(VIEW.model_copy(update={"problem": "\x1b[2Jx"}), now=NOW)[-1] == "\\x1b[2Jx"


# ---------------------------------------------------------------- test


async def test_a_trial_is_sent_by_the_service(desk: FakeDesk, cli: Cli) -> None:
    """It says who asked for it."""
    result = await cli("notify", "test", "team-shop")

    assert (result.exit_code, result.stdout) == (0, "Sink team-shop has taken a message for trial.\n")
    assert desk.tried == [("team-shop", "olga")]


async def test_a_trial_answers_programs(cli: Cli) -> None:
    """As JSON."""
    result = await cli("notify", "test", "team-shop", "-o", "json")

    assert json.loads(result.stdout)["sink"] == "team-shop"


@pytest.mark.parametrize("failure", [PermanentError("the token was revoked"), Unavailable("nobody answers")])
async def test_a_trial_that_fails_says_why_and_is_not_tried_again(
    desk: FakeDesk, cli: Cli, failure: PermanentError | Unavailable
) -> None:
    """People would be disturbed by a command that tries by itself."""
    desk.failure = failure
    result = await cli("notify", "test", "team-shop")

    assert (result.exit_code, result.stdout) == (1, "")
    assert str(failure) in result.stderr
    assert desk.asked == 1


@pytest.mark.parametrize(("sink", "token"), [("chta", ""), ("team-shop", VIEWER)])
async def test_a_trial_that_is_not_possible_is_refused(cli: Cli, sink: str, token: str) -> None:
    """There is no such sink, or the caller may not."""
    result = await cli("notify", "test", sink, **({"ROLLOUT_TOKEN": token} if token else {}))

    assert (result.exit_code, result.stdout) == (1, "")


@pytest.fixture
async def hook() -> AsyncIterator[SlackHook]:
    """Stand in for Slack."""
    async with standing(SlackHook()) as stand:
        yield stand


def file_of(folder: Path, hook: SlackHook) -> str:
    """Write a file with one sink."""
    (folder / "sinks.yaml").write_text(f"sinks:\n- {{name: team-shop, kind: Slack, url: '{hook.url}'}}\n")
    return str(folder / "sinks.yaml")


async def test_a_trial_goes_from_here_without_a_server(tmp_path: Path, hook: SlackHook) -> None:
    """The sink gets one message, and the address stays unsaid."""
    result = await run("notify", "test", "team-shop", "--sinks", file_of(tmp_path, hook))

    assert (result.exit_code, result.stdout) == (0, "Sink team-shop has taken a message for trial.\n")
    assert len(hook.taken) == 1
    assert hook.path not in result.output


async def test_a_trial_from_here_that_fails_says_why(tmp_path: Path, hook: SlackHook) -> None:
    """Without the address."""
    hook.faults.append(answers(404))
    result = await run("notify", "test", "team-shop", "--sinks", file_of(tmp_path, hook))

    assert (result.exit_code, result.stdout) == (1, "")
    assert "404" in result.stderr
    assert hook.path not in result.output


async def test_a_trial_from_here_of_an_unknown_sink_names_those_that_are_there(tmp_path: Path, hook: SlackHook) -> None:
    """So that one can be chosen."""
    result = await run("notify", "test", "chat", "--sinks", file_of(tmp_path, hook))

    assert (result.exit_code, "there is: team-shop" in result.stderr) == (1, True)


async def test_a_trial_from_here_needs_a_sound_file(tmp_path: Path) -> None:
    """Exit code 2: what was given is wrong."""
    result = await run("notify", "test", "chat", "--sinks", str(tmp_path / "none.yaml"))

    assert (result.exit_code, "none.yaml: cannot be read" in result.stderr) == (2, True)


# ---------------------------------------------------------------- completion


class Typed:
    """What was typed before."""

    def __init__(self, **params: object) -> None:
        """Have these flags."""
        self.params = params


async def test_names_of_sinks_are_completed(api: World, tmp_path: Path, hook: SlackHook) -> None:
    """Those of the service, or of the file that was typed."""
    token = tmp_path / "token"
    token.write_text(api.token)
    token.chmod(0o600)
    there = Typed(server=api.url, token_file=token)
    here = Typed(sinks=file_of(tmp_path, hook))

    assert await asyncio.to_thread(sink_names, there, "te") == ["team-shop"]
    assert sink_names(here, "") == ["team-shop"]
    assert sink_names(Typed(sinks=tmp_path / "none.yaml"), "") == []
    assert sink_names(Typed(server="nonsense"), "") == []


# ---------------------------------------------------------------- describe


def test_describe_says_how_far_each_sink_was_told() -> None:
    """The last delivered transition, how many came after, for how long, and why."""
    told = NotifiedView(sink="bus", number=7, at=NOW - 30, behind=2, lag_seconds=20.0, problem="nobody answers")
    never = NotifiedView(sink="chat", number=0, at=None, behind=0, lag_seconds=0.0, problem="")
    lines = [line.split() for line in describe_sinks([told, never], now=NOW)]

    assert lines == [
        ["Notified:"],
        ["SINK", "TOLD", "AGE", "BEHIND", "LAG", "LAST-ERROR"],
        ["bus", "#7", "30s", "2", "20s", "nobody", "answers"],
        ["chat", "-", "-", "0", "-", "-"],
    ]


def test_describe_says_nothing_where_nobody_is_told() -> None:
    """There is no empty table."""
    assert list(describe_sinks([], now=time.time())) == []
