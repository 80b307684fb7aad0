"""Finding a Prometheus."""

from pathlib import Path

import pytest

from rollout.demo.scraper import find_prometheus


def a_program(folder: Path) -> Path:
    """Return an executable named prometheus in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "prometheus"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have nothing of it."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ROLLOUT_TOOLS", raising=False)


def test_machine_without_prometheus_has_none() -> None:
    """The demo then reads Envoy's admin endpoint."""
    assert find_prometheus() is None


def test_cache_of_make_tools_is_looked_at(tmp_path: Path) -> None:
    """What `make tools` fetched is found."""
    program = a_program(tmp_path / "cache" / "rollout" / "tools" / "bin")

    assert find_prometheus() == program


def test_path_comes_first(tmp_path: Path) -> None:
    """A Prometheus of the machine wins over the cache."""
    a_program(tmp_path / "cache" / "rollout" / "tools" / "bin")
    program = a_program(tmp_path / "path")

    assert find_prometheus() == program
