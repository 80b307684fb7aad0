"""Watching the weights in Envoy's route file."""

import asyncio
from pathlib import Path

import pytest

from rollout.demo.gateway import render
from rollout.demo.weights import Change, WeightWatch


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    """Return the demo's route file as it stands at first."""
    path = tmp_path / "routes.yaml"
    path.write_text(render("routes.yaml", {}))
    return path


def put(routes: Path, canary: int) -> None:
    """Rename a file with this weight of shop-green into place."""
    whole = routes.with_suffix(".new")
    text = render("routes.yaml", {}).replace("name: shop-green, weight: 0", f"name: shop-green, weight: {canary}")
    whole.write_text(text)
    whole.replace(routes)


def test_first_look_has_all_weights(routes: Path) -> None:
    """The weights of both routes are there from the beginning."""
    assert WeightWatch(routes).now == {
        "shop-blue": 100, "shop-green": 0, "shop-backup": 0, "cart-blue": 100, "cart-green": 0, "cart-backup": 0,
    }  # fmt: skip


async def test_change_is_kept_with_the_time_of_the_file(routes: Path) -> None:
    """A change is seen soon, and its moment is that of the rename, not of the look."""
    watch = WeightWatch(routes)
    following = asyncio.ensure_future(watch.follow())
    put(routes, 10)
    async with asyncio.timeout(5):
        while watch.now["shop-green"] != 10:
            await asyncio.sleep(0.01)
    following.cancel()

    assert watch.changes[-1].at == routes.stat().st_ctime


def test_zero_is_the_first_one_after_the_moment(routes: Path) -> None:
    """The zero before an attempt does not count, the first one after the bad answer does."""
    watch = WeightWatch(routes)
    watch.changes = [Change(at, {"shop-green": weight}) for at, weight in ((1, 0), (2, 10), (3, 25), (4, 0), (5, 0))]

    assert watch.zero_since("shop-green", 2.5) == 4
    assert watch.zero_since("shop-green", 4.5) == 5
    assert watch.zero_since("shop-green", 5.5) is None
