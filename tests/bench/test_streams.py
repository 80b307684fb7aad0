"""Two hundred readers of events, ten of which take nothing, beside a controller at work on a real database."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import structlog

from tests.bench.stream_figures import Size, measure

SIZE = Size(rollouts=100, commands=1000, readers=190, stalled=10)


@pytest.mark.timeout(300)
def test_two_hundred_readers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each gets each transition once and in order, 99 of 100 within 200 ms, and the controller hardly notices."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    figures = asyncio.run(measure(tmp_path / "rollout.db", SIZE))
    lines = [f"  {name:58} {value:12.1f}\n" for name, value in figures.items()]
    head = f"{SIZE.readers} readers of events and {SIZE.stalled} that take nothing, {os.cpu_count()} cores"
    with capsys.disabled():
        sys.stdout.write(f"\n{head}:\n{''.join(lines)}")

    assert figures["transitions recorded"] == SIZE.commands
    assert figures["readers that got each once and in order"] == SIZE.readers
    assert figures["readers that took nothing and were cut"] == SIZE.stalled
    assert figures["record to receipt p99, ms"] <= 200
    assert figures["times as long with streams (p50)"] <= 2
    assert figures["memory after, MiB"] - figures["memory before, MiB"] <= 32
