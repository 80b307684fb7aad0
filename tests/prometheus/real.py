"""A real Prometheus that scrapes counters of a test four times a second."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.tools import free_port, require_prometheus

_CONFIG = """\
global: {{scrape_interval: 250ms, scrape_timeout: 250ms}}
scrape_configs:
- job_name: gateway
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
READY_SECONDS = 20.0


class Exporter:
    """Counters to be scraped: what stands in ``text``; ``scrapes`` counts how often it was read."""

    def __init__(self) -> None:
        self.text = ""
        self.scrapes = 0

    async def answer(self, _: web.Request) -> web.Response:
        """Answer a scrape."""
        self.scrapes += 1
        return web.Response(text=self.text)


@asynccontextmanager
async def exporting() -> AsyncIterator[tuple[Exporter, int]]:
    """Run an exporter on a free port."""
    exporter, app = Exporter(), web.Application()
    app.router.add_get("/metrics", exporter.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield exporter, runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def prometheus(folder: Path, target: int) -> AsyncIterator[str]:
    """Run Prometheus against the exporter at port ``target``; give its URL once it is ready."""
    program, address = require_prometheus(), f"127.0.0.1:{free_port()}"
    (folder / "prometheus.yaml").write_text(_CONFIG.format(port=target))
    options = (f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    child = await asyncio.create_subprocess_exec(
        program, *options, f"--web.listen-address={address}", "--log.level=error"
    )
    try:
        async with asyncio.timeout(READY_SECONDS):
            await _until_ready(f"http://{address}/-/ready")
        yield f"http://{address}"
    finally:
        child.kill()
        await child.wait()


async def _until_ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
