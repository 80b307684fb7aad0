"""`rollout explain spill`: tiers in, shares out, and what is wrong is named."""

import json

import pytest
from typer.testing import CliRunner, Result

from rollout.cli.main import app


def spill(*arguments: str) -> Result:
    """Run the command as a shell would."""
    return CliRunner().invoke(app, ["explain", "spill", *arguments])


@pytest.mark.parametrize(
    ("arguments", "shares"),
    [
        (["--tier", "2/3", "--tier", "3/3"], [93, 7]),
        (["--tier", "1/2", "--tier", "1/1", "--overprovisioning", "100"], [50, 50]),
        (["--tier", "25/100", "--tier", "25/100", "--tier", "20/100"], [37, 35, 28]),
        (["--tier", "1+1/4", "--tier", "1+1/4"], [65, 35]),
        (["--tier", "0/3"], [100]),
        (["--tier", "0/0", "--tier", "1/1"], [0, 100]),
    ],
)
def test_json_has_the_shares_in_order(arguments: list[str], shares: list[int]) -> None:
    """One object on one line."""
    done = spill(*arguments, "-o", "json")

    assert (done.exit_code, json.loads(done.stdout)) == (0, {"shares": shares})


def test_a_table_is_for_people() -> None:
    """One line for each tier."""
    done = spill("--tier", "2/3", "--tier", "3/3")

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["TIER  HEALTHY  SHARE", "0     2/3      93 %", "1     3/3      7 %"]


@pytest.mark.parametrize(
    ("arguments", "flag", "given", "allowed"),
    [
        (["--tier", "two/3"], "--tier", "'two/3'", "HEALTHY/TOTAL in whole numbers, such as 2/3"),
        (["--tier", "-1/3"], "--tier", "'-1/3'", "HEALTHY/TOTAL in whole numbers, such as 2/3"),
        (["--tier", "1/3", "--tier", "4/3"], "--tier", "'4/3'", "at most as many healthy targets as there are"),
        (["--tier", "2+2/3"], "--tier", "'2+2/3'", "at most as many healthy targets as there are"),
        (["--tier", "1/9999999"], "--tier", "'1/9999999'", "of at most 1000000"),
        (["--tier", "1/1"] * 10, "--tier", "10 tiers", "1 to 9 tiers"),
        (["--tier", "1/1", "--overprovisioning", "99"], "--overprovisioning", "'99'", "from 100 to 1000"),
        (["--tier", "1/1", "--overprovisioning", "1001"], "--overprovisioning", "'1001'", "from 100 to 1000"),
        (["--tier", "1/1", "--overprovisioning", "1.4"], "--overprovisioning", "'1.4'", "from 100 to 1000"),
        (["--tier", "1/1", "--output", "xml"], "--output", "'xml'", "'table', 'json'"),
    ],
)
def test_wrong_input_is_refused(arguments: list[str], flag: str, given: str, allowed: str) -> None:
    """The flag, the value and what is allowed are named."""
    done = spill(*arguments)
    said = " ".join(done.stderr.replace("│", " ").split())

    assert (done.exit_code, done.stdout) == (2, "")
    assert flag in said
    assert given in said
    assert allowed in said


def test_a_tier_is_needed() -> None:
    """There is nothing to share otherwise."""
    done = spill()

    assert done.exit_code == 2
    assert "--tier" in done.stderr
