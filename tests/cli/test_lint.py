"""The command `rollout lint`: files in, lines and an exit code out."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from rollout.cli.lint import as_line, lint
from rollout.errors import Problem

GOOD = """\
kind: Rollout
metadata: {name: checkout}
spec:
  routes: [{kind: EnvoyRoute, name: checkout}]
  backends: {stable: {name: v1}, canary: {name: v2}}
  steps: [{weight: 50, hold: 5m}]
"""
BAD = GOOD.replace("weight: 50", "weight: 500")


def run(*arguments: str, stdin: str | None = None) -> Result:
    """Run the command with arguments as a shell would."""
    app = typer.Typer()
    app.command()(lint)
    return CliRunner().invoke(app, arguments, input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a good manifest, and a bad one deeper inside."""
    (tmp_path / "good.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "bad.yml").write_text(
        BAD.replace("name: checkout}\nspec", "name: other}\nspec"), encoding="utf-8"
    )
    (tmp_path / "notes.txt").write_text("kind: Rolout", encoding="utf-8")
    return tmp_path


def test_a_sound_file_exits_0(folder: Path) -> None:
    """Nothing is said on standard output, and a summary on standard error."""
    result = run(str(folder / "good.yaml"))

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 file, 1 Rollout, 0 policies: 0 errors, 0 warnings\n"


def test_a_broken_file_exits_1_with_a_line_per_problem(folder: Path) -> None:
    """The line has file, line, field, message, what was given and what is allowed."""
    path = folder / "inner" / "bad.yml"
    result = run(str(path))

    assert result.exit_code == 1
    assert (
        result.stdout == f"{path}:6: spec.steps[0].weight: is too large (given: 500; allowed: a number from 0 to 100)\n"
    )


def test_a_folder_is_read_with_all_inside(folder: Path) -> None:
    """A folder stands for the manifests in it, at any depth, and for nothing else."""
    result = run(str(folder))

    assert result.exit_code == 1
    assert result.stderr == "2 files, 2 Rollouts, 0 policies: 1 error, 0 warnings\n"


def test_a_file_named_twice_is_read_once(folder: Path) -> None:
    """Naming a file twice is not the same as having it twice."""
    assert run(str(folder / "good.yaml"), str(folder / "good.yaml")).exit_code == 0


def test_a_file_inside_a_named_folder_is_read_once(folder: Path) -> None:
    """A folder and a file of it overlap without a word."""
    assert run(str(folder / "good.yaml"), str(folder)).stderr.startswith("2 files")


def test_standard_input_is_read() -> None:
    """A dash stands for standard input."""
    result = run("-", stdin=BAD)

    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:6: spec.steps[0].weight: is too large")


def test_warnings_alone_exit_0(folder: Path) -> None:
    """With the traffic told, too few requests are warned of, which stops nobody."""
    result = run(str(folder / "good.yaml"), "--rps", "0.1")

    assert result.exit_code == 0
    assert "good.yaml:6: warning: spec.steps[0]: about 15 of analysis.minRequests 20" in result.stdout


def test_json_has_every_problem_and_nothing_else_on_standard_output(folder: Path) -> None:
    """The JSON object holds the problems field by field and the counts."""
    result = run(str(folder), "-o", "json", "--rps", "0.1")
    answer = json.loads(result.stdout)

    assert (result.exit_code, result.stderr) == (1, "")
    assert (answer["errors"], answer["warnings"], answer["rollouts"], answer["policies"]) == (1, 1, 2, 0)
    assert answer["problems"][1] == {
        "file": str(folder / "inner" / "bad.yml"),
        "line": 6,
        "field": "spec.steps[0].weight",
        "message": "is too large",
        "given": "500",
        "allowed": "a number from 0 to 100",
        "severity": "error",
    }


def test_what_is_not_text_is_a_problem_with_its_line(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are told with file and line; a byte order mark is fine."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    marked = tmp_path / "marked.yaml"
    marked.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    result = run(str(path))

    assert result.exit_code == 1
    assert result.stdout == f"{path}:2: is not text (given: byte 0xff; allowed: UTF-8)\n"
    assert run(str(marked)).exit_code == 0


def test_a_file_that_is_too_large_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    """A file above the limit is a problem, not a full memory."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"#" * 3_000_000)
    result = run(str(path))

    assert result.exit_code == 1
    assert f"{path}:1: is too large (given: more than 1048576 bytes" in result.stdout


@pytest.mark.parametrize(
    "arguments", [[], ["missing.yaml"], ["-", "--rps", "0"], ["-", "--rps", "many"], ["-", "-o", "xml"]]
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    """A file that is not there and an option that makes no sense are the caller's mistake."""
    assert run(*arguments).exit_code == 2


def test_a_folder_without_manifests_exits_2(tmp_path: Path) -> None:
    """An empty folder is probably the wrong folder."""
    assert run(str(tmp_path)).exit_code == 2


def test_a_line_is_safe_for_a_terminal() -> None:
    """Whatever stands in a file name or a field, the terminal gets printable characters."""
    problem = Problem("spec.\x1b]0;x\x07", "bad\n", given="\u202e", allowed="\ud83d", source="a\nb", line=1)

    assert as_line(problem) == "a\\nb:1: spec.\\x1b]0;x\\x07: bad\\n (given: \\u202e; allowed: \\ud83d)"


def test_a_time_zone_that_there_is_not_is_told_with_its_line() -> None:
    """Whether there is such a zone is looked up on this machine, for a policy as for a Rollout."""
    policy = "kind: RolloutPolicy\nmetadata: {name: house}\nspec:\n  failover:\n    timeZone: Europe/Berlni\n"
    result = run("-", stdin=policy)

    assert result.exit_code == 1
    assert "<stdin>:5: spec.failover.timeZone: is no time zone that is known here; did you mean" in result.stdout


# ---------------------------------------------------------------- sinks

SINKS = "sinks:\n- {name: team-shop, kind: Slack, url: 'https://hooks.example/T0secret'}\n"
TOLD = f"{GOOD}  notify: [{{sink: team-shop}}, {{sink: team-shpo}}]\n"


def put(folder: Path, name: str, text: str) -> str:
    """Write a file and return its path."""
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_sink_that_is_not_in_the_file_is_warned_of(tmp_path: Path) -> None:
    """With the one that was meant; it may be set up later, so it is no error."""
    manifest, sinks = put(tmp_path, "told.yaml", TOLD), put(tmp_path, "sinks.yaml", SINKS)
    result = run(manifest, "--sinks", sinks)

    place, message = f"{manifest}:7: warning: spec.notify[1].sink", "there is no such sink; did you mean team-shop?"
    assert result.exit_code == 0
    assert result.stdout == f'{place}: {message} (given: "team-shpo"; allowed: team-shop)\n'


def test_without_the_file_sinks_are_not_looked_at(tmp_path: Path) -> None:
    """Only the operator's file knows them."""
    result = run(put(tmp_path, "told.yaml", TOLD))

    assert (result.exit_code, result.stdout) == (0, "")


def test_what_is_wrong_with_the_file_of_sinks_is_an_error(tmp_path: Path) -> None:
    """It is told beside what is wrong with the manifests, and no secret in it is."""
    broken = put(tmp_path, "sinks.yaml", SINKS.replace("Slack", "Slak"))
    result = run(put(tmp_path, "told.yaml", TOLD), "--sinks", broken)

    assert result.exit_code == 1
    assert "sinks.yaml:2: sinks[0].kind: is not one of the known values; did you mean Slack?" in result.stdout
    assert "T0secret" not in result.output


def test_an_empty_file_of_sinks_has_none_to_name(tmp_path: Path) -> None:
    """Every sink is warned of."""
    result = run(put(tmp_path, "told.yaml", TOLD), "--sinks", put(tmp_path, "sinks.yaml", "\n"))

    assert result.stdout.count("allowed: no sink: the operator has set up none") == 2
