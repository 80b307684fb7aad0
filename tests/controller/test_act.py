"""Facts about writes: which conflicts are tried again, how often, and which are somebody else's word."""

from collections.abc import Callable

import pytest

from rollout.controller.act import MOST_TRIES, write
from rollout.engine.drift import RouteWrite
from rollout.engine.observation import RouteView, RuleWeights
from rollout.errors import ConflictError, NotOursError
from tests.controller.builders import ROUTE, V1, V2, ContestedRoutes, backend


def _routes() -> ContestedRoutes:
    routes = ContestedRoutes()
    routes.put(ROUTE, {V1: 100, V2: 0, "elsewhere": 1})
    return routes


def _wanted(routes: ContestedRoutes) -> RouteWrite:
    rule = RuleWeights(0, "rule-0", {backend(V1): 90, backend(V2): 10})
    return RouteWrite(ROUTE, _view(routes).version, (rule,), ((V1, 90), (V2, 10)))


def _view(routes: ContestedRoutes) -> RouteView:
    view = routes.read(ROUTE)
    assert view is not None
    return view


def _by_others(routes: ContestedRoutes, **weights: int) -> Callable[[], None]:
    given = {V1: 100, V2: 0, "elsewhere": 1, **weights}
    return lambda: routes.put(ROUTE, given)


async def test_an_uncontested_write_is_taken() -> None:
    """The view that comes back has the weights, foreign refs untouched."""
    routes = _routes()
    view = await write(routes, _wanted(routes), urgent=False)

    assert [ref.weight for ref in view.rules[0].refs] == [90, 10, 1]


async def test_a_change_of_something_else_is_tried_again_at_once() -> None:
    """When somebody changed what is not ours, the write goes over the newer route."""
    routes = _routes()
    routes.contest.append(_by_others(routes, elsewhere=7))
    view = await write(routes, _wanted(routes), urgent=False)

    assert [ref.weight for ref in view.rules[0].refs] == [90, 10, 7]


async def test_five_conflicts_in_a_row_are_the_end() -> None:
    """After five tries the conflict is told, and nothing was written."""
    routes = _routes()
    routes.contest.extend(_by_others(routes, elsewhere=turn) for turn in range(MOST_TRIES))

    with pytest.raises(ConflictError):
        await write(routes, _wanted(routes), urgent=False)
    assert (routes.writes, len(routes.contest)) == ([], 0)


async def test_the_fifth_try_may_be_taken() -> None:
    """Four conflicts in a row do not keep a write from being done."""
    routes = _routes()
    routes.contest.extend(_by_others(routes, elsewhere=turn) for turn in range(MOST_TRIES - 1))
    await write(routes, _wanted(routes), urgent=False)

    assert len(routes.writes) == 1


async def test_a_change_of_our_weights_is_not_written_over() -> None:
    """When somebody changed our weights meanwhile, the next decision must know it first."""
    routes = _routes()
    routes.contest.append(_by_others(routes, **{V1: 50, V2: 50}))

    with pytest.raises(ConflictError):
        await write(routes, _wanted(routes), urgent=False)
    assert [ref.weight for ref in _view(routes).rules[0].refs] == [50, 50, 1]


async def test_an_urgent_write_goes_over_changed_weights() -> None:
    """An abort is written whatever our weights were changed to."""
    routes = _routes()
    routes.contest.append(_by_others(routes, **{V1: 50, V2: 50}))
    view = await write(routes, _wanted(routes), urgent=True)

    assert [ref.weight for ref in view.rules[0].refs] == [90, 10, 1]


async def test_a_route_that_is_deleted_meanwhile_is_not_ours() -> None:
    """A route that vanishes between two tries is gone, which is no conflict."""
    routes = _routes()
    wanted = _wanted(routes)
    before = _view(routes)

    class Vanishing(ContestedRoutes):
        async def write(self, *_: object, **__: object) -> RouteView:
            self.take_away(ROUTE)
            raise ConflictError("changed")

    vanishing = Vanishing()
    vanishing.put(ROUTE, {ref.backend.name: ref.weight for ref in before.rules[0].refs})

    with pytest.raises(NotOursError, match="is gone"):
        await write(vanishing, wanted, urgent=True)
