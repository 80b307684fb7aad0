"""Failover to read: where it stands, its way, its health, its history, in `describe`, `why`, `watch` and `get`."""

import json
from io import StringIO

import pytest
from rich.console import Console

from rollout.api.models import Live
from rollout.cli.endings import Awaited, ending_of, has_ended
from rollout.cli.failovers import failovers
from rollout.cli.running import Code
from rollout.cli.watch_picture import picture
from rollout.cli.watching import Look
from rollout.cli.why_text import why_text
from tests.cli.answers import document, event, idle, live, summary, transition
from tests.cli.conftest import Run
from tests.cli.failing import NOW, at_home, failed_over, failing, failover, history
from tests.cli.standin import StandIn

WAY = {"back": True, "target": "checkout-v2", "step": 2, "steps": [10, 50, 100]}
RAMP = {"back": False, "target": "checkout-dr", "step": 1, "steps": [50, 100]}
WATCHED = Awaited(failover=True)


def words(text: str) -> list[str]:
    """Return the lines with one space between words."""
    return [" ".join(line.split()) for line in text.splitlines()]


def said_why(found: Live) -> list[str]:
    """Return the lines of `rollout why`."""
    console = Console(width=160, file=StringIO(), highlight=False)
    with console.capture() as written:
        console.print(why_text(found, bars=False))
    return words(written.get())


def drawn(found: Live) -> str:
    """Return the picture of `rollout watch` as text."""
    console = Console(record=True, width=120, height=40, file=StringIO(), force_terminal=True)
    console.print(picture(Look(found), history(), width=120, height=40))
    return console.export_text()


# ---------------------------------------------------------------- describe


def described(server: StandIn, run: Run, found: Live) -> list[str]:
    """Return the lines of `rollout describe`."""
    server.answers["GET", "/rollouts/default/checkout"] = (200, document())
    server.live, server.history = found, history()
    return words(run("describe", "checkout").stdout)


def test_a_description_tells_of_failover(server: StandIn, run: Run) -> None:
    """Where it stands and why, how long it waits, what counts against the limit, and drills."""
    told = described(server, run, failing())
    place = next(at for at, line in enumerate(told) if line.startswith("Failover:"))

    assert told[place].startswith("Failover: FailedOver, checkout-dr active for ")
    assert told[place].endswith(", number 3")
    assert told[place + 1 : place + 8] == [
        "Reason: WaitingForStableHealth",
        "Message: Failback needs 120 s of health, 80 s have passed.",
        "Mode: Auto, Switch",
        "Ready: yes",
        "Goes on in: about 40s",
        "Cause: probe",
        "Counted: 1 of 3 failovers within 10m00s",
    ]
    assert told[place + 9] == "Next drill: 2026-09-22T14:23:20Z"


def test_a_description_tells_health_by_signal(server: StandIn, run: Run) -> None:
    """Each backend once, each signal with its evidence and how old that is; what rests is said."""
    told = described(server, run, failing())
    place = told.index("BACKEND ROLE SHARE HEALTH SIGNAL SAYS FOR SEEN EVIDENCE")
    rows = [line.split(" ", 6) for line in told[place + 1 : place + 5]]

    assert rows[0][:6] == ["checkout-v2", "stable", "0%", "Unhealthy", "endpoints", "Healthy"]
    assert rows[1][:2] == ["probe", "Unhealthy"]
    assert told[place + 2].endswith("2s ago 3 of 3: 503")
    assert told[place + 3] == "checkout-v1 canary, at rest - Unknown - - - - -"
    assert rows[3][:6] == ["checkout-dr", "backup", "100%", "Healthy", "endpoints", "Healthy"]


def test_a_description_tells_the_last_failovers(server: StandIn, run: Run) -> None:
    """With number, backup, how long, and cause; the one under way first."""
    told = described(server, run, failing())
    place = told.index("NUMBER AT TO LASTED CAUSE")

    assert told[place + 1].startswith("2 2026-09-21T14:21:40Z checkout-dr ")
    assert " so far Failover 2: " in told[place + 1]
    assert told[place + 2] == ("1 2026-09-21T14:15:00Z checkout-dr 100s Failover 1: checkout-v2 is down (probe: 503).")


def test_a_description_without_failover_has_none_of_it(server: StandIn, run: Run) -> None:
    """Not even a title."""
    assert not any("ailover" in line for line in described(server, run, idle()) if not line[:1].isdigit())


def test_a_description_tells_who_is_waited_for(server: StandIn, run: Run) -> None:
    """The command stands there as it is typed; so does why failover is not ready, and the drill under way."""
    told = described(
        server,
        run,
        failing(
            reason="WaitingForFailback",
            missing=[],
            ready=False,
            readyReason="FailoverStopped",
            readyMessage="Stopped by olga.",
            drilling="by hand",
            journey=WAY,
        ),
    )

    assert "Type: rollout failback default/checkout --epoch 3" in told
    assert "Ready: no, FailoverStopped: Stopped by olga." in told
    assert "Drill: by hand, under way" in told
    assert "Way: failback to checkout-v2, step 2 of 3: 10%, [50%], 100%" in told


# ---------------------------------------------------------------- history


def test_failovers_are_read_from_transitions() -> None:
    """Each from its first transition to the one that brings traffic home."""
    second, first = failovers(history())

    assert (second.number, second.ended_at) == (2, None)
    assert (first.number, first.backup, (first.ended_at or 0) - first.began_at) == (1, "checkout-dr", 100)


def test_a_failover_that_follows_another_ends_it() -> None:
    """From one backup to the next there is no way home."""
    items = [failed_over(20, "FailedOver", active="far", epoch=2), failed_over(10, "FailedOver")]

    assert [(each.number, each.backup, each.ended_at is None) for each in failovers(items)] == [
        (2, "far", True),
        (1, "checkout-dr", False),
    ]


def test_a_history_with_failover_has_its_column(server: StandIn, run: Run) -> None:
    """And none where no transition tells of it."""
    server.history = [failed_over(9, "FailedOver"), transition(7)]
    told = words(run("history", "checkout").stdout)
    server.history = [transition(7)]
    without = words(run("history", "checkout").stdout)

    assert told[0] == "NUMBER AT PHASE FAILOVER STEP WEIGHTS REASON MESSAGE"
    assert [line.split()[2:5] for line in told[1:]] == [["Idle", "FailedOver", "0"], ["Progressing", "-", "2"]]
    assert "FAILOVER" not in without[0]


# ---------------------------------------------------------------- why


def test_why_tells_what_failover_waits_for() -> None:
    """Where it stands, and how long; what the first line says is not said again."""
    told = said_why(failing())

    assert told[0] == "Idle, WaitingForStableHealth: Failback needs 120 s of health, 80 s have passed."
    assert "Failover FailedOver, checkout-dr active for 12m, number 3" in told
    assert "- It goes on in about 40s." in told
    assert sum("80 s have passed" in line for line in told) == 1


def test_why_tells_what_each_signal_sees() -> None:
    """A row each, with the evidence."""
    told = said_why(failing())

    assert "checkout-v2 stable 0% Unhealthy endpoints Healthy 90s 2s ago 2 of 2 ready" in told
    assert "probe Unhealthy 90s 2s ago 3 of 3: 503" in told


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("WaitingForFailback", "rollout failback default/checkout --epoch 3"),
        ("FailoverProposed", "rollout approve default/checkout --epoch 3"),
        ("Latched", "rollout unlatch default/checkout"),
        ("HeldByCommand", "rollout unlatch default/checkout"),
    ],
)
def test_why_tells_what_a_person_may_type(reason: str, command: str) -> None:
    """Where one is waited for."""
    assert f"- A person is waited for: {command}" in said_why(failing(reason=reason, missing=[]))


def test_why_tells_the_way_and_what_is_not_ready() -> None:
    """Beside an attempt that stands still for it, whose own sentence comes first."""
    fields = {"journey": RAMP, "ready": False, "readyReason": "Ineffective", "readyMessage": "Nobody follows."}
    told = said_why(failing(state={"message": "x"}, **fields))

    assert "- WaitingForStableHealth: Failback needs 120 s of health, 80 s have passed." in told
    assert "- It is on its way: ramp-up to checkout-dr, step 1 of 2: [50%], 100%." in told
    assert "- Not ready, Ineffective: Nobody follows." in told


def test_why_is_quiet_while_all_is_well() -> None:
    """At home and ready, only the signals are shown; without failover not even these."""
    assert not any(line.startswith("Failover") for line in said_why(at_home()))
    assert not any("Signal" in line for line in said_why(live()))


def test_why_tells_a_failover_that_is_not_ready() -> None:
    """Though it is at home."""
    told = said_why(at_home(ready=False, readyReason="NoHealthyBackup", readyMessage="checkout-dr is down."))

    assert "Failover Normal, number 3" in told
    assert "- Not ready, NoHealthyBackup: checkout-dr is down." in told


# ---------------------------------------------------------------- watch


def test_the_picture_has_failover_with_its_countdown() -> None:
    """The active backend, the steps of failback, how long, and the history by its phases."""
    text = drawn(failing(phase="FailingBack", journey=WAY))

    assert "failover FailingBack, checkout-dr active for 12m, number 3  next in about 40s" in text
    assert "failback to checkout-v2, step 2 of 3: 10%, [50%], 100%" in text
    assert "FailedOver  Failover 2" in text


def test_the_picture_says_what_to_type_and_what_is_wrong() -> None:
    """Each on a line of its own."""
    text = drawn(failing(state={"message": "x"}, reason="Latched", ready=False, readyReason="Ineffective", missing=[]))

    assert "$ rollout unlatch default/checkout" in text
    assert "not ready, Ineffective" in text
    assert "Latched: Failback needs" in text


def test_the_picture_is_quiet_while_all_is_well() -> None:
    """At home there is nothing to draw."""
    assert "failover " not in drawn(at_home())


@pytest.mark.parametrize(
    ("awaited", "found", "ended"),
    [
        (WATCHED, failing(), False),
        (WATCHED, failing(phase="FailingBack"), False),
        (WATCHED, at_home(), True),
        (WATCHED, live(), True),
        (WATCHED.seen(failing(phase="FailingBack")), failing(), True),
        (WATCHED.seen(failing(phase="Drill")), failing(phase="Latched"), True),
        (WATCHED.seen(failing(phase="Drill")), failing(phase="Confirming"), False),
    ],
)
def test_a_watch_of_failover_ends_at_home_or_where_it_broke(awaited: Awaited, found: Live, ended: bool) -> None:  # noqa: FBT001 - a column
    """A failback or drill that was seen and lost again ends it, too."""
    assert has_ended(awaited, found) is ended


@pytest.mark.parametrize(
    ("awaited", "found", "code", "said"),
    [
        (WATCHED, at_home(), Code.DONE, "Failover is Normal. checkout-v2 is up."),
        (WATCHED, live(), Code.COULD_NOT, "The Rollout has no failover."),
        (WATCHED, failing(message="It broke."), Code.ROLLED_BACK, "Traffic is not at the primary. It broke."),
        (Awaited(failover=True, drilled=True), at_home(), Code.DONE, "The drill is over: SUCCEEDED."),
        (
            Awaited(failover=True, drilled=True),
            at_home(lastDrill={"id": "by hand", "at": NOW, "result": "ABORTED", "why": "errors on the backup"}),
            Code.ROLLED_BACK,
            "The drill is over: ABORTED. errors on the backup",
        ),
    ],
)
def test_a_watch_of_failover_tells_how_it_ended(awaited: Awaited, found: Live, code: Code, said: str) -> None:
    """As an exit code and one sentence."""
    ending = ending_of(awaited, found, ())

    assert (ending.code, ending.sentence) == (code, said)


def test_watch_looks_on_until_failback_is_over(server: StandIn, run: Run) -> None:
    """A line for what is seen, and how it ended."""
    server.answers["GET", "/rollouts/default/checkout/live"] = (200, failing(phase="FailingBack"))
    server.after["/rollouts/default/checkout/live"] = (2, at_home())
    server.events = [event(failed_over(9, "Normal", active=""))]
    result = run("watch", "checkout", "--failover")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "default/checkout: Failover is Normal. checkout-v2 is up."


@pytest.mark.parametrize("flags", [["--next"], ["--attempt", "3"]])
def test_watch_waits_for_one_thing(server: StandIn, run: Run, flags: list[str]) -> None:
    """For failover or for an attempt."""
    result = run("watch", "checkout", "--failover", *flags)

    assert (result.exit_code, server.asked) == (2, [])
    assert "--failover" in result.stderr


# ---------------------------------------------------------------- get


def test_a_table_has_the_phase_of_failover(server: StandIn, run: Run) -> None:
    """And wide, the active backend and the reason."""
    server.summaries = [summary(failover="FailedOver", failover_reason="OnBackup", active="checkout-dr"), summary("x")]
    told = words(run("get", "-o", "wide").stdout)

    assert told[0].endswith("CANARY ATTEMPT ACTIVE FAILOVER-REASON REASON MESSAGE")
    assert " FailedOver " in told[1]
    assert " 3 checkout-dr OnBackup Holding " in told[1]
    assert " 3 - - Holding " in told[2]


def test_one_rollout_has_the_phase_of_its_failover(server: StandIn, run: Run) -> None:
    """As in the list."""
    server.answers["GET", "/rollouts/default/checkout"] = (200, document())
    server.live = failing()

    assert " FailedOver " in words(run("get", "checkout").stdout)[1]


def test_the_filter_goes_to_the_server(server: StandIn, run: Run) -> None:
    """It may be given again."""
    run("get", "--failover", "FailedOver", "--failover", "Latched")

    assert server.asked[0].query["failover"] in {"FailedOver", "Latched"}


def test_json_has_failover_as_the_api_answers_it(server: StandIn, run: Run) -> None:
    """For scripts."""
    server.live = failing()
    told = json.loads(run("why", "checkout", "-o", "json").stdout)["failover"]

    assert {name: told[name] for name in ("phase", "active", "epoch")} == {
        name: failover()[name] for name in ("phase", "active", "epoch")
    }
