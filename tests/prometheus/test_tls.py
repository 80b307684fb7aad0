"""TLS to Prometheus: an authority of one's own is trusted when it is given, and nothing else is."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from rollout.errors import Unavailable
from rollout.prometheus.answers import number_in
from rollout.prometheus.client import PrometheusClient
from tests.prometheus.liar import result
from tests.tools import require


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 that signed itself, and its key."""
    require(shutil.which("openssl"), "no openssl on PATH")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    what = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=prometheus", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", *what, *names, "-out", str(cert), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    return cert, key


@pytest.fixture
async def url(certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """Run a server with this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    app = web.Application()
    app.router.add_get("/api/v1/query", result('[1.0,"7"]'))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_authority_that_is_given_is_trusted(url: str, certificate: tuple[Path, Path]) -> None:
    """The answer comes."""
    client = PrometheusClient(url, ca_file=certificate[0])
    value = await client.query("7", at=1.0, read=number_in)
    client.close()

    assert value == 7.0


async def test_a_certificate_that_nobody_vouches_for_is_refused(url: str) -> None:
    """The message says that it is the certificate."""
    client = PrometheusClient(url)
    with pytest.raises(Unavailable, match="cannot be reached: certificate verify failed"):
        await client.query("7", at=1.0, read=number_in)
    client.close()
