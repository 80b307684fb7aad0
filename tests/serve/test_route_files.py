"""The user's RDS file beside the command: broken, lacking, mended, edited by others, refused by Envoy, Envoy away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.envoy.world import rds_yaml
from tests.serve.world import ServeWorld, manifest, serve_world

pytestmark = [pytest.mark.real, pytest.mark.timeout(90)]

QUICK = ((20, "1s"), (50, "1s"))
LONG = ((20, "60s"),)
WEIGHTS = {"checkout-v1": 100, "checkout-v2": 0}
GOOD = rds_yaml("by-hand", {"checkout": WEIGHTS})
AT_STEP_1 = {"checkout-v1": 80, "checkout-v2": 20}
LACKS_ROUTE = GOOD.replace("name: checkout\n", "name: other\n")
LACKS_CLUSTER = GOOD.replace("name: checkout-v2", "name: somebody-else")
DOES_NOT_PARSE = GOOD.replace("weight: 100}", "weight: 100")
NO_NUMBER = GOOD.replace("weight: 100}", "weight: many}")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ServeWorld]:
    """Envoy with the route `checkout`, and `rollout serve`, not started."""
    async with serve_world(tmp_path, "checkout") as world:
        yield world


def line_of(text: str, word: str) -> int:
    """Return the 1-based number of the first line with `word` in it."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if word in line)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        pytest.param(DOES_NOT_PARSE, ("routes.yaml:",), id="does not parse"),
        pytest.param(NO_NUMBER, (f"routes.yaml:{line_of(NO_NUMBER, 'many')}:", "weight", "many"), id="no number"),
        pytest.param(LACKS_ROUTE, ("routes.yaml", "no route named checkout", "other"), id="lacks the route"),
        pytest.param(LACKS_CLUSTER, ("spec.routes[0]", "checkout-v2"), id="lacks a cluster"),
    ],
)
async def test_broken_file_makes_it_invalid_until_it_is_mended(
    world: ServeWorld, broken: str, words: tuple[str, ...]
) -> None:
    """A file that cannot be used makes the Rollout Invalid, says where, and is left alone; mended, all is well."""
    world.envoy.put(broken)
    world.put(manifest("checkout", revision="1", steps=LONG))
    await world.server.serving()
    message = str((await world.in_phase("Invalid"))["message"])

    for word in words:
        assert word in message
    assert world.envoy.rds.read_text() == broken

    world.envoy.put(GOOD.replace("by-hand", "mended"))
    await world.adopted()

    assert world.phase() == "Idle"


async def test_file_broken_during_an_attempt_stops_it_and_mended_it_goes_on(world: ServeWorld) -> None:
    """An attempt whose file breaks is Invalid and writes nothing; with the file mended it ends as planned."""
    world.put(manifest("checkout", revision="1", steps=QUICK))
    await world.server.serving()
    await world.adopted()
    async with world.load():
        world.put(manifest("checkout", revision="2", steps=QUICK))
        await world.weights_are(AT_STEP_1)
        good = world.envoy.rds.read_text()
        world.envoy.put("resources: [")
        await world.in_phase("Invalid")

        assert world.envoy.rds.read_text() == "resources: ["

        world.envoy.put(good)
        await world.in_phase("Idle")

    assert world.weights() == {"checkout-v1": 0, "checkout-v2": 100}


async def test_everything_beside_weights_and_version_stays(world: ServeWorld) -> None:
    """After a whole attempt the file differs in the weights and the version and nowhere else, to the byte."""
    odd = GOOD.replace("resources:", "# mine; ends with blanks   \n\nresources:   # list\n# 'quoted' \"twice\"")
    odd = odd.replace("weight: 100}", "weight:   100 }   # most").replace("\n", "\r\n", 1)
    world.envoy.put(odd)
    world.put(manifest("checkout", revision="1", steps=QUICK))
    await world.server.serving()
    await world.adopted()
    async with world.load():
        world.put(manifest("checkout", revision="2", steps=QUICK))
        await world.in_phase("Progressing")
        await world.in_phase("Idle")
    after = world.envoy.rds.read_bytes().decode()
    version = after.split('"')[1]
    wanted = odd.replace("by-hand", version).replace("weight:   100 }", "weight:   0 }")
    wanted = wanted.replace("checkout-v2, weight: 0}", "checkout-v2, weight: 100}")

    assert after == wanted


async def test_envoy_that_is_away_at_the_start_is_waited_for(world: ServeWorld) -> None:
    """Without Envoy nothing starts and nothing breaks; when it comes, the attempt goes its way."""
    port = int(world.envoy.admin_address.rpartition(":")[2])
    await world.envoy.kill()
    world.put(manifest("checkout", revision="1", steps=QUICK))
    await world.server.serving()
    await world.adopted()
    world.put(manifest("checkout", revision="2", steps=QUICK))
    await world.in_phase("Progressing")
    await world.server.until(lambda: world.status().get("reason") in {"CanaryNotReady", "WaitingForRoutes"})

    assert world.weights() == WEIGHTS

    await world.envoy.start(admin_port=port)
    async with world.load():
        status = await world.in_phase("Idle", seconds=30)

    assert status["reason"] == "Promoted"


async def test_what_envoy_refuses_is_taken_back_and_said(world: ServeWorld) -> None:
    """Weights in a file that Envoy refuses are taken back and said; with the file mended the attempt goes its way."""
    world.put(manifest("checkout", revision="1", steps=QUICK))
    await world.server.serving()
    await world.adopted()
    bad = rds_yaml("by-hand-2", {"checkout": WEIGHTS, "new": {"nobody": 1}})
    world.envoy.put(bad)
    world.put(manifest("checkout", revision="2", steps=QUICK))
    await world.in_phase("Progressing")
    line = await world.server.said("pass failed", "former content is back", seconds=20)
    await world.server.until(lambda: world.status().get("reason") == "WaitingForWrite")
    await world.weights_are(WEIGHTS)

    assert "checkout-v1=80, checkout-v2=20" in str(line["why"])
    assert "refused" in str(line["why"])
    assert (await world.envoy_weights())["checkout"] == WEIGHTS

    world.envoy.put(rds_yaml("by-hand-3", {"checkout": WEIGHTS}))
    async with world.load():
        status = await world.in_phase("Idle", seconds=30)

    assert status["reason"] == "Promoted"


async def test_cluster_that_envoy_does_not_have_gets_nothing(world: ServeWorld) -> None:
    """A canary that is no cluster of Envoy's is not ready: the attempt waits, and the file is left alone."""
    ghost = rds_yaml("by-hand", {"checkout": {"checkout-v1": 100, "nobody": 0}})
    world.envoy.put(ghost)
    text = manifest("checkout", revision="1", steps=LONG).replace("checkout-v2", "nobody")
    world.put(text)
    await world.server.serving()
    await world.adopted()
    world.put(text.replace('"revision": "1"', '"revision": "2"'))
    await world.server.until(lambda: world.status().get("reason") == "CanaryNotReady")

    assert world.envoy.rds.read_text() == ghost
    assert "nobody" in str(world.status()["message"])
