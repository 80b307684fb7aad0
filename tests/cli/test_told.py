"""What is told of a Rollout to read: `rollout describe`, `history`, `events`, `version`."""

import json

import pytest

from rollout import __version__
from rollout.cli.tables import Column, lines
from tests.cli.answers import document, event, live, rolled_back, transition
from tests.cli.conftest import Run
from tests.cli.standin import StandIn, streamed


@pytest.fixture
def described(server: StandIn) -> StandIn:
    """Return a stand-in that knows one Rollout."""
    server.answers["GET", "/rollouts/default/checkout"] = (200, document())
    server.live, server.history = live(), [transition(8), transition(7)]
    return server


def test_a_description_tells_all(described: StandIn, run: Run) -> None:
    """Where it stands and why, weights, checks, what it waits for, what happened."""
    told = run("describe", "checkout").stdout.splitlines()

    assert told[:3] == ["Name:          checkout", "Namespace:     default", "Labels:        team=shop"]
    assert "Message:       The hold time of step 2 is not over." in told
    assert "Plan:          5%, 25%, 50%, 100%" in told
    assert "  checkout-v2 (canary): weight 25, 7 of 8 endpoints ready" in told
    assert "Hold:          2m10s of 5m00s" in told
    assert "  Holding: The hold time is not over. (about 2m50s)" in told
    assert told[-1].startswith("  7       2026-09-21T14:13:27Z  Progressing  2 ")
    assert not any("\x1b" in line for line in told)


def test_a_description_tells_what_is_odd(described: StandIn, run: Run) -> None:
    """Weights that are not as intended, a hold that stands still, a command that waits, problems, unknown health."""
    waiting = {"id": "a", "action": "abort", "state": "waiting", "reason": "", "message": ""}
    described.live = live(
        weights={
            "intended": {"checkout-v1": 75, "checkout-v2": 25},
            "observed": {"checkout-v1": 100, "x": 1},
            "effective": "False",
        },
        hold={"seconds": 1, "ofSeconds": 300, "leftSeconds": 299, "running": False},
        waiting=waiting,
        problems=["spec.routes: it is gone"],
        health={"checkout-v2": {"ready": 0, "total": 0, "known": False}},
        labels={},
    )
    told = run("describe", "checkout").stdout.splitlines()

    assert "  checkout-v1 (stable): weight 75 (observed 100)" in told
    assert "  checkout-v2 (canary): weight 25" in told
    assert "  x (backup): weight - (observed 1)" in told
    assert "Hold:          1s of 5m00s, standing still" in told
    assert "Waiting:       abort (id a)" in told
    assert "Problem:       spec.routes: it is gone" in told


def test_a_description_of_what_has_not_begun(described: StandIn, run: Run) -> None:
    """Says - where there is nothing to say."""
    described.live = live(
        phase="", reason="", message="", steps=[], revision="", hold=None, requests=None, verdict=None
    )
    described.history = []
    result = run("describe", "checkout")

    assert result.exit_code == 0
    assert "Phase:         -\n" in result.stdout
    assert "Step:          -\n" in result.stdout
    assert "Transitions:" not in result.stdout


def test_history_is_a_table(described: StandIn, run: Run) -> None:
    """Newest first; as many as asked for."""
    told = run("history", "checkout", "--limit", "7").stdout.splitlines()

    assert told[0].split() == ["NUMBER", "AT", "PHASE", "STEP", "WEIGHTS", "REASON", "MESSAGE"]
    assert [line.split()[0] for line in told[1:]] == ["8", "7"]
    assert described.asked[0].query == {"limit": "7"}


def test_history_as_json_is_that_of_the_api(described: StandIn, run: Run) -> None:
    """Item by item."""
    items = json.loads(run("history", "checkout", "-o", "json").stdout)["items"]

    assert items[0] == transition(8).model_dump(mode="json", by_alias=True)


def test_all_of_history_is_read_page_by_page(server: StandIn, run: Run) -> None:
    """Until there is no more."""
    path = "/rollouts/default/checkout/history"
    server.answers["GET", path] = (200, {"items": [transition(9).model_dump()], "next": 9})
    server.after[path] = (3, {"items": [transition(7).model_dump()], "next": None})
    told = run("history", "checkout", "--all").stdout.splitlines()

    assert [line.split()[0] for line in told[1:]] == ["9", "9", "7"]
    assert [each.query.get("before") for each in server.asked] == [None, "9", "9"]
    assert server.asked[0].query["limit"] == "1000"


def test_no_history_is_said(server: StandIn, run: Run) -> None:
    """On standard error; standard output stays empty."""
    result = run("history", "checkout")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "default/checkout has no transitions yet.\n"


@pytest.mark.parametrize("arguments", [["checkout", "--limit", "0"], ["checkout", "--limit", "many"], []])
def test_a_wrong_command_line_asks_nobody(server: StandIn, run: Run, arguments: list[str]) -> None:
    """It ends with 2."""
    assert run("history", *arguments).exit_code == 2
    assert not server.asked


def test_events_are_lines(server: StandIn, run: Run) -> None:
    """One for each transition, until the server forbids it; what is beside them goes to standard error."""
    server.events = [event(transition(7)), event(rolled_back(), "cart")]
    server.begin, server.cut = 0, True
    result = run("events")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "2026-09-21T14:13:27Z default/checkout Progressing step 2 StepStarted: Step 2 of 4: 25 % to the canary.",
        "2026-09-21T14:13:29Z default/cart Aborted ErrorsWorse: Rolled back: too many errors.",
    ]
    assert result.stderr.splitlines()[:2] == [
        "following; Ctrl-C ends it",
        "the server ended the event stream; trying again",
    ]


def test_events_as_json_are_objects_on_lines(server: StandIn, run: Run) -> None:
    """With their place in the journal."""
    server.events = [event(transition(7))]
    server.begin, server.cut = 0, True
    (line,) = run("events", "checkout", "-o", "json").stdout.splitlines()

    assert json.loads(line) == {"sequence": 1, **event(transition(7)).model_dump(mode="json", by_alias=True)}
    assert server.asked[0].path == "/api/v1/rollouts/default/checkout/events"


def test_a_gap_is_told(server: StandIn, run: Run) -> None:
    """With what is missing."""
    server.first.append(streamed(b'event: gap\nid: 8\ndata: {"after":3,"from":9}\n\n'))
    server.cut = True

    assert "transitions 4 to 8 of the journal are no longer kept\n" in run("events", "-A").stderr
    assert server.asked[0].query == {}


def test_events_of_one_are_of_no_other_namespace(server: StandIn, run: Run) -> None:
    """The flags exclude each other."""
    assert run("events", "checkout", "-A").exit_code == 2
    assert not server.asked


def test_the_version_asks_nobody(server: StandIn, run: Run) -> None:
    """Unless it is told to."""
    assert run("version").stdout == f"{__version__}\n"
    assert json.loads(run("version", "-o", "json").stdout) == {"client": __version__}
    assert not server.asked


def test_the_version_of_the_server(server: StandIn, run: Run) -> None:
    """Beside that of the program, and where it is."""
    server.answers["GET", "/version"] = (200, {"version": "9.9", "runtime": "envoy"})

    assert run("version", "--server").stdout == f"client {__version__}\nserver 9.9 (envoy) at {server.url}\n"
    assert run("version", "--server", "--context", "nosuch").exit_code == 2


COLUMNS = (Column("A"), Column("LONG", gives=2), Column("OTHER", gives=1))
ROW = ["a", "x" * 30, "y" * 20]


@pytest.mark.parametrize(
    ("width", "widths"),
    [(None, (1, 30, 20)), (100, (1, 30, 20)), (50, (1, 25, 20)), (30, (1, 8, 17)), (10, (1, 8, 8))],
)
def test_a_table_is_cut_where_it_gives(width: int | None, widths: tuple[int, ...]) -> None:
    """The column that gives most first, down to a few characters; a line is then too long rather than empty."""
    (_, row) = lines(COLUMNS, [ROW], width=width)

    assert tuple(map(len, row.split("  "))) == widths
    assert ("…" in row) is (widths != (1, 30, 20))


def test_colours_do_not_move_columns() -> None:
    """They take no room."""
    told = lines(COLUMNS, [ROW, ["b", "z", "y"]], colours={(1, 1): "\x1b[31m"})

    assert told[2] == f"b  \x1b[31mz\x1b[0m{' ' * 29}  y"
