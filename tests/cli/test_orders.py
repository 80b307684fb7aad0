"""The commands to a Rollout: what is asked, what is said, and the exit code."""

import json
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.conftest import Run
from tests.cli.standin import StandIn, answering, problem

PATH = "/rollouts/default/checkout/commands"


def outcome(action: str, state: str = "done", **fields: str) -> dict[str, str]:
    """Return what became of a command."""
    usual = {"id": "a", "action": action, "state": state, "reason": "Paused", "message": f"{action} was carried out"}
    return {**usual, **fields}


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["start", "checkout"], {"action": "start"}),
        (["start", "checkout", "--revision", "v2"], {"action": "start", "revision": "v2"}),
        (["pause", "checkout", "--reason", "lunch"], {"action": "pause", "reason": "lunch"}),
        (["resume", "checkout"], {"action": "resume"}),
        (["promote", "checkout"], {"action": "promote"}),
        (["promote", "checkout", "--full"], {"action": "promote", "full": True}),
        (["skip", "checkout"], {"action": "skip"}),
        (["approve", "checkout", "--step", "2"], {"action": "approve", "step": 2}),
        (["approve", "checkout"], {"action": "approve"}),
        (["approve", "checkout", "--epoch", "3"], {"action": "approve", "epoch": 3}),
        (["failover", "checkout"], {"action": "failover"}),
        (
            ["failover", "checkout", "--to", "dr", "--reason", "fire"],
            {"action": "failover", "to": "dr", "reason": "fire"},
        ),
        (["failback", "checkout", "--epoch", "3"], {"action": "failback", "epoch": 3}),
        (["unlatch", "checkout"], {"action": "unlatch"}),
        (["hold", "checkout"], {"action": "hold"}),
        (["drill", "checkout", "--reason", "practice"], {"action": "drill", "reason": "practice"}),
        (["abort", "checkout"], {"action": "abort"}),
        (["retry", "checkout"], {"action": "retry"}),
        (["undo", "default/checkout"], {"action": "undo"}),
        (["adopt", "checkout", "--stable", "v1"], {"action": "adopt", "stable": "v1"}),
    ],
)
def test_what_is_asked(server: StandIn, run: Run, arguments: list[str], asked: dict[str, object]) -> None:
    """The action and what was given, under an id that nobody else has."""
    server.answers["POST", PATH] = (200, outcome(arguments[0]))
    result = run(*arguments)
    body = json.loads(server.asked[0].body)

    assert (result.exit_code, result.stdout) == (0, f"default/checkout: {arguments[0]} was carried out\n")
    assert len(body.pop("id")) == 32
    assert body == asked


def test_json_is_alone_on_standard_output(server: StandIn, run: Run) -> None:
    """As the API answers it."""
    server.answers["POST", PATH] = (200, outcome("pause"))
    result = run("pause", "checkout", "-o", "json")

    assert json.loads(result.stdout) == outcome("pause")


def test_a_command_that_is_left_is_not_waited_for(server: StandIn, run: Run) -> None:
    """It is told with its id, and that is all that was asked for."""
    server.answers["POST", PATH] = (202, outcome("pause", "waiting", message=""))
    result = run("pause", "checkout", "--no-wait")

    assert (result.exit_code, result.stdout) == (0, "default/checkout: pause waits to be carried out (id a).\n")
    assert server.asked[0].query == {"wait": "0"}


def test_a_command_that_still_waits_ends_with_4(server: StandIn, run: Run) -> None:
    """After the time that was given; it is asked after under the same id."""
    server.answers["POST", PATH] = (202, outcome("pause", "waiting", message=""))
    result = run("pause", "checkout", "--wait", "300ms")
    ids = {json.loads(each.body)["id"] for each in server.asked}

    assert result.exit_code == 4
    assert len(server.asked) > 1
    assert len(ids) == 1


def test_what_is_carried_out_in_time_is_told(server: StandIn, run: Run) -> None:
    """Though it waited at first."""
    server.answers["POST", PATH] = (200, outcome("pause"))
    server.first.append(answering(lambda: web.json_response(outcome("pause", "waiting"), status=202)))

    assert run("pause", "checkout").stdout == "default/checkout: pause was carried out\n"


def test_a_refusal_is_the_sentence_of_the_server(server: StandIn, run: Run) -> None:
    """With exit code 2."""
    server.first.append(answering(lambda: problem(409, "pause is legal in phase Progressing; the phase is Idle")))
    result = run("pause", "checkout")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: pause is legal in phase Progressing; the phase is Idle\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pause", "checkout", "--reason", "a\nb"], "--reason"),
        (["start", "checkout", "--revision", ""], "--revision"),
        (["adopt", "checkout", "--stable", "a b"], "--stable"),
        (["adopt", "checkout"], "--stable"),
        (["approve", "checkout", "--step", "0"], "--step"),
        (["approve", "checkout", "--step", "1", "--epoch", "1"], "--epoch"),
        (["failover", "checkout", "--to", "a b"], "--to"),
        (["failback", "checkout"], "--epoch"),
        (["failback", "checkout", "--epoch", "0"], "--epoch"),
        (["failback", "checkout", "--epoch", "9007199254740992"], "--epoch"),
        (["drill", "checkout", "--wait", "soon"], "--wait"),
        (["pause", "checkout", "--wait", "long"], "--wait"),
        (["pause", "a b"], "can be no name"),
        (["pause"], "Missing argument"),
        (["pause", "checkout", "-o", "xml"], "xml"),
    ],
)
def test_a_wrong_command_line_asks_nobody(server: StandIn, run: Run, arguments: list[str], said: str) -> None:
    """It ends with 2 and names the flag."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert said in result.stderr
    assert not server.asked


def test_a_deletion_is_told_in_the_words_of_the_server(server: StandIn, run: Run) -> None:
    """It takes as long as the controller needs."""
    gone = {"namespace": "default", "name": "checkout", "message": "Stable gets all weight first."}
    server.answers["DELETE", "/rollouts/default/checkout"] = (202, gone)

    assert run("delete", "checkout").stdout == "default/checkout: Stable gets all weight first.\n"
    assert json.loads(run("delete", "checkout", "-o", "json").stdout) == gone


def test_several_are_deleted_one_after_the_other(server: StandIn, run: Run) -> None:
    """Up to the first that cannot be."""
    gone = {"namespace": "default", "name": "checkout", "message": "It goes."}
    server.answers["DELETE", "/rollouts/default/checkout"] = (202, gone)
    result = run("delete", "checkout", "nosuch", "other")

    assert (result.exit_code, result.stdout) == (1, "default/checkout: It goes.\n")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["calm"], "/policies/default/calm"),
        (["other/calm"], "/policies/other/calm"),
        (["calm", "--cluster"], "/cluster-policies/calm"),
    ],
)
def test_policies_are_deleted(server: StandIn, run: Run, arguments: list[str], path: str) -> None:
    """By their namespace and name, or those for all."""
    answer = {"kind": "K", "namespace": "", "name": "calm", "source": "", "resource": {}}
    server.answers["DELETE", path] = (200, answer)
    result = run("delete", "policies", *arguments)

    assert result.exit_code == 0
    assert result.stdout == f"K {path.removeprefix('/policies/').removeprefix('/cluster-policies/')}: deleted\n"


@pytest.mark.parametrize("arguments", [["policies"], ["checkout", "--cluster"], [], ["a b"]])
def test_a_deletion_that_is_not_clear_asks_nobody(server: StandIn, run: Run, arguments: list[str]) -> None:
    """It ends with 2."""
    assert run("delete", *arguments).exit_code == 2
    assert not server.asked


def test_a_server_that_is_away_ends_with_1(run: Run) -> None:
    """And says where it should be."""
    result = run("pause", "checkout", ROLLOUT_SERVER="http://127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stderr == "error: cannot reach http://127.0.0.1:1: Connection refused\n"


def test_without_a_token_the_way_to_one_is_told(server: StandIn, run: Run) -> None:
    """Beside the sentence of the server."""
    server.first.append(answering(lambda: problem(401, "a token is needed")))
    result = run("pause", "checkout")

    assert result.exit_code == 1
    assert result.stderr == "error: a token is needed; see `rollout context set --help` for how to give a token\n"


def test_a_terminal_takes_no_orders_from_the_server(server: StandIn, run: Run) -> None:
    """Whatever stands in its sentences."""
    server.answers["POST", PATH] = (200, outcome("pause", message="\x1b]0;x\x07"))

    assert run("pause", "checkout").stdout == "default/checkout: \\x1b]0;x\\x07\n"


def test_what_is_wrong_with_the_connection_is_told(run: Run) -> None:
    """Each problem on its line, with exit code 2."""
    result = run("pause", "checkout", "--context", "nosuch")

    assert result.exit_code == 2
    assert (
        result.stderr
        == "error: --context: is no context (given: nosuch); allowed: none is set; see rollout context set\n"
    )


def test_a_warning_goes_beside_the_answer(server: StandIn, run: Run, tmp_path: Path) -> None:
    """On standard error; here of a token that others may read."""
    file = tmp_path / "open.toml"
    file.write_text(f"current = 'a'\n[contexts.a]\nserver = '{server.url}'\ntoken = 'secret'\n", encoding="utf-8")
    file.chmod(0o644)
    server.answers["POST", PATH] = (200, outcome("pause"))
    result = run("pause", "checkout", ROLLOUT_CONFIG=str(file))

    assert result.stdout == "default/checkout: pause was carried out\n"
    assert result.stderr == f"warning: {file} holds a token and others may read it; run chmod 600\n"
