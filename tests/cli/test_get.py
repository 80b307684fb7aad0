"""`rollout get`: tables, names, whole resources, and what changes."""

import json
import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from ruamel.yaml import YAML

from rollout.cli.outputs import is_coloured
from tests.cli.answers import document, event, live, summary, transition
from tests.cli.conftest import Run
from tests.cli.standin import Running, StandIn

POLICY = {"kind": "RolloutPolicy", "namespace": "default", "name": "calm", "source": "/m/p.yaml", "resource": {"a": 1}}
FOR_ALL = {"kind": "ClusterRolloutPolicy", "namespace": "", "name": "all", "source": "", "resource": {"a": 2}}


def without_age(text: str) -> list[str]:
    """Return the lines with one space between words; ages are told as AGE."""
    return [re.sub(r"\b\d+d\b", "AGE", " ".join(line.split())) for line in text.splitlines()]


def test_a_table_has_a_line_for_each(server: StandIn, run: Run) -> None:
    """Columns as wide as their widest cell, nothing cut."""
    long = "registry.example/checkout@sha256:" + "0" * 64
    server.summaries = [
        summary(),
        summary("new", phase="", steps=0, step=0, stable="", revision="", created_at=0),
        summary("x", revision=long),
    ]
    result = run("get")

    assert result.exit_code == 0
    assert without_age(result.stdout) == [
        "NAMESPACE NAME PHASE STEP WEIGHT STABLE REVISION FAILOVER AGE",
        "default checkout Progressing 2/4 25% checkout-v1 v1.4.2 Normal AGE",
        "default new - - 25% - - Normal -",
        f"default x Progressing 2/4 25% checkout-v1 {long} Normal AGE",
    ]


def test_a_wide_table_says_why(server: StandIn, run: Run) -> None:
    """With reason, message, canary and attempt."""
    server.summaries = [summary(deleting=True)]
    told = without_age(run("get", "-o", "wide").stdout)

    assert told[0].endswith("AGE CANARY ATTEMPT ACTIVE FAILOVER-REASON REASON MESSAGE")
    assert "Progressing (deleting)" in told[1]
    assert told[1].endswith("checkout-v2 3 - - Holding The hold time of step 2 is not over.")


def test_no_rollouts_are_no_error(run: Run) -> None:
    """Standard output stays empty; JSON is an empty list."""
    table, listed, names = run("get"), run("get", "-o", "json"), run("get", "-o", "name")

    assert (table.exit_code, table.stdout, table.stderr) == (0, "", "No Rollouts found in namespace default.\n")
    assert json.loads(listed.stdout)["items"] == []
    assert names.stdout == ""


def test_filters_go_to_the_server(server: StandIn, run: Run) -> None:
    """It knows all, and pages."""
    run("get", "-A", "--phase", "Paused", "-l", "a=b")

    assert server.asked[0].query == {"phase": "Paused", "label": "a=b", "limit": "500"}


def test_one_is_shown_as_it_is(server: StandIn, run: Run) -> None:
    """As a table, as JSON, as YAML."""
    server.answers["GET", "/rollouts/default/checkout"] = (200, document())
    server.live = live()
    table, as_json, as_yaml = (run("get", "checkout", *more) for more in ([], ["-o", "json"], ["-o", "yaml"]))

    assert without_age(table.stdout)[1] == "default checkout Progressing 2/4 25% checkout-v1 v1.4.2 Normal AGE"
    assert json.loads(as_json.stdout) == document()
    assert YAML(typ="safe").load(as_yaml.stdout) == document()


def test_several_are_shown_as_a_list(server: StandIn, run: Run) -> None:
    """Which apply takes again."""
    for name in ("a", "b"):
        server.answers["GET", f"/rollouts/default/{name}"] = (200, document(name))
    listed = json.loads(run("get", "a", "b", "-o", "json").stdout)

    assert listed == {"apiVersion": "v1", "kind": "List", "items": [document("a"), document("b")]}


def test_policies_are_listed(server: StandIn, run: Run) -> None:
    """Those of the namespace, and those for all."""
    elsewhere = {**POLICY, "namespace": "other"}
    server.answers["GET", "/policies"] = (200, {"items": [FOR_ALL, POLICY, elsewhere]})

    assert without_age(run("get", "policies").stdout) == [
        "KIND NAMESPACE NAME SOURCE",
        "ClusterRolloutPolicy - all -",
        "RolloutPolicy default calm /m/p.yaml",
    ]
    assert run("get", "policies", "-A", "-o", "name").stdout == "all\ndefault/calm\nother/calm\n"
    assert json.loads(run("get", "policies", "calm", "-o", "json").stdout) == {"a": 1}
    assert len(json.loads(run("get", "policies", "-o", "json").stdout)["items"]) == 2


def test_a_policy_that_is_not_there_ends_with_1(server: StandIn, run: Run) -> None:
    """And is named."""
    server.answers["GET", "/policies"] = (200, {"items": []})
    named, none = run("get", "policies", "nosuch"), run("get", "policies")

    assert (named.exit_code, named.stderr) == (1, "error: there is no policy nosuch in namespace default\n")
    assert (none.exit_code, none.stderr) == (0, "No policies found.\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "--phase", "Idle"],
        ["a", "-A"],
        ["policies", "-w"],
        ["policies", "-l", "a=b"],
        ["-w", "-o", "json"],
        ["a b"],
    ],
)
def test_what_does_not_go_together_is_refused(server: StandIn, run: Run, arguments: list[str]) -> None:
    """With exit code 2, before anybody is asked."""
    assert run("get", *arguments).exit_code == 2
    assert not server.asked


def test_what_changes_is_followed(server: StandIn, run: Run) -> None:
    """A line for each Rollout that is not as it was, below the table; the same twice is told once."""
    server.summaries = [summary()]
    server.answers["GET", "/rollouts/default/checkout"] = (200, document())
    server.live = live(step=3)
    server.events = [event(transition(1)), event(transition(2)), event(transition(3), "gone")]
    server.begin, server.cut = 0, True
    result = run("get", "-w")

    assert result.exit_code == 1
    assert without_age(result.stdout) == [
        "NAMESPACE NAME PHASE STEP WEIGHT STABLE REVISION FAILOVER AGE",
        "default checkout Progressing 2/4 25% checkout-v1 v1.4.2 Normal AGE",
        "default checkout Progressing 3/4 25% checkout-v1 v1.4.2 Normal AGE",
    ]
    assert result.stderr.splitlines()[-1] == "error: not any more"


@pytest.mark.parametrize(
    ("tty", "environ", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals(tty: bool, environ: dict[str, str], coloured: bool) -> None:  # noqa: FBT001 - columns
    """Unless somebody does not want them."""

    class Stream(StringIO):
        def isatty(self) -> bool:
            return tty

    assert is_coloured(Stream(), environ) is coloured


@pytest.mark.real
def test_on_a_terminal_a_table_is_cut_and_coloured(server: StandIn, running: Running) -> None:
    """So that a line stays a line; NO_COLOR takes the colours away."""
    server.summaries = [summary(revision="r" * 200)]
    env = os.environ | {
        "ROLLOUT_SERVER": server.url,
        "ROLLOUT_CONFIG": "/nonexistent",
        "TERM": "xterm",
        "COLUMNS": "90",
    }
    env.pop("NO_COLOR", None)
    program = "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'rollout', 'get']) >> 8)"
    told = [
        subprocess.run(
            [sys.executable, "-c", program], env=env | more, capture_output=True, text=True, timeout=30, check=True
        ).stdout
        for more in ({}, {"NO_COLOR": "1"})
    ]

    assert "\x1b[36mProgressing\x1b[0m" in told[0]
    assert "\x1b" not in told[1]
    assert all(len(line) <= 90 for line in told[1].splitlines())
    assert "rrr…" in told[1]
