"""Facts about the table of what must be true of failover: it names what there is."""

import re
from pathlib import Path

import tests.stories

HERE = Path(__file__).parent
STATEMENTS = 20
STAR = "*"


def test_every_statement_is_shown_somewhere() -> None:
    """From 1 to 20, each with something that is there."""
    rows = re.findall(r"^ ?([0-9]+) (.*(?:\n {50}.*)?)", str(tests.stories.__doc__), re.MULTILINE)
    shown = {int(number): re.findall(r"``([^`]+)``", row) for number, row in rows}
    folders = (HERE, HERE.parent / "kubernetes" / "failover")
    missing = [
        name
        for names in shown.values()
        for name in names
        if not any([*folder.glob(f"{name.rstrip(STAR)}*")] for folder in folders)
    ]

    assert sorted(shown) == list(range(1, STATEMENTS + 1))
    assert all(shown.values())
    assert missing == []


def test_every_story_of_failover_has_figures() -> None:
    """No story is only played."""
    figures = (HERE / "test_failover_statements.py").read_text(encoding="utf-8")
    stories = {path.stem for path in HERE.glob("failover-*.yaml")}
    numbers = {story.split("-")[1] for story in stories}

    assert {number for number in numbers if f"def test_{number}_" not in figures} == set()
