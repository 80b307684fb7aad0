"""What the page tells CI to do, done: the very lines for shells against a `rollout serve` that runs beside an Envoy."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.house.generate import ROOT
from tests.house.test_docs import blocks
from tests.serve.world import ServeWorld, manifest, serve_world
from tests.tools import require

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PAGE = ROOT / "docs" / "how-to" / "start-from-ci.md"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
LONG = [(10, "1h"), (50, "1h")]


def of_page(words: str, language: str) -> str:
    """Return the one block of the page that has these words in it."""
    [found] = [block for block in blocks(PAGE, language) if words in block]
    return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """Run the service with the hook of the page, and one Rollout at rest."""
    for needed in ("openssl", "curl"):
        require(shutil.which(needed), f"{needed} is not here")
    (tmp_path / "hooks.yaml").write_text(of_page("secretFile", "yaml"))
    code, said = await shell(tmp_path, of_page("> ci.secret", "sh"))
    assert code == 0, said
    async with serve_world(tmp_path, "checkout", hooks=str(tmp_path / "hooks.yaml")) as made:
        made.put(manifest("checkout", revision="1", steps=LONG, analysis={"checks": []}))
        await made.server.serving()
        await made.adopted()
        yield made


async def shell(folder: Path, lines: str, **environment: str) -> tuple[int | None, str]:
    """Run lines in the shell; return its exit code and what it said."""
    ran = await asyncio.create_subprocess_exec(
        *("sh", "-c", lines),
        cwd=folder,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await ran.communicate()
    return ran.returncode, out.decode()


async def start(
    world: ServeWorld, *, build: str = "4711", revision: str = "2", secret: str = ""
) -> tuple[int | None, str]:
    """Run the lines of the page as a job of CI does."""
    known = secret or (world.folder / "ci.secret").read_text().strip()
    given = {"ROLLOUT_SERVER": world.server.url, "HOOK_SECRET": known, "REVISION": revision, "BUILD": build}
    return await shell(world.folder, of_page("openssl dgst", "sh"), **given)


async def test_the_lines_of_the_page_start_an_attempt_once(world: ServeWorld) -> None:
    """A job that runs again starts nothing, also after the service was killed."""
    code, said = await start(world)
    await world.weights_are({"checkout-v1": 90, "checkout-v2": 10})
    again = await start(world)
    await world.server.kill()
    await world.server.serving()
    after = await start(world)
    status = world.status()

    assert code == 0, said
    assert json.loads(said)["id"].startswith("hook-ci-")
    assert again == after == (0, said)
    assert (status["attempt"], status["revision"]) == (1, "2")
    assert "hook ci" in str(status["transitions"])
    assert "build 4711" in str(status["transitions"])


async def test_a_job_with_another_secret_fails(world: ServeWorld) -> None:
    """With the sentence of the server, and nothing happens; no secret is in the log."""
    code, said = await start(world, secret=OTHER)
    good = await start(world)
    known = (world.folder / "ci.secret").read_text().strip()
    log = world.server.log.read_text()

    assert code != 0
    assert '"status":401' in said
    assert good[0] == 0
    assert [secret for secret in (known, known.removeprefix("whsec_"), OTHER) if secret in log] == []


async def test_a_start_that_is_refused_fails_the_job(world: ServeWorld) -> None:
    """The reason is in what the job prints."""
    await start(world)
    code, said = await start(world, build="4712")

    assert code != 0
    assert "RevisionAlreadyAtWork" in said
