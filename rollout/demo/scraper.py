"""The demo's Prometheus, when the machine has one: it scrapes Envoy every second.

Used by ``rollout.demo.world``; without it the controller reads Envoy's admin endpoint.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from functools import partial
from pathlib import Path

import aiohttp

from rollout.demo.children import Children
from rollout.demo.gateway import render
from rollout.demo.waiting import until
from rollout.errors import Unavailable

_START_SECONDS = 20.0


def find_prometheus() -> Path | None:
    """Return the Prometheus program of this machine: on the PATH, or where ``make tools`` puts it."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    tools = Path(os.environ.get("ROLLOUT_TOOLS") or caches / "rollout" / "tools")
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), str(tools / "bin")))
    found = shutil.which("prometheus", path=places)
    return Path(found) if found else None


async def start_prometheus(children: Children, program: Path, target: str) -> str:
    """Start ``program`` scraping Envoy's admin endpoint at ``target``; return its URL once it is ready.

    Raises:
        Unavailable: it ended, or was not ready within 20 s.
    """
    folder = children.folder
    (folder / "prometheus.yaml").write_text(render("prometheus.yaml", {"target": target}))
    address = f"127.0.0.1:{_free_port()}"
    options = (f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    talk = (f"--web.listen-address={address}", "--log.level=warn")
    await children.start("prometheus", str(program), *options, *talk)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            await asyncio.wait_for(until(partial(_ready, session, f"http://{address}/-/ready")), _START_SECONDS)
    except TimeoutError as error:
        message = f"Prometheus was not ready within {_START_SECONDS:.0f} s"
        raise Unavailable(message) from error
    return f"http://{address}"


def _free_port() -> int:
    """Return a port that was free a moment ago: Prometheus cannot say which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _ready(session: aiohttp.ClientSession, url: str) -> bool | None:
    try:
        async with session.get(url) as response:
            return response.ok or None
    except (aiohttp.ClientError, TimeoutError):
        return None
