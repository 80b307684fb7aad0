"""What keeps the command from starting is said in one sentence, with the right exit code, and nothing is changed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.serve.server import Server
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(60)]

STEPS = ((20, "60s"),)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """Envoy with the route `checkout`, and `rollout serve`, not started."""
    async with serve_world(tmp_path, "checkout") as world:
        yield world


async def refused(server: Server) -> tuple[int, str]:
    """Start a command that cannot work; return its exit code and what it said."""
    await server.start()
    return await server.ended(), server.text()


async def test_second_one_on_the_same_database_is_refused(world: ServeWorld) -> None:
    """A second command on one database ends with code 1 and names the first; the first goes on."""
    world.put(manifest("checkout", revision="1", steps=STEPS))
    await world.server.serving()
    (world.folder / "second").mkdir()
    code, said = await refused(Server(world.folder / "second", *world.server.arguments))

    assert code == 1
    assert "is using this database" in said
    assert str(world.folder / "rollout.db") in said
    assert "Traceback" not in said
    await world.adopted()


async def test_damaged_database_is_refused_and_kept(world: ServeWorld) -> None:
    """A database that is damaged ends the command with code 1 and its name, and not a byte of it changes."""
    path, content = world.folder / "rollout.db", b"SQLite format 3\x00" + b"rubbish" * 2000
    path.write_bytes(content)
    code, said = await refused(world.server)

    assert code == 1
    assert str(path) in said
    assert "damaged" in said
    assert "Traceback" not in said
    assert path.read_bytes() == content


async def test_page_torn_in_the_database_is_found_and_kept(world: ServeWorld) -> None:
    """A database of ours with one page overwritten is refused, too, and kept as it is."""
    world.put(manifest("checkout", revision="1", steps=STEPS))
    await world.server.serving()
    await world.adopted()
    await world.server.end()
    path = world.folder / "rollout.db"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)
    code, said = await refused(world.server)

    assert code == 1
    assert str(path) in said
    assert path.read_bytes() == bytes(content)


async def test_missing_folder_of_manifests_is_said(world: ServeWorld) -> None:
    """A folder of manifests that does not exist ends the command with code 1 and its name."""
    world.manifests.rmdir()
    code, said = await refused(world.server)

    assert code == 1
    assert f"{world.manifests}: the folder of manifests cannot be read" in said
    assert "Traceback" not in said


async def test_missing_folder_of_the_route_file_is_said(world: ServeWorld) -> None:
    """An RDS file in a folder that does not exist ends the command with code 1 and its name."""
    world.server.arguments += (f"--rds={world.folder}/nowhere/routes.yaml",)
    code, said = await refused(world.server)

    assert code == 1
    assert f"{world.folder}/nowhere" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--tick", "soon"), ("--tick", "1ms"), ("--admin", "ftp://127.0.0.1"), ("--prometheus", "prometheus:9090")],
)
async def test_wrong_flag_is_named(world: ServeWorld, flag: str, value: str) -> None:
    """A flag with a value that cannot be ends the command with code 2 and its name."""
    world.server.arguments += (f"{flag}={value}",)
    code, said = await refused(world.server)

    assert code == 2
    assert flag in said
    assert value in said or "0.001" in said
    assert "Traceback" not in said


async def test_missing_flag_is_named(tmp_path: Path) -> None:
    """Without a route file to own, the command ends with code 2 and says which flag is missing."""
    code, said = await refused(Server(tmp_path, f"--manifests={tmp_path}"))

    assert code == 2
    assert "--rds" in said


async def test_sigterm_while_it_starts_ends_it(world: ServeWorld) -> None:
    """SIGTERM before it serves ends it, too: with a signal or with code 0, and in time."""
    await world.server.start()
    await asyncio.sleep(0)
    code, seconds = await world.server.end()

    assert code in {0, -15}
    assert seconds <= 5
