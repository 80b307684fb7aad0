"""Files that cannot be used: what is said of them, without any Envoy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import BackendKey, RouteKey, RuleWeights
from rollout.envoy.admin import AdminClient
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.errors import NotOursError
from tests.envoy.world import rds_yaml
from tests.waiting import until

KEY = RouteKey("EnvoyRoute", "shop", "checkout")


@pytest.fixture
async def lonely(tmp_path: Path) -> AsyncIterator[EnvoyRouteTable]:
    """A table over a file `rds/routes.yaml`, with no Envoy at all."""
    (tmp_path / "rds").mkdir()
    (tmp_path / "rds" / "routes.yaml").write_text(rds_yaml("1", {"checkout": {"v1": 100, "v2": 0}}))
    admin = AdminClient("127.0.0.1:1")
    options = RouteTableOptions((tmp_path / "rds" / "routes.yaml",), poll_seconds=0.01)
    table = EnvoyRouteTable(admin, SystemClock(), options)
    await table.start()
    yield table
    await table.aclose()
    await admin.aclose()


async def test_a_file_that_does_not_parse_is_explained(lonely: EnvoyRouteTable, tmp_path: Path) -> None:
    """File and line are named, the route reads as None, and it comes back with a good file."""
    good = (tmp_path / "rds" / "routes.yaml").read_text()
    assert lonely.read(KEY) is not None
    (tmp_path / "rds" / "routes.yaml").write_text(good + "  - [\n")

    await until(lambda: lonely.read(KEY) is None)
    assert "rds/routes.yaml:19: does not parse" in lonely.explain(KEY)
    (tmp_path / "rds" / "routes.yaml").write_text(good)
    await until(lambda: lonely.read(KEY) is not None)
    assert lonely.explain(KEY) == ""


async def test_a_route_that_is_not_there_is_explained(lonely: EnvoyRouteTable, tmp_path: Path) -> None:
    """The files and the names that are there are told."""
    explained = lonely.explain(RouteKey("EnvoyRoute", "shop", "chekout"))

    assert explained == f"no route named chekout with weighted_clusters in {tmp_path}/rds/routes.yaml (there: checkout)"


async def test_another_kind_of_route_is_explained(lonely: EnvoyRouteTable) -> None:
    """Routes of the Gateway API are not in these files."""
    key = RouteKey("HTTPRoute", "shop", "checkout")

    assert lonely.read(key) is None
    assert "EnvoyRoute" in lonely.explain(key)


async def test_a_route_with_a_problem_is_explained_and_told(lonely: EnvoyRouteTable, tmp_path: Path) -> None:
    """Line and field are named; a write says that the route is not there to be written."""
    view = lonely.read(KEY)
    told: list[RouteKey] = []
    lonely.subscribe(told.append)
    path = tmp_path / "rds" / "routes.yaml"
    path.write_text(path.read_text().replace("weight: 100", "weight: many"))

    await until(lambda: told)
    explained = lonely.explain(KEY)
    assert ":16: resources[0].virtual_hosts[0].routes[0].route.weighted_clusters.clusters[0].weight" in explained
    assert "given: many" in explained
    assert view is not None
    rule = RuleWeights(0, "everything", {BackendKey("shop", "v1"): 1})
    with pytest.raises(NotOursError):
        await lonely.write(KEY, [rule], expected=view.version)


async def test_a_missing_file_is_explained(lonely: EnvoyRouteTable, tmp_path: Path) -> None:
    """Deleting the file takes the route away (Envoy itself goes on with what it had)."""
    (tmp_path / "rds" / "routes.yaml").unlink()

    await until(lambda: lonely.read(KEY) is None)
    assert "cannot be read" in lonely.explain(KEY)


async def test_a_route_in_two_files_is_refused(tmp_path: Path) -> None:
    """One write cannot change two files at once."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "routes.yaml").write_text(rds_yaml("1", {"checkout": {"v1": 1}}))
    admin = AdminClient("127.0.0.1:1")
    files = (tmp_path / "one" / "routes.yaml", tmp_path / "two" / "routes.yaml")
    table = EnvoyRouteTable(admin, SystemClock(), RouteTableOptions(files))
    await table.start()
    try:
        assert table.read(KEY) is None
        assert "allowed: one file" in table.explain(KEY)
    finally:
        await table.aclose()
        await admin.aclose()
