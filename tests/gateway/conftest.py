"""One lab for all tests of this folder, which go to one worker; and a scene of its own for each test."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from rollout.kube.api import KubeApi
from tests.gateway import objects
from tests.gateway.controller import Controller
from tests.gateway.crew import Crew
from tests.gateway.lab import Lab
from tests.gateway.scene import Scene

Open = Callable[[str], Scene]

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as real, and give it to one worker, so that one lab is enough."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.xdist_group("gateway"))
            item.add_marker(pytest.mark.timeout(120))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Start the lab."""
    running = Lab.begin()
    yield running
    running.end()


@pytest.fixture(scope="session")
def crew(lab: Lab) -> Iterator[Crew]:
    """Start who plays in it."""
    playing = Crew(lab)
    yield playing
    playing.end()


@pytest.fixture(scope="session")
def controller(lab: Lab) -> Iterator[Controller]:
    """Run the product, as its own service account."""
    running = Controller(lab)
    running.start()
    yield running
    running.end()


@pytest.fixture
async def api(lab: Lab) -> AsyncIterator[KubeApi]:
    """Open a door for the test itself."""
    door = KubeApi(lab.cluster.configuration(), random.random)
    yield door
    await door.aclose()


@pytest.fixture
def opened(crew: Crew, api: KubeApi) -> Open:
    """Open a scene at one of the Gateways."""

    def at(edge: str) -> Scene:
        name = f"shop-{next(_numbers)}"
        crew.lab.cluster.make_namespace(name)
        return Scene(crew, api, name, edge)

    return at


@pytest.fixture
def scene(opened: Open) -> Scene:
    """Open a scene at the Gateway that keeps one cluster for each backend."""
    return opened(objects.SEPARATE)


@pytest.fixture
def shared_scene(opened: Open) -> Scene:
    """Open a scene at the Gateway that keeps one cluster for all backends of a rule."""
    return opened(objects.SHARED)
