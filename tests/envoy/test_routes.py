"""The route table on a real Envoy: what it takes, refuses, misses, and what others do to its files."""

import asyncio

import pytest

from rollout.clock import SystemClock
from rollout.engine.observation import Acceptance, BackendKey, RouteKey, RouteView, RuleWeights
from rollout.envoy.admin import AdminClient, AdminOptions
from rollout.envoy.routes import EnvoyRouteTable, RouteTableOptions
from rollout.errors import ConflictError, UpdateRefused
from tests.envoy.world import EnvoyWorld, rds_yaml
from tests.waiting import until

pytestmark = pytest.mark.real

KEY = RouteKey("EnvoyRoute", "shop", "checkout")


async def shift(table: EnvoyRouteTable, v1: int, v2: int) -> RouteView:
    """Write these two weights into the route as it stands."""
    view = table.read(KEY)
    assert view is not None
    rule = RuleWeights(0, "everything", {BackendKey("shop", "v1"): v1, BackendKey("shop", "v2"): v2})
    return await table.write(KEY, [rule], expected=view.version)


async def served_version(admin: AdminClient) -> str:
    """Return the version that Envoy serves."""
    return (await admin.stats(r"rds\.local_routes\.version_text$")).texts["http.ingress.rds.local_routes.version_text"]


async def test_a_write_is_served_when_it_returns(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """The next request goes by the new weights."""
    assert await envoy.served_by("/checkout") == "v1"

    view = await shift(table, 0, 100)

    assert view.acceptance is Acceptance.ACCEPTED
    assert await envoy.served_by("/checkout") == "v2"


async def test_a_write_leaves_the_rest_of_the_file_alone(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Only the version and two numbers differ."""
    before = envoy.rds.read_text().splitlines()

    await shift(table, 30, 70)

    after = envoy.rds.read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.strip() for line in changed[1:]] == ["- {name: v1, weight: 30}", "- {name: v2, weight: 70}"]
    assert changed[0].startswith('version_info: "rollout-')


async def test_each_write_has_another_version(table: EnvoyRouteTable, admin: AdminClient) -> None:
    """Also when the weights are the same: Envoy's version can be told from the last."""
    await shift(table, 50, 50)
    first = await served_version(admin)
    await shift(table, 50, 50)

    assert await served_version(admin) != first


async def test_the_file_keeps_its_mode(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Envoy under another user must still be able to read it."""
    envoy.rds.chmod(0o604)

    await shift(table, 50, 50)

    assert envoy.rds.stat().st_mode & 0o777 == 0o604


async def test_nothing_is_left_in_the_folders(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """The watched folder has the one file, the staging folder none."""
    await shift(table, 50, 50)

    assert [path.name for path in envoy.rds.parent.iterdir()] == ["routes.yaml"]
    assert not list((envoy.folder / ".rollout-staging").iterdir())


async def test_a_refused_write_is_told_and_taken_back(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Somebody broke the file in place, unseen by Envoy; our write brings it to light and goes back.

    Envoy goes on serving what it had, and the weights in the file are the former ones.
    """
    ghost = envoy.rds.read_text().replace("- {name: v2, weight: 1}", "- {name: ghost, weight: 1}")
    envoy.rds.write_text(ghost)

    with pytest.raises(UpdateRefused) as caught:
        await shift(table, 20, 80)

    message = str(caught.value)
    assert "tried everything: v1=20, v2=80" in message
    assert "Envoy refused version rollout-" in message
    assert "the former content is back" in message
    assert "{name: v1, weight: 100}" in envoy.rds.read_text()
    assert await envoy.served_by("/checkout") == "v1"


async def test_a_refusal_names_the_cluster_that_envoy_lacks(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """The usual reason of a refusal is looked up, since Envoy tells it in its log only."""
    envoy.rds.write_text(envoy.rds.read_text().replace("{name: v2, weight: 0}", "{name: ghost, weight: 0}"))
    await until(lambda: "ghost" in str(table.read(KEY)))
    view = table.read(KEY)
    assert view is not None
    rule = RuleWeights(0, "everything", {BackendKey("shop", "v1"): 50, BackendKey("shop", "ghost"): 50})

    with pytest.raises(UpdateRefused, match="it has no cluster ghost"):
        await table.write(KEY, [rule], expected=view.version)


async def test_a_foreign_file_that_envoy_refuses_shows_as_refused(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Renamed into place by somebody else; a later good write is accepted again."""
    table.read(KEY)
    envoy.put(rds_yaml("bad", {"checkout": {"v1": 60, "v2": 40}, "other": {"ghost": 1}}))
    await until(lambda: getattr(table.read(KEY), "acceptance", None) is Acceptance.REFUSED)
    envoy.put(rds_yaml("good", {"checkout": {"v1": 60, "v2": 40}}))

    await until(lambda: getattr(table.read(KEY), "acceptance", None) is Acceptance.ACCEPTED)


async def test_weights_edited_in_place_show_as_pending(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Envoy does not see such an edit, so what the file says is not what is served; a write puts it right."""
    table.read(KEY)
    envoy.rds.write_text(envoy.rds.read_text().replace("{name: v1, weight: 100}", "{name: v1, weight: 1}"))
    await until(lambda: getattr(table.read(KEY), "acceptance", None) is Acceptance.PENDING)
    view = table.read(KEY)
    assert view is not None
    assert "edited in place" in view.message

    assert (await shift(table, 1, 1)).acceptance is Acceptance.ACCEPTED


async def test_a_comment_edited_in_place_changes_nothing(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """It stays in the file, and the next write carries it along."""
    view = table.read(KEY)
    envoy.rds.write_text(envoy.rds.read_text() + "# a note\n")

    assert (await shift(table, 10, 90)).acceptance is Acceptance.ACCEPTED
    assert envoy.rds.read_text().endswith("# a note\n")
    assert view is not None


async def test_a_foreign_edit_of_another_route_is_no_conflict(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """It is kept, and our write goes on top of it."""
    table.read(KEY)
    envoy.put(
        envoy.rds.read_text().replace("by-hand", "by-hand-2").replace("{name: v2, weight: 1}", "{name: v1, weight: 9}")
    )

    await shift(table, 10, 90)

    assert "{name: v1, weight: 9}" in envoy.rds.read_text()
    assert await envoy.served_by("/other") == "v1"


async def test_writes_to_two_routes_of_one_file_do_not_lose_each_other(
    table: EnvoyRouteTable, envoy: EnvoyWorld
) -> None:
    """They come at the same time and both are in the file."""
    other = RouteKey("EnvoyRoute", "shop", "other")
    view = table.read(other)
    assert view is not None

    write = table.write(other, [RuleWeights(1, "everything", {BackendKey("shop", "v2"): 7})], expected=view.version)
    await asyncio.gather(shift(table, 30, 70), write)

    assert "{name: v1, weight: 30}" in envoy.rds.read_text()
    assert "{name: v2, weight: 7}" in envoy.rds.read_text()


async def test_two_tables_on_one_file_conflict_instead_of_losing(
    table: EnvoyRouteTable, envoy: EnvoyWorld, admin: AdminClient
) -> None:
    """The second writer's decision was made on weights that are gone."""
    second = EnvoyRouteTable(admin, SystemClock(), RouteTableOptions((envoy.rds,), poll_seconds=60))
    await second.start()
    try:
        await shift(table, 30, 70)
        with pytest.raises(ConflictError):
            await shift(second, 99, 1)
    finally:
        await second.aclose()

    assert "{name: v1, weight: 30}" in envoy.rds.read_text()


async def test_envoy_away_keeps_the_write_for_its_return(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """The write is pending, nothing is raised; the returning Envoy serves it and it becomes accepted."""
    port = int(envoy.admin_address.rsplit(":", 1)[1])
    await envoy.kill()

    view = await shift(table, 0, 100)

    assert view.acceptance is Acceptance.PENDING
    assert "cannot be reached" in view.message
    await envoy.start(admin_port=port)
    assert await envoy.served_by("/checkout") == "v2"
    await until(lambda: getattr(table.read(KEY), "acceptance", None) is Acceptance.ACCEPTED)


async def test_envoy_killed_is_noticed_and_told(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """An accepted route becomes pending after two missed looks, and subscribers hear of it."""
    told: list[RouteKey] = []
    assert getattr(table.read(KEY), "acceptance", None) is Acceptance.ACCEPTED
    table.subscribe(told.append)

    await envoy.kill()

    await until(lambda: told)
    assert getattr(table.read(KEY), "acceptance", None) is Acceptance.PENDING


async def test_an_envoy_that_hangs_does_not_hold_a_write_for_long(envoy: EnvoyWorld) -> None:
    """After the deadline the write is pending; when Envoy goes on it is accepted."""
    admin = AdminClient(envoy.admin_address, AdminOptions(timeout_seconds=0.2))
    options = RouteTableOptions((envoy.rds,), poll_seconds=0.02, look_seconds=0.05, deadline_seconds=0.3)
    table = EnvoyRouteTable(admin, SystemClock(), options)
    await table.start()
    try:
        envoy.pause()
        async with asyncio.timeout(3):
            view = await shift(table, 0, 100)
        assert view.acceptance is Acceptance.PENDING
        envoy.go_on()
        await until(lambda: getattr(table.read(KEY), "acceptance", None) is Acceptance.ACCEPTED)
    finally:
        await table.aclose()
        await admin.aclose()


async def test_no_request_fails_while_weights_change(table: EnvoyRouteTable, envoy: EnvoyWorld) -> None:
    """Twenty changes under load: every answer is a version's own."""
    answers: list[str] = []
    done = asyncio.Event()

    async def load() -> None:
        while not done.is_set():
            answers.append(await envoy.served_by("/checkout"))

    clients = [asyncio.create_task(load()) for _ in range(4)]
    for number in range(20):
        await shift(table, number % 2, 1 - number % 2)
    done.set()
    await asyncio.gather(*clients)

    assert set(answers) == {"v1", "v2"}
