"""Facts about wrong rehearsal files: every problem at once, where it stands and what would be right."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rollout.errors import ConfigurationError, Problem
from rollout.rehearsal.reading import read_file
from tests.rehearsal.builders import CANARY, STABLE, START, manifest, read, scenario


def problems(folder: Path, content: Mapping[str, object]) -> tuple[Problem, ...]:
    """Return what is wrong with a file of this content."""
    with pytest.raises(ConfigurationError) as caught:
        read(folder, content)
    return caught.value.problems


def test_the_shortest_file_is_a_rollout(tmp_path: Path) -> None:
    """Everything but the Rollout has a default."""
    rehearsal = read(tmp_path, {"rollout": manifest()})

    assert rehearsal.scenario.until == 1800
    assert rehearsal.scenario.scrape == 10
    assert rehearsal.scenario.traffic.rps == 100
    assert rehearsal.bounds == (0.25, 0.5)


def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """Fields of the file, of its manifest and of its events, in the order of the file."""
    path = tmp_path / "r.yaml"
    path.write_text(
        f"""rollout:
  kind: Rollout
  metadata: {{name: a}}
  spec:
    routes: [{{kind: HTTPRoute, name: a}}]
    backends: {{stable: {{name: {STABLE}}}, canary: {{name: {CANARY}}}}}
    steps: [{{weight: 101}}]
seed: -1
backends:
  other: {{}}
events:
  - {{at: 2m, prometheus: gone}}
  - {{at: 1m, command: abort}}
""",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError) as caught:
        read_file(path)
    told = [(problem.line, problem.field) for problem in caught.value.problems]

    assert told == [
        (7, "rollout.spec.steps[0].weight"),
        (8, "seed"),
        (12, "events[0].prometheus"),
        (13, "events[1].at"),
    ]
    assert all(problem.source == str(path) and problem.given and problem.allowed for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("event", "field", "message"),
    [
        ({"backend": "nobody", "errors": "5%"}, "events[0].backend", "is not a backend"),
        ({"backend": CANARY}, "events[0]", "changes nothing"),
        ({"errors": "5%"}, "events[0]", "must say one thing"),
        ({"api": "down", "errors": "5%"}, "events[0].errors", "is a field of a backend"),
        ({"api": "down", "prometheus": "down"}, "events[0]", "must say one thing"),
        ({}, "events[0]", "must say one thing"),
        ({"api": "down", "seconds": 4}, "events[0].seconds", "is not a known field"),
        ({"route": {"name": "nobody", "weights": {STABLE: 1}}}, "events[0].route.name", "is not a route"),
        ({"route": {"name": "checkout"}}, "events[0].route", "changes nothing"),
        (
            {"route": {"name": "checkout", "weights": {"nobody": 1}}},
            "events[0].route.weights.nobody",
            "is not a backend",
        ),
        ({"backend": CANARY, "latency": {"p99": "1ms"}}, "events[0].latency.p99", "is below the p50"),
        ({"delete": False}, "events[0].delete", "says that nothing happens"),
        ({"backend": CANARY, "ready": "5/4"}, "events[0].ready", "has more ready endpoints"),
        ({"controller": "sleep"}, "events[0].controller", "is not one of the known values"),
        ({"at": 5, "api": "up"}, "events[0].at", "must be a duration with a unit"),
    ],
)
def test_an_event_that_cannot_be_is_refused(tmp_path: Path, event: dict[str, Any], field: str, message: str) -> None:
    """Unknown names, nothing or two things at once, and values that cannot be."""
    found = problems(tmp_path, scenario({"at": "1s", **event}))

    assert (field, True) in [(problem.field, problem.message.startswith(message)) for problem in found]


def test_a_command_takes_any_argument(tmp_path: Path) -> None:
    """Whether an argument is right is for the controller to say, as in production."""
    rehearsal = read(tmp_path, scenario({"at": "1s", "command": "approve", "step": "first", "reason": "why not"}))
    [event] = rehearsal.scenario.events

    assert event.arguments == {"step": "first"}
    assert event.reason == "why not"


def test_routes_that_share_a_name_must_be_told_apart(tmp_path: Path) -> None:
    """A name that two routes have needs a kind."""
    routes = [{"kind": kind, "name": "checkout"} for kind in ("HTTPRoute", "GRPCRoute")]
    edit = {"name": "checkout", "weights": {STABLE: 1}}
    rollout = manifest(routes=routes)
    found = problems(tmp_path, scenario({"at": "1s", "route": edit}, rollout=rollout))

    assert [problem.field for problem in found] == ["events[0].route.name"]

    read(tmp_path, scenario({"at": "1s", "route": {**edit, "kind": "GRPCRoute"}}, rollout=rollout))


def test_manifests_may_stand_in_files_of_their_own(tmp_path: Path) -> None:
    """Paths are seen from the rehearsal's folder; a policy may stand in the Rollout's file or beside it."""
    policy = {
        "kind": "RolloutPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"steps": [{"weight": 9}]},
    }
    rollout = manifest(policy={"kind": "RolloutPolicy", "name": "p"})
    del rollout["spec"]["steps"]
    (tmp_path / "rollout.yaml").write_text(json.dumps(rollout), encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(json.dumps(policy), encoding="utf-8")
    (tmp_path / "both.yaml").write_text(f"{json.dumps(rollout)}\n---\n{json.dumps(policy)}\n", encoding="utf-8")
    ways = (
        {"rollout": {"file": "rollout.yaml"}, "policies": ["policy.yaml"]},
        {"rollout": {"file": "rollout.yaml"}, "policies": [{"file": "policy.yaml"}]},
        {"rollout": rollout, "policies": [policy]},
        {"rollout": {"file": "both.yaml"}},
    )

    for way in ways:
        rehearsal = read(tmp_path, way)
        assert rehearsal.rollout == rollout
        assert rehearsal.policies == (policy,)


def test_a_problem_in_another_file_names_that_file(tmp_path: Path) -> None:
    """With its own line and its own path of the field."""
    (tmp_path / "rollout.yaml").write_text(json.dumps(manifest(steps=[{"weight": 300}]), indent=1), encoding="utf-8")
    [problem] = problems(tmp_path, {"rollout": {"file": "rollout.yaml"}})

    assert problem.source == str(tmp_path / "rollout.yaml")
    assert problem.field == "spec.steps[0].weight"
    assert problem.line > 1


@pytest.mark.parametrize("named", ["absent.yaml", "."])
def test_a_file_that_cannot_be_read_is_told_where_it_is_named(tmp_path: Path, named: str) -> None:
    """The line is that of the name."""
    [problem] = problems(tmp_path, {"rollout": {"file": named}})

    assert problem.field == "rollout.file"
    assert problem.message.startswith("cannot be read")
    assert problem.line == 3


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "a: 1\n---\nb: 2\n"])
def test_what_is_no_rehearsal_at_all_is_refused(tmp_path: Path, text: str) -> None:
    """No document, two of them, a list, or no YAML."""
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError):
        read_file(path)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """As any other."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_file(tmp_path / "absent.yaml")


def test_a_policy_may_be_missing(tmp_path: Path) -> None:
    """A story may be about that; what the policy would bring is not missed either."""
    rollout = manifest(policy={"kind": "RolloutPolicy", "name": "p"})
    del rollout["spec"]["steps"]

    assert read(tmp_path, scenario(START, rollout=rollout)).policies == ()


def test_a_missing_policy_hides_no_other_problem(tmp_path: Path) -> None:
    """What the Rollout itself says wrong is told."""
    found = problems(tmp_path, {"rollout": manifest(policy={"kind": "RolloutPolicy", "name": "p"}, precision=1)})

    assert [problem.field for problem in found] == ["rollout.spec.precision"]


def test_bounds_of_later_edits_are_counted_from_the_start(tmp_path: Path) -> None:
    """So that a bound that an edit brings has a past."""
    check = {"name": "slow", "kind": "SlowerThan", "bounds": ["1s"]}
    rehearsal = read(tmp_path, scenario({"at": "1s", "spec": {"analysis": {"checks": [check]}}}))

    assert rehearsal.bounds == (0.25, 0.5, 1.0)
