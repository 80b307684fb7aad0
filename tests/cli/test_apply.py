"""`rollout apply`: everything is checked before anything is sent."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import document, idle, promoted
from tests.cli.conftest import Run
from tests.cli.standin import StandIn, answering, problem

GOOD = """\
kind: Rollout
metadata: {name: checkout}
spec:
  routes: [{kind: EnvoyRoute, name: checkout}]
  backends: {stable: {name: v1}, canary: {name: v2}}
  steps: [{weight: 50, hold: 5m}]
"""
BAD = GOOD.replace("weight: 50", "weight: 500")
POLICY = "kind: RolloutPolicy\nmetadata: {name: calm}\nspec: {steps: [{weight: 50, hold: 5m}]}\n"
FOR_ALL = POLICY.replace("kind: RolloutPolicy", "kind: ClusterRolloutPolicy")
PATH = "/rollouts/default/checkout"


def applied(outcome: str = "created", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return what came of an apply."""
    return {"outcome": outcome, "dryRun": False, "resource": document(), "warnings": [], **fields}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a manifest."""
    path = tmp_path / "checkout.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_line_tells_what_came_of_it(server: StandIn, run: Run, file: Path) -> None:
    """The document goes as it is written, in the namespace that it has or is given."""
    server.answers["PUT", PATH] = (201, applied())
    result = run("apply", "-f", str(file))
    sent = json.loads(server.asked[0].body)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "Rollout default/checkout: created\n", "")
    assert sent["metadata"] == {"name": "checkout", "namespace": "default"}
    assert sent["spec"]["steps"] == [{"weight": 50, "hold": "5m"}]
    assert server.asked[0].headers["Content-Type"] == "application/json"


def test_the_namespace_is_that_of_the_manifest_or_the_one_in_use(server: StandIn, run: Run) -> None:
    """What names one keeps it."""
    named = GOOD.replace("{name: checkout}", "{name: checkout, namespace: own}")
    for namespace in ("own", "used"):
        server.answers["PUT", f"/rollouts/{namespace}/checkout"] = (200, applied("unchanged"))
    told = [run("apply", "-f", "-", "-n", "used", stdin=text).stdout for text in (named, GOOD)]

    assert told == ["Rollout own/checkout: unchanged\n", "Rollout used/checkout: unchanged\n"]


def test_what_is_wrong_is_told_by_line_and_nothing_is_sent(server: StandIn, run: Run, file: Path) -> None:
    """Though another file is sound."""
    bad = file.with_name("bad.yaml")
    bad.write_text(BAD.replace("name: checkout}\nspec", "name: other}\nspec"), encoding="utf-8")
    result = run("apply", "-f", str(file), "-f", str(bad))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{bad}:6: spec.steps[0].weight: is too large (given: 500; allowed: a number from 0 to 100)",
        "error: nothing was sent",
    ]
    assert not server.asked


def test_policies_go_first(server: StandIn, run: Run, file: Path) -> None:
    """Each to its place; a Rollout may need them."""
    server.answers["PUT", PATH] = (200, applied("changed"))
    server.answers["PUT", "/policies/default/calm"] = (200, applied())
    server.answers["PUT", "/cluster-policies/calm"] = (200, applied("unchanged"))
    file.with_name("z.yaml").write_text(f"{POLICY}---\n{FOR_ALL}", encoding="utf-8")
    result = run("apply", "-f", str(file.parent))

    assert result.stdout.splitlines() == [
        "RolloutPolicy default/calm: created",
        "ClusterRolloutPolicy calm: unchanged",
        "Rollout default/checkout: changed",
    ]


def test_without_its_policy_a_rollout_is_not_sent(server: StandIn, run: Run, file: Path) -> None:
    """The exit code is that of the policy."""
    server.answers["PUT", "/policies/default/calm"] = (403, {})
    file.with_name("z.yaml").write_text(POLICY, encoding="utf-8")
    result = run("apply", "-f", str(file.parent))

    assert result.exit_code == 1
    assert result.stderr.endswith("error: 1 Rollouts were not sent, since a policy could not be applied\n")
    assert server.paths("PUT") == ["/api/v1/policies/default/calm"]


def test_what_the_server_finds_is_told_with_file_and_line(server: StandIn, run: Run, file: Path) -> None:
    """As lint tells it; the others are still sent."""
    wrong = {"field": "spec.steps[0].hold", "message": "is too short", "given": "5m", "allowed": "at least 1h"}
    server.first.append(answering(lambda: problem(422, "it is wrong", problems=[wrong])))
    server.answers["PUT", "/rollouts/default/other"] = (200, applied("changed"))
    other = file.with_name("other.yaml")
    other.write_text(GOOD.replace("{name: checkout}\nspec", "{name: other}\nspec"), encoding="utf-8")
    result = run("apply", "-f", str(file), "-f", str(other))

    assert result.exit_code == 2
    assert result.stderr == f"{file}:6: spec.steps[0].hold: is too short (given: 5m; allowed: at least 1h)\n"
    assert result.stdout == "Rollout default/other: changed\n"


def test_a_refusal_is_told_with_file_and_line(server: StandIn, run: Run, file: Path) -> None:
    """Of a Rollout that a file of the server speaks for."""
    server.first.append(answering(lambda: problem(409, "the file /m/checkout.yaml speaks for it")))
    result = run("apply", "-f", str(file))

    assert result.exit_code == 2
    assert result.stderr == f"error: {file}:2: Rollout default/checkout: the file /m/checkout.yaml speaks for it\n"


def test_a_start_goes_along_under_an_id(server: StandIn, run: Run, file: Path) -> None:
    """With its reason; what came of it is told."""
    done = {"id": "a", "action": "start", "state": "done", "reason": "Started", "message": "start was carried out"}
    server.answers["PUT", PATH] = (200, applied("unchanged", command=done))
    result = run("apply", "-f", str(file), "--start", "v2", "--reason", "time")
    query = server.asked[0].query

    assert result.stdout == "Rollout default/checkout: unchanged, start was carried out\n"
    assert (query["start"], query["reason"], len(query["commandId"])) == ("v2", "time", 32)


def test_a_start_that_is_refused_ends_with_2(server: StandIn, run: Run, file: Path) -> None:
    """Though the manifest is applied."""
    refused = {"id": "a", "action": "start", "state": "refused", "reason": "NoSteps", "message": "there are no steps"}
    server.answers["PUT", PATH] = (200, applied("changed", command=refused))
    result = run("apply", "-f", str(file), "--start", "v2")

    assert result.exit_code == 2
    assert result.stdout == "Rollout default/checkout: changed\n"
    assert result.stderr == "error: Rollout default/checkout: there are no steps\n"


def test_a_dry_run_asks_and_says_so(server: StandIn, run: Run, file: Path) -> None:
    """Nothing is changed; warnings are told with their file."""
    server.answers["PUT", PATH] = (200, applied(dryRun=True, warnings=["few requests"]))
    result = run("apply", "-f", str(file), "--dry-run")

    assert server.asked[0].query == {"dryRun": "true"}
    assert result.stdout == "Rollout default/checkout: created (dry run)\n"
    assert result.stderr == f"{file}:2: warning: few requests\n"


def test_json_has_all_answers(server: StandIn, run: Run, file: Path) -> None:
    """And is alone on standard output."""
    server.answers["PUT", PATH] = (200, applied())
    (item,) = json.loads(run("apply", "-f", str(file), "-o", "json").stdout)["items"]

    assert (item["kind"], item["name"], item["outcome"], item["source"]) == (
        "Rollout",
        "checkout",
        "created",
        str(file),
    )
    assert item["resource"] == document()


def test_it_waits_until_the_controller_has_taken_it_up(server: StandIn, run: Run, file: Path) -> None:
    """Then as watch does."""
    server.answers["PUT", PATH] = (200, applied())
    server.live, server.history = idle(), [promoted()]
    old, new = document(observedGeneration=1), document(observedGeneration=2)
    server.answers["GET", PATH] = (200, old)
    server.after[PATH] = (2, new)
    result = run("apply", "-f", str(file), "--wait")

    assert result.exit_code == 0
    assert server.paths("GET")[:2] == [f"/api/v1{PATH}"] * 2
    assert result.stdout.splitlines()[-1].endswith("Promoted: checkout-v2 has the stable role.")


def test_a_wait_has_an_end(server: StandIn, run: Run, file: Path) -> None:
    """Exit code 4, where the controller does not take it up."""
    server.answers["PUT", PATH] = (200, applied())
    server.answers["GET", PATH] = (200, document(observedGeneration=1))
    result = run("apply", "-f", str(file), "--wait", "--timeout", "300ms")

    assert result.exit_code == 4
    assert result.stdout.endswith("default/checkout: The controller has not taken it up yet.\n")


def test_other_kinds_are_left_alone(server: StandIn, run: Run) -> None:
    """A file may hold more than what is ours."""
    server.answers["PUT", PATH] = (200, applied())
    result = run("apply", "-f", "-", stdin=f"apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\n---\n{GOOD}")

    assert result.stdout == "Rollout default/checkout: created\n"


def test_what_the_server_wrote_is_not_sent_back(server: StandIn, run: Run) -> None:
    """What get gave may be applied again."""
    server.answers["PUT", PATH] = (200, applied("unchanged"))
    written = GOOD.replace("{name: checkout}\nspec", "{name: checkout, generation: 3, resourceVersion: '7'}\nspec")
    run("apply", "-f", "-", stdin=f"{written}status: {{phase: Idle}}\n")
    sent = json.loads(server.asked[0].body)

    assert sent["metadata"] == {"name": "checkout", "namespace": "default"}
    assert "status" not in sent


def test_a_policy_that_is_with_the_server_is_not_missed(server: StandIn, run: Run) -> None:
    """Lint warns of it; the server knows it."""
    server.answers["PUT", PATH] = (200, applied())
    result = run("apply", "-f", "-", stdin=f"{GOOD}  policy: {{kind: RolloutPolicy, name: calm}}\n")

    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-f", "nosuch.yaml"],
        ["-f", "-", "--dry-run", "--wait"],
        ["-f", "-", "--reason", "x"],
        ["-f", "-", "--timeout", "x"],
    ],
)
def test_a_wrong_command_line_asks_nobody(server: StandIn, run: Run, arguments: list[str]) -> None:
    """It ends with 2."""
    assert run("apply", *arguments, stdin=GOOD).exit_code == 2
    assert not server.asked


def test_a_server_that_is_away_ends_with_1(run: Run, file: Path) -> None:
    """And says so once for each."""
    result = run("apply", "-f", str(file), ROLLOUT_SERVER="http://127.0.0.1:1")

    assert result.exit_code == 1
    assert result.stderr == (
        f"error: {file}:2: Rollout default/checkout: cannot reach http://127.0.0.1:1: Connection refused\n"
    )
