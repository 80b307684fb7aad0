"""A missing part is a skip for a user and a failure for a build."""

from pathlib import Path

import pytest

from tests.tools import find_tool, require, tools_cache


def test_missing_part_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a user's machine a test without its part is skipped with the reason."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="no such part"):
        require(None, "no such part")


def test_missing_part_fails_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CI=true a test without its part fails with the reason."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="no such part"):
        require(None, "no such part")


def test_part_that_is_there_goes_on() -> None:
    """A test whose part is there is not ended."""
    require(Path(__file__), "never said")


def test_cache_is_searched_after_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that is not on PATH is found in the cache of `make tools`."""
    monkeypatch.setenv("ROLLOUT_TOOLS", str(tmp_path))
    program = tools_cache() / "bin" / "no-such-program-on-path"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)

    assert find_tool(program.name) == program
