"""The API of a `rollout serve` that runs: where it listens, its first token, TLS, and what stands in the log.

Envoy is away in these tests; the controller says so of each Rollout, and serves.
"""

import asyncio
import json
import socket
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.serve.alone import CHECKOUT, ask, put, server_alone
from tests.serve.certificates import certificate
from tests.serve.server import Server
from tests.serve.world import manifest

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """`rollout serve`, not started."""
    server = server_alone(tmp_path)
    yield server
    await server.kill()


async def refused(server: Server) -> tuple[int, str]:
    """Start a command that cannot work; return its exit code and what it said."""
    await server.start()
    return await server.ended(), server.text()


async def test_settings_come_from_file_variables_and_flags(server: Server, tmp_path: Path) -> None:
    """A process takes each from where it is given, the strongest first."""
    file = tmp_path / "rollout.yaml"
    file.write_text(f"rds: {tmp_path}/rds/routes.yaml\ntick: 7s\nlisten: 192.0.2.1:1\ntokens: {tmp_path}/mine\n")
    server.arguments = (*server.arguments[1:], f"--config={file}")
    server.environment = {"ROLLOUT_TICK": "3s", "ROLLOUT_LISTEN": "192.0.2.2:1", "ROLLOUT_TIKC": "1s"}
    await server.serving()
    serving = await server.said('"serving"')
    warned = await server.said("ROLLOUT_TIKC: is no setting; did you mean ROLLOUT_TICK?")

    assert serving["tick_seconds"] == 3.0
    assert str(serving["api"]).startswith("http://127.0.0.1:")
    assert (tmp_path / "mine").exists()
    assert warned["level"] == "warning"


async def test_the_first_token_is_printed_once(server: Server, tmp_path: Path) -> None:
    """It is an operator's, stands on standard output and nowhere else, and the next start prints nothing."""
    await server.serving()
    status, who = await ask(server, "/api/v1/whoami", token=server.token)
    said = server.printed.read_text()
    await server.end()
    await server.serving()
    again = server.printed.read_text()
    kept = (tmp_path / "rollout.tokens").read_text()
    log = server.log.read_text()
    secret = server.token.rpartition("_")[2]

    assert (status, who) == (200, {"name": "first", "roles": ["operator"]})
    assert len(said.splitlines()) == 1
    assert again == said
    assert secret not in kept + log
    assert stat.S_IMODE((tmp_path / "rollout.tokens").stat().st_mode) == 0o600


async def test_without_the_api_there_is_no_token(server: Server, tmp_path: Path) -> None:
    """`--listen off` serves without an API, and makes no file of tokens."""
    server.arguments += ("--listen=off",)
    await server.serving()

    assert server.url == "off"
    assert not (tmp_path / "rollout.tokens").exists()
    assert server.printed.read_text() == ""


async def test_rollouts_come_by_the_api_alone(server: Server) -> None:
    """Without a folder of manifests a Rollout is made by a request, and the controller looks at it."""
    await server.serving()
    document = manifest("checkout", revision="1", steps=((20, "60s"),))
    status, _ = await put(server, CHECKOUT, document)
    phases: list[object] = []
    async with asyncio.timeout(15):
        while not any(phases):
            _, live = await ask(server, CHECKOUT, token=server.token)
            phases.append(live.get("status", {}).get("phase"))

    assert status == 201


async def test_it_says_when_it_is_ready(server: Server) -> None:
    """`/readyz` and `/healthz` answer without a token once it serves, although Envoy is away."""
    await server.serving()
    answers: list[int] = []
    async with asyncio.timeout(15):
        while answers[-1:] != [200]:
            answers.append((await ask(server, "/readyz"))[0])
    health, _ = await ask(server, "/healthz")

    assert set(answers) <= {200, 503}
    assert health == 200


async def test_a_port_that_is_taken_is_said(server: Server) -> None:
    """The command ends with code 1 and one sentence that has the address, before anything is done."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server.arguments += (f"--listen=127.0.0.1:{port}",)
        code, said = await refused(server)

    assert code == 1
    assert f"rollout serve: the API cannot listen on 127.0.0.1:{port}: Address already in use" in said
    assert "Traceback" not in said


async def test_a_network_without_tls_is_refused(server: Server) -> None:
    """The command ends with code 2, and says that tokens would be read."""
    server.arguments += ("--listen=0.0.0.0:0",)
    code, said = await refused(server)

    assert code == 2
    assert "--listen: would send tokens over the network without TLS" in said


async def test_a_certificate_that_cannot_be_used_is_said(server: Server, tmp_path: Path) -> None:
    """The command ends with code 1 and the name of the file."""
    (tmp_path / "api.pem").write_text("rubbish")
    server.arguments += (f"--tls-certificate={tmp_path}/api.pem", f"--tls-key={tmp_path}/api.pem")
    code, said = await refused(server)

    assert code == 1
    assert f"{tmp_path}/api.pem" in said
    assert "Traceback" not in said


async def test_a_file_of_tokens_that_cannot_be_made_is_said(server: Server, tmp_path: Path) -> None:
    """The command ends with code 1 and the name of the file."""
    server.arguments += (f"--tokens={tmp_path}/nowhere/tokens",)
    code, said = await refused(server)

    assert code == 1
    assert f"{tmp_path}/nowhere" in said
    assert "Traceback" not in said


async def test_it_serves_over_tls(server: Server, tmp_path: Path) -> None:
    """On all addresses with a certificate; a client that trusts it is answered, one that does not is not."""
    pair = certificate(tmp_path)
    server.arguments += ("--listen=0.0.0.0:0", f"--tls-certificate={pair.certificate}", f"--tls-key={pair.key}")
    await server.serving()
    port = server.url.rpartition(":")[2]
    async with aiohttp.ClientSession() as session:
        url = f"https://127.0.0.1:{port}/healthz"
        async with session.get(url, ssl=pair.client_context()) as response:
            status = response.status
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url, ssl=ssl.create_default_context())

    assert status == 200


async def test_the_log_is_json_and_has_the_id_of_the_request(server: Server) -> None:
    """Whatever clients send, each line is JSON; a change has its request's id, and no line has the token."""
    await server.serving()
    document = manifest("checkout", revision="1", steps=((20, "60s"),))
    await put(server, CHECKOUT, document, headers={"X-Request-ID": "mine-1"})
    await ask(server, "/api/v1/whoami", token="rollout_wrong_token")
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03rubbish\r\n\r\n")
    await reader.read()
    writer.close()
    line = await server.said('"mine-1"')
    await server.end()
    lines = server.text().splitlines()

    assert line["request_id"] == "mine-1"
    assert all(isinstance(json.loads(text), dict) for text in lines)
    assert server.token not in server.text()
