"""What tests ask of the machine: whether an outside part is there, and where.

Called by tests that start real parts. A part that is missing is a skip with its reason on a user's machine, and a
failure where `CI=true`, so that a build can never be green because it tested nothing.
"""

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """End this test: skipped with `reason`, or failed with it when CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs every part: {reason}", pytrace=False)
    pytest.skip(reason)


def require(condition: object, reason: str) -> None:
    """Go on only when `condition` is true (a path, a bool, anything); else `missing(reason)`."""
    if not condition:
        missing(reason)


def tools_cache() -> Path:
    """Return the folder outside the tree into which `make tools` puts what it fetches."""
    own = os.environ.get("ROLLOUT_TOOLS")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rollout" / "tools"


def find_tool(name: str) -> Path | None:
    """Return the program `name` from PATH, else from the cache of `make tools`, else None."""
    found = shutil.which(name) or shutil.which(name, path=str(tools_cache() / "bin"))
    return Path(found) if found else None


def find_prometheus() -> Path | None:
    """Return the path of a Prometheus server, or None."""
    return find_tool("prometheus")


def find_promtool() -> Path | None:
    """Return the path of Prometheus' checker of rules and configurations, or None."""
    return find_tool("promtool")


def require_prometheus() -> Path:
    """Return the path of a Prometheus server; without one the test ends as `missing` says."""
    return find_prometheus() or missing("no prometheus on PATH or in the cache: run `make tools`")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free just now.

    For parts that cannot be told to take port 0 and say which one they got. Another process may take it in between.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
