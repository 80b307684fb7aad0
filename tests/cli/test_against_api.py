"""The command line against the real API: its application on a real socket, a real controller behind it."""

import asyncio
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from rollout.cli.main import app
from rollout.engine.table import Phase
from tests.api.world import VIEWER, WEB, World, manifest, world
from tests.waiting import until

Cli = Callable[..., Coroutine[None, None, Result]]


@pytest.fixture
async def api() -> AsyncIterator[World]:
    """Serve the API; its log would go to the standard output of the commands, which are in the same process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with world() as served:
        yield served


@pytest.fixture
def cli(api: World, tmp_path: Path) -> Cli:
    """Return the command line, asking the API as the operator."""

    async def call(*arguments: str, stdin: str | None = None, **environ: str) -> Result:
        own = {"ROLLOUT_CONFIG": str(tmp_path / "none.toml"), "ROLLOUT_SERVER": api.url, "ROLLOUT_NAMESPACE": "shop"}
        told = {**own, "ROLLOUT_TOKEN": api.token, **environ}
        return await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, input=stdin, env=told))

    return call


def written(tmp_path: Path, **spec: object) -> str:
    """Return the path of a manifest."""
    path = tmp_path / "web.yaml"
    path.write_text(json.dumps(manifest(WEB, **spec), indent=2), encoding="utf-8")
    return str(path)


async def test_a_rollout_from_its_manifest_to_its_end(api: World, cli: Cli, tmp_path: Path) -> None:
    """Applied, started, paused, resumed, promoted, undone, deleted: each in one sentence."""
    api.furnish()
    told = [await cli("apply", "-f", written(tmp_path))]
    await until(lambda: api.state().stable)
    told += [
        await cli("start", "web", "--revision", "2", "--reason", "it is time"),
        await cli("pause", "web"),
        await cli("resume", "web"),
        await cli("promote", "web", "--full"),
        await cli("watch", "web", "--timeout", "10s"),
        await cli("undo", "web"),
        await cli("watch", "web", "--timeout", "10s"),
        await cli("delete", "web"),
    ]

    assert [result.exit_code for result in told] == [0] * 9, [result.output for result in told]
    assert told[0].stdout == "Rollout shop/web: created\n"
    assert told[1].stdout.startswith("shop/web: ")
    assert "Promoted: web-v2 with revision 2" in told[5].stdout.splitlines()[-1]
    assert "Undone: web-v1" in told[7].stdout.splitlines()[-1]
    await until(lambda: not list(api.store.keys()))


async def test_waiting_for_an_apply_that_starts_nothing(api: World, cli: Cli, tmp_path: Path) -> None:
    """The same manifest once more after a rollback: exit code 0, and no word of the old attempt."""
    api.furnish()
    path = written(tmp_path)
    await cli("apply", "-f", path)
    await until(lambda: api.state().stable)
    await cli("start", "web", "--revision", "2")
    await cli("abort", "web")
    again = await cli("apply", "-f", path, "--wait", "--timeout", "10s")

    assert again.exit_code == 0, again.output
    assert again.stdout.splitlines()[-1] == ("shop/web: Nothing was started by this, so there is nothing to wait for.")


async def test_a_refusal_is_the_sentence_of_the_engine(api: World, cli: Cli) -> None:
    """With exit code 2; JSON has the outcome on standard output."""
    await api.standing()
    text, as_json = await cli("pause", "web"), await cli("pause", "web", "-o", "json")

    assert (text.exit_code, text.stdout) == (2, "")
    assert text.stderr == "error: pause is legal in phase Progressing; the phase is Idle\n"
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["reason"] == "IllegalInPhase"


async def test_lists_and_resources(api: World, cli: Cli) -> None:
    """As tables, names and whole resources."""
    await api.under_way()
    table, one, names = await cli("get"), await cli("get", "web"), await cli("get", "-A", "-o", "name")
    resource = json.loads((await cli("get", "web", "-o", "json")).stdout)

    assert table.stdout.split()[9:17] == ["shop", "web", "Progressing", "1/2", "10%", "web-v1", "2", "Normal"]
    assert one.stdout.split()[:-1] == table.stdout.split()[:-1], "all but the age"
    assert names.stdout == "shop/web\n"
    assert resource["kind"] == "Rollout"
    assert resource["status"]["step"] == 1


async def test_what_get_gives_apply_takes(api: World, cli: Cli) -> None:
    """A list of resources goes back as it came, and changes nothing."""
    await api.under_way()
    listed = await cli("get", "-o", "yaml")
    again = await cli("apply", "-f", "-", stdin=listed.stdout)

    assert again.exit_code == 0, again.output
    assert again.stdout == "Rollout shop/web: unchanged\n"


async def test_describe_and_history(api: World, cli: Cli) -> None:
    """Tell where it stands and what happened."""
    await api.under_way()
    described, history = await cli("describe", "web"), await cli("history", "web", "--all")

    assert described.exit_code == 0, described.output
    assert "Step:          1 of 2" in described.stdout
    assert "web-v2 (canary): weight 10, 2 of 2 endpoints ready" in described.stdout
    assert history.stdout.splitlines()[1].split()[2:4] == ["Progressing", "1"]


async def test_apply_starts_and_waits(api: World, cli: Cli, tmp_path: Path) -> None:
    """A rollback meanwhile ends it with 3."""
    api.furnish()
    await cli("apply", "-f", written(tmp_path))
    await until(lambda: api.state().stable)
    waiting = asyncio.create_task(cli("apply", "-f", written(tmp_path), "--start", "7", "--wait", "--timeout", "20s"))
    await api.until_phase(Phase.PROGRESSING)
    await api.command("abort")
    result = await waiting

    assert result.exit_code == 3, result.output
    assert "Rolled back: aborted by olga." in result.stdout.splitlines()[-1]


async def test_apply_waits_for_a_new_revision_in_the_manifest(api: World, cli: Cli, tmp_path: Path) -> None:
    """Once the controller has taken the manifest up, the attempt that it began."""
    api.furnish()
    await cli("apply", "-f", written(tmp_path))
    await until(lambda: api.state().stable)
    short = written(tmp_path, revision="2", steps=[{"weight": 10, "hold": "1ms"}])
    result = await cli("apply", "-f", short, "--wait", "--timeout", "20s")

    assert result.exit_code == 0, result.output
    assert "Promoted: web-v2 with revision 2" in result.stdout.splitlines()[-1]


async def test_what_the_server_finds_wrong_is_told_with_its_line(api: World, cli: Cli, tmp_path: Path) -> None:
    """As lint tells it: here a policy that is nowhere."""
    path = written(tmp_path, policy={"kind": "RolloutPolicy", "name": "nowhere"})
    result = await cli("apply", "-f", path)

    assert result.exit_code in {0, 2}
    assert "nowhere" in result.stderr


async def test_a_dry_run_changes_nothing(api: World, cli: Cli, tmp_path: Path) -> None:
    """And shows what would be."""
    result = await cli("apply", "-f", written(tmp_path), "--dry-run", "-o", "json")
    (item,) = json.loads(result.stdout)["items"]

    assert (item["outcome"], item["dryRun"]) == ("created", True)
    assert not list(api.store.keys())


async def test_policies_go_before_rollouts(api: World, cli: Cli, tmp_path: Path) -> None:
    """Wherever they stand in the files."""
    written(tmp_path, policy={"kind": "ClusterRolloutPolicy", "name": "calm"}, steps=None)
    policy = {
        "apiVersion": "rollout.dev/v1alpha1",
        "kind": "ClusterRolloutPolicy",
        "metadata": {"name": "calm"},
        "spec": {"steps": [{"weight": 10, "hold": "1h"}]},
    }
    (tmp_path / "z.json").write_text(json.dumps(policy), encoding="utf-8")
    result = await cli("apply", "-f", str(tmp_path))
    listed = await cli("get", "policies")

    assert result.stdout == "ClusterRolloutPolicy calm: created\nRollout shop/web: created\n", result.output
    assert listed.stdout.splitlines()[1].split() == ["ClusterRolloutPolicy", "-", "calm", "-"]


async def test_a_viewer_may_look_and_not_touch(api: World, cli: Cli) -> None:
    """Exit code 1, with the sentence of the server."""
    await api.standing()
    looked = await cli("get", "web", ROLLOUT_TOKEN=VIEWER)
    touched = await cli("start", "web", "--revision", "2", ROLLOUT_TOKEN=VIEWER)
    unknown = await cli("get", ROLLOUT_TOKEN="nobody-knows-this")

    assert [looked.exit_code, touched.exit_code, unknown.exit_code] == [0, 1, 1]
    assert "victor" in touched.stderr
    assert "nobody-knows-this" not in unknown.output


async def test_the_version_of_the_server(api: World, cli: Cli) -> None:
    """Beside that of the program."""
    result = await cli("version", "--server", "-o", "json")

    assert json.loads(result.stdout)["runtime"] == "envoy"


async def test_what_is_not_there_ends_with_1(cli: Cli) -> None:
    """For every command."""
    commands = [
        ["get", "no"],
        ["describe", "no"],
        ["history", "no"],
        ["watch", "no"],
        ["pause", "no"],
        ["delete", "no"],
    ]
    told = [await cli(*command) for command in commands]

    assert [result.exit_code for result in told] == [1] * 6, [result.output for result in told]


async def test_names_are_completed(api: World, cli: Cli) -> None:
    """From the server, with what was typed so far in mind."""
    await api.standing()
    words = {"COMP_WORDS": "rollout describe w", "COMP_CWORD": "2", "_ROLLOUT_COMPLETE": "complete_bash"}
    found = await asyncio.to_thread(_completed, api, words)

    assert found == "web\n"


def _completed(api: World, words: dict[str, str]) -> str:
    env = {
        "ROLLOUT_CONFIG": "/nonexistent",
        "ROLLOUT_SERVER": api.url,
        "ROLLOUT_NAMESPACE": "shop",
        "ROLLOUT_TOKEN": api.token,
    }
    return CliRunner().invoke(app, [], env=env | words, prog_name="rollout").stdout


@pytest.mark.real
async def test_events_are_followed_until_interrupted(api: World) -> None:
    """A line each, in order; Ctrl-C ends it as it ends any program."""
    await api.under_way()
    env = os.environ | {"ROLLOUT_CONFIG": "/nonexistent", "ROLLOUT_SERVER": api.url, "ROLLOUT_TOKEN": api.token}
    command = [sys.executable, "-m", "rollout", "events", "-A", "-o", "json"]
    following = await asyncio.create_subprocess_exec(*command, env=env, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(20):
            assert following.stdout is not None
            assert following.stderr is not None
            assert await following.stderr.readline() == b"following; Ctrl-C ends it\n"
            for action in ("pause", "resume", "abort"):
                await api.command(action)
            told = [json.loads(await following.stdout.readline()) for _ in range(4)]
            following.send_signal(signal.SIGINT)
            rest = await following.stderr.read()
            code = await following.wait()
    finally:
        if following.returncode is None:
            following.kill()
            await following.wait()

    assert [each["transition"]["phase"] for each in told] == ["Paused", "Progressing", "Aborting", "Aborted"]
    assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
    assert (code, rest) == (130, b"")
