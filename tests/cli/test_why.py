"""`rollout why`: the sentence, what is missing and how long, what the checks see, who is ready."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from ruamel.yaml import YAML
from typer.testing import CliRunner

from rollout.api.models import Live
from rollout.cli.main import app
from rollout.cli.why_text import why_text
from tests.api.world import VIEWER, world
from tests.cli.answers import idle, live
from tests.cli.conftest import Run
from tests.cli.standin import Running, StandIn

CHECK = live().checks[0].model_dump(by_alias=True)
HOLDING = {"reason": "Holding", "message": "Step 2 of 4 at 25 %: 2m10s of 5m hold time left.", "seconds": 130}
TOO_FEW = {"reason": "TooFewRequests", "message": "Canary has had 820 of the 1000 requests.", "seconds": 240}
APPROVAL = {"reason": "WaitingForApproval", "message": "Step 2 of 4 needs an approval.", "seconds": None}
REQUESTS = {"canary": 820, "needed": 1000, "canaryInStep": 12, "neededInStep": 50, "perSecond": 3.0}


def told(found: Live, *, width: int = 120, bars: bool = True) -> str:
    """Return the answer as text, without the blanks at the ends of its lines."""
    console = Console(record=True, width=width, file=StringIO(), force_terminal=True, highlight=False)
    console.print(why_text(found, bars=bars))
    return "\n".join(line.rstrip() for line in console.export_text().splitlines())


def waiting(*missing: Mapping[str, object], **fields: Any) -> Live:  # noqa: ANN401 - any field
    """Return an attempt that waits for this."""
    return live(**{"missing": list(missing), "requests": REQUESTS, "nextStepInSeconds": None, **fields})


# ---------------------------------------------------------------- the text


def test_the_first_line_says_it_all() -> None:
    """Phase, reason and the sentence; then which Rollout it is, and where its attempt is."""
    lines = told(live()).splitlines()

    assert lines[:2] == [
        "Progressing, Holding: The hold time of step 2 is not over.",
        "default/checkout, attempt 3, revision v1.4.2, step 2 of 4",
    ]


def test_what_is_missing_is_a_list_with_durations() -> None:
    """Each thing once: hold time as the sentence has it, requests with their rate, a person without a time."""
    text = told(waiting(HOLDING, TOO_FEW, APPROVAL))

    assert (
        "Step 3 of 4 at 50% waits for (nobody knows how long):\n"
        "  - Step 2 of 4 at 25 %: 2m10s of 5m hold time left.\n"
        "  - Canary has had 820 of the 1000 requests. 180 more canary requests: about 4m00s at 0.75/s.\n"
        "  - Step 2 of 4 needs an approval.\n"
    ) in text


def test_how_long_it_takes_in_all_is_said() -> None:
    """Where all of it is known."""
    text = told(waiting(HOLDING, TOO_FEW, nextStepInSeconds=240))

    assert "Step 3 of 4 at 50% waits for (about 4m00s in all):" in text


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (
            {"reason": "WaitingForRequests", "message": "12 of 50 requests.", "seconds": 19},
            "12 of 50 requests. 38 more canary requests: about 19s at 2/s.",
        ),
        (
            {"reason": "TooFewRequests", "message": "Too few.", "seconds": None},
            "Too few. 180 more canary requests; at present none come.",
        ),
        (
            {"reason": "WaitingForFreshTick", "message": "No fresh sample.", "seconds": 8.2},
            "No fresh sample. About 8s.",
        ),
        ({"reason": "WaitingForGate", "message": "Gate ci: no.", "seconds": None}, "Gate ci: no."),
    ],
)
def test_each_thing_says_how_long_it_takes(missing: dict[str, object], line: str) -> None:
    """At present rates, where that can be known."""
    assert f"  - {line}\n" in told(waiting(missing))


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"canary": 1010, "seconds": 0.0}, "Too few. About 0s.\n"),
        ({"canary": 999, "seconds": 0.0}, "Too few. 1 more canary request: about 0s."),
    ],
)
def test_requests_that_are_there_are_not_missed(fields: dict[str, float], line: str) -> None:
    """Numbers of two moments may disagree by a few."""
    found = live(
        missing=[{"reason": "TooFewRequests", "message": "Too few.", "seconds": fields["seconds"]}],
        requests={**REQUESTS, "canary": fields["canary"]},
    )

    assert line in told(found)


def test_before_the_first_measurement_no_rate_is_known() -> None:
    """That is not the same as no traffic."""
    found = waiting({**TOO_FEW, "seconds": None}, requests={**REQUESTS, "perSecond": None})

    assert "180 more canary requests; how often they come is not known yet.\n" in told(found)


def test_a_reason_with_two_sentences_has_one_duration() -> None:
    """The plan that is too short and the requests that are too few wait for the same requests."""
    text = told(waiting({**TOO_FEW, "message": "The plan is too short."}, TOO_FEW))

    assert text.count("more canary requests") == 1
    assert "  - Canary has had 820 of the 1000 requests.\n" in text


def test_what_comes_next_is_named() -> None:
    """After the last step the promotion, after an abort the end of the rollback, else nothing is called a step."""
    write = {
        "reason": "WaitingForWrite",
        "message": "The intended weights are not in every route yet.",
        "seconds": None,
    }

    assert "The promotion waits for (nobody knows how long):" in told(waiting(HOLDING, APPROVAL, step=4))
    assert "The promotion waits for:" in told(waiting(write, phase="Promoting", step=4))
    assert "The end of the rollback waits for:" in told(waiting(write, phase="Aborting"))
    assert "The Rollout waits for:" in told(waiting(write, phase="Idle", step=0))


def test_a_step_that_nothing_holds_up_says_so() -> None:
    """The next look begins the next one."""
    assert "Step 3 of 4 at 50% waits for nothing more.\n" in told(waiting(nextStepInSeconds=0))


def test_a_pause_is_not_told_twice() -> None:
    """What the first line says already is no list."""
    paused = {"reason": "PausedByCommand", "message": "Paused by olga."}
    text = told(waiting({**paused, "seconds": None}, phase="Paused", **paused))

    assert text.count("Paused by olga.") == 1


def test_checks_are_a_table_with_bars() -> None:
    """Bad and all requests of both with their rates, the evidence as far as it is towards the limit, the sentence."""
    text = told(live())

    assert "errors  2/812 (0.25%)   1/2400 (0.04%)  ██████░░░░░░░░░░░░░░ 30%\n" in text
    assert "  - errors: Continue, 2 of 812 canary requests failed, 1 of 2400 of stable\n" in text
    assert "Verdict Continue, NotEnoughEvidence: Nothing speaks against the canary so far.\n" in text


def test_a_threshold_has_neither_counts_nor_evidence() -> None:
    """What was not counted is no rate."""
    nothing = {"bad": 0, "total": 0}
    queue = {**CHECK, "name": "queue", "limit": 0, "share": 0, "canary": nothing, "stable": nothing, "dryRun": True}
    text = told(live(checks=[queue]))

    assert [line.split() for line in text.splitlines() if line.startswith("queue")] == [
        ["queue", "(dry", "run)", "-", "-", "-"]
    ]


def test_backends_tell_their_weights_and_endpoints() -> None:
    """Where the route has another weight than intended, both are told; a backend that was not seen is said."""
    weights = {"intended": {"checkout-v1": 75, "checkout-v2": 25}, "observed": {"checkout-v1": 95, "checkout-v2": 5}}
    found = live(
        weights={**weights, "effective": "False"}, health={"checkout-v1": {"ready": 0, "total": 8, "known": True}}
    )
    text = told(found)

    assert "checkout-v1  stable  75 (the route has 95)  0 of 8 ready\n" in text
    assert "checkout-v2  canary  25 (the route has 5)   not seen yet\n" in text
    assert "Requests do not go to the backends as the weights say." in text


def test_problems_stand_at_the_end() -> None:
    """One in a line."""
    text = told(idle(phase="Invalid", problems=["spec.steps: there is no plan", "no route"]))

    assert text.endswith("Problems:\n  - spec.steps: there is no plan\n  - no route")


def test_a_command_that_waits_is_told() -> None:
    """With its id."""
    command = {"id": "x-1", "action": "abort", "state": "waiting", "reason": "", "message": "abort waits"}

    assert "Command:\n  - abort waits (id x-1)\n" in told(live(waiting=command))


def test_a_new_rollout_says_that_it_is_new() -> None:
    """Before the first look there is nothing else to tell."""
    nothing: dict[str, Any] = {"intended": {}, "observed": {}, "effective": "Unknown"}
    found = idle(phase="", reason="", message="", attempt=0, revision="", weights=nothing, health={})

    assert told(found) == "New: the controller has not looked at it yet.\ndefault/checkout"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_the_terminal(width: int) -> None:
    """No line is longer, and no duration is lost."""
    slow = {**CHECK, "name": "slower-than-250ms", "sentence": "canary answered " + "many requests slower " * 9}
    text = told(waiting(HOLDING, TOO_FEW, APPROVAL, checks=[CHECK, slow]), width=width)

    assert max(map(len, text.splitlines())) <= width
    assert "180 more canary requests: about 4m00s at 0.75/s." in " ".join(text.split())


@pytest.mark.parametrize("evil", ["\x1b]0;x\x07", "[red]x[/red]", "\u202e", "a\nb"])
def test_a_terminal_takes_no_orders(evil: str) -> None:
    """What others wrote is shown as it is written, markup included."""
    missing = {"reason": evil, "message": evil, "seconds": None}
    check = {**CHECK, "name": evil, "verdict": evil, "sentence": evil}
    command = {"id": "x", "action": evil, "state": "waiting", "reason": "", "message": evil}
    names: dict[str, Any] = {"name": evil, "revision": evil, "phase": evil, "reason": evil, "message": evil}
    weights = {"intended": {evil: 1}, "observed": {}, "effective": "Unknown"}
    found = live(
        **names, weights=weights, missing=[missing], checks=[check], waiting=command, problems=[evil], verdict=evil
    )
    text = told(found, width=300)

    assert all(char.isprintable() or char == "\n" for char in text)
    assert "[red]x[/red]" in text or "\\" in text


# ---------------------------------------------------------------- the command


def test_where_no_terminal_looks_on_it_is_plain(run: Run, server: StandIn) -> None:
    """No colours, no bars, no broken lines, no blanks at the end."""
    server.live = live(message="so " * 200)
    result = run("why", "checkout")

    assert result.exit_code == 0
    assert server.paths() == ["/api/v1/rollouts/default/checkout/live"]
    assert result.stdout.startswith("Progressing, Holding: so so")
    assert "errors  2/812 (0.25%)   1/2400 (0.04%)  30%\n" in result.stdout
    assert not any(mark in result.stdout for mark in ("\x1b", "█", " \n"))


@pytest.mark.parametrize("shape", ["json", "yaml"])
def test_programs_get_the_answer_as_it_is(run: Run, server: StandIn, shape: str) -> None:
    """As JSON or YAML, with the names of the wire."""
    server.live = live()
    result = run("why", "shop/checkout", "-o", shape)
    found = json.loads(result.stdout) if shape == "json" else YAML(typ="safe").load(result.stdout)

    assert result.exit_code == 0
    assert found == live().model_dump(mode="json", by_alias=True)
    assert server.paths() == ["/api/v1/rollouts/shop/checkout/live"]


def test_an_unknown_rollout_is_an_error(run: Run) -> None:
    """With exit code 1 and the server's sentence."""
    result = run("why", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: there is nothing at /rollouts/default/nobody/live\n"


@pytest.mark.parametrize("arguments", [("why",), ("why", "a/b/c"), ("why", "checkout", "-o", "wide")])
def test_a_wrong_command_line_is_refused(run: Run, server: StandIn, arguments: tuple[str, ...]) -> None:
    """Before anything is asked."""
    result = run(*arguments)

    assert result.exit_code == 2
    assert server.asked == []


@pytest.mark.real
def test_a_terminal_gets_bars_and_colours(server: StandIn, running: Running, tmp_path: Path) -> None:
    """As wide as it is."""
    server.live = live()
    environ = {**os.environ, "ROLLOUT_CONFIG": str(tmp_path / "none"), "ROLLOUT_SERVER": server.url}
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "rollout", "why", "checkout"],
            stdout=theirs,
            check=True,
            timeout=60,
            env={**environ, "TERM": "xterm-256color", "COLUMNS": "80", "NO_COLOR": ""},
        )
        written = os.read(ours, 65536).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert "\x1b[1;36mProgressing" in written
    assert "██████" in written


async def test_a_running_attempt_tells_what_it_waits_for() -> None:
    """Asked of the real API."""
    async with world() as api:
        await api.under_way(steps=[{"weight": 10, "hold": "1h", "approval": True}, {"weight": 50}])
        environ = {"ROLLOUT_SERVER": api.url, "ROLLOUT_TOKEN": VIEWER, "ROLLOUT_CONFIG": os.devnull}
        result = await asyncio.to_thread(CliRunner().invoke, app, ["why", "shop/web"], env=environ)

    assert result.exit_code == 0, result.output
    assert "Step 2 of 2 at 50% waits for (nobody knows how long):" in result.stdout
    assert "Step 1 of 2 needs an approval." in result.stdout
    assert "of 1h hold time left." in result.stdout
