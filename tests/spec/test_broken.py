"""Broken manifests and what is said of them: `broken/NAME.yaml` beside `broken/NAME.problems`.

`ROLLOUT_REWRITE=1 pytest tests/spec/test_broken.py` writes the expectations anew; read the
difference before you keep it.
"""

import os
from pathlib import Path

import pytest

from rollout.errors import Problem
from rollout.spec.checking import check

HERE = Path(__file__).parent / "broken"
MANIFESTS = sorted(HERE.glob("*.yaml"))


def said_of(manifest: Path) -> tuple[Problem, ...]:
    """Return the problems of a manifest under its short name."""
    return check([(manifest.name, manifest.read_text(encoding="utf-8"))]).problems


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_broken_manifest_is_told_as_expected(manifest: Path) -> None:
    """Each broken manifest gives exactly the problems that stand beside it, all at once and in order."""
    lines = "".join(f"{problem}\n" for problem in said_of(manifest))
    expected = manifest.with_suffix(".problems")
    if os.environ.get("ROLLOUT_REWRITE"):
        expected.write_text(lines, encoding="utf-8")

    assert lines == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_a_problem_has_file_line_given_and_allowed(manifest: Path) -> None:
    """Every problem names its file, a line, what was given and what is allowed, on one printable line."""
    problems = said_of(manifest)

    assert any(not problem.warning for problem in problems)
    assert all(problem.source and problem.line and problem.given and problem.allowed for problem in problems)
    assert all(str(problem).isprintable() and len(problem.given) <= 80 for problem in problems)


def test_there_are_many_broken_manifests() -> None:
    """At least sixty broken manifests are kept, and none of their expectations is an orphan."""
    assert len(MANIFESTS) >= 60
    assert {path.stem for path in HERE.glob("*.problems")} == {path.stem for path in MANIFESTS}
