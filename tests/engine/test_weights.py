"""Facts about weights: how a total is split, which rules are owned, and where the floor stands."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.observation import BackendKey, Ref, RouteView, Rule
from rollout.engine.state import OwnedRule, State, Weights
from rollout.engine.weights import (
    FLOOR_TOTAL,
    allocate,
    as_sentence,
    desired,
    find_rules,
    keep_totals,
    observed,
    weights_in,
)
from rollout.spec.resource import Gateway
from tests.engine.builders import DR, ROUTE, V1, V2, backend, rollout, route, rule, weighing

SHARES = st.lists(st.just(0.0) | st.floats(min_value=1e-6, max_value=1e6), min_size=1, max_size=8).filter(any)
TOTALS = st.integers(min_value=8, max_value=1_000_000)


@given(SHARES, TOTALS)
def test_an_allocation_sums_to_its_total(shares: list[float], total: int) -> None:
    """Whatever the shares are, the weights sum to the total."""
    given_out = allocate(tuple(shares), total)

    assert sum(given_out) == total


@given(SHARES, TOTALS)
def test_only_a_share_of_zero_gets_zero(shares: list[float], total: int) -> None:
    """Zero stays zero, and a share above zero never rounds to zero."""
    given_out = allocate(tuple(shares), total)

    assert [weight > 0 for weight in given_out] == [share > 0 for share in shares]


def test_shares_that_fit_are_given_as_they_are() -> None:
    """95 and 5 of 100 are 95 and 5."""
    assert allocate((95.0, 5.0), 100) == (95, 5)


def test_a_tiny_share_gets_one() -> None:
    """A tenth of a percent of 100 is 1, taken from the largest."""
    assert allocate((99.9, 0.1), 100) == (99, 1)


def test_many_tiny_shares_are_taken_from_the_largest() -> None:
    """Where the shares of the tiny are raised to 1, the largest gives what is too much."""
    assert allocate((98.0, 1.0, 0.1, 0.1, 0.1), 10) == (6, 1, 1, 1, 1)


def test_equal_shares_differ_by_the_remainder_only() -> None:
    """Three equal shares of 100 are 34, 33 and 33."""
    assert allocate((1.0, 1.0, 1.0), 100) == (34, 33, 33)


def test_all_rules_that_name_both_backends_are_owned_by_default() -> None:
    """Without a rule in the spec, a rule that names only one of the pair is left alone."""
    view = route(rule({V1: 100, V2: 0}), rule({V1: 1}, index=1), rule({V2: 0, V1: 100}, index=2))

    owned, missing = find_rules(rollout().spec, "shop", {ROUTE: view})

    assert [one.index for one in owned] == [0, 2]
    assert missing == ()


def _owned(view: RouteView | None, **spec: object) -> tuple[tuple[OwnedRule, ...], tuple[str, ...]]:
    return find_rules(rollout(**spec).spec, "shop", {ROUTE: view})


def _at(**ref: object) -> list[dict[str, object]]:
    return [{"kind": "HTTPRoute", "name": "checkout", **ref}]


def test_a_rule_is_found_by_its_name() -> None:
    """A rule named in the spec is the one that is owned, wherever it stands."""
    view = route(rule({V1: 100, V2: 0}), rule({V1: 100, V2: 0}, index=1, name="main"))

    owned, _ = _owned(view, routes=_at(rule="main"))

    assert [(one.index, one.name) for one in owned] == [(1, "main")]


def test_a_rule_is_found_by_its_index() -> None:
    """A rule given by number in the spec is the one that is owned, whatever others name both backends."""
    view = route(rule({V1: 100, V2: 0}), rule({V1: 100, V2: 0}, index=1))

    owned, _ = _owned(view, routes=_at(rule=1))

    assert [one.index for one in owned] == [1]


def test_a_missing_route_is_said() -> None:
    """A route that does not exist is a problem at its place in the spec."""
    owned, missing = _owned(None)

    assert owned == ()
    assert missing == ("spec.routes[0]: HTTPRoute shop/checkout does not exist",)


def test_a_missing_named_rule_is_said() -> None:
    """A rule that the route lacks is a problem that names it."""
    _, missing = _owned(weighing(100, 0), routes=_at(rule="main"))

    assert missing == ("spec.routes[0]: HTTPRoute shop/checkout has no rule 'main'",)


def test_a_route_without_the_pair_is_said() -> None:
    """Without a rule in the spec, a route no rule of which names both backends is a problem."""
    _, missing = _owned(route(rule({V1: 1})))

    assert missing == (f"spec.routes[0]: HTTPRoute shop/checkout has no rule that names both {V1} and {V2}",)


def test_a_missing_backend_is_said() -> None:
    """A rule that the spec asks for and that lacks a backend is a problem that names both."""
    _, missing = _owned(route(rule({V1: 1}, name="main")), routes=_at(rule="main"))

    assert missing == (f"spec.routes[0]: rule main of HTTPRoute shop/checkout does not name backend {V2}",)


def test_a_route_of_another_namespace_is_looked_for_there() -> None:
    """The namespace of a route in the spec wins over the Rollout's."""
    _, missing = _owned(weighing(100, 0), routes=_at(namespace="edge"))

    assert missing == ("spec.routes[0]: HTTPRoute edge/checkout does not exist",)


def test_a_port_tells_two_refs_of_one_service_apart() -> None:
    """A backend with a port in the spec is the ref with this port, and no other."""
    rules = rule({V1: 100, V2: 0})
    other = Ref(backend(V1, port=9090), 7)
    ported = Rule(0, "", (*(replace(ref, backend=replace(ref.backend, port=8080)) for ref in rules.refs), other))

    assert weights_in(ported, (BackendKey("shop", V1, 8080),)) == ((V1, 100),)


def test_refs_of_the_same_backend_count_together() -> None:
    """Two refs of one backend in a rule are one weight."""
    twice = Rule(0, "", (Ref(backend(V1), 30), Ref(backend(V1), 20)))

    assert weights_in(twice, (backend(V1),)) == ((V1, 50),)


def test_the_total_is_what_the_route_says() -> None:
    """Our weights go on to sum to what they summed to when found, whatever foreign refs have."""
    owned, _ = _owned(weighing(40, 0, else_where=60))

    assert (owned[0].total, owned[0].alone) == (40, False)


def test_a_route_without_weights_gets_the_precision() -> None:
    """Where our refs sum to less than one each, the total is `spec.precision`."""
    owned, _ = _owned(weighing(0, 0), precision=1000)

    assert owned[0].total == 1000


def test_backups_in_the_rule_are_owned() -> None:
    """A backup that the rule names is owned as well, and one that it does not name is not missed."""
    backups = {"stable": {"name": V1}, "canary": {"name": V2}, "backups": [{"name": DR}, {"name": "elsewhere"}]}

    owned, missing = _owned(weighing(100, 0, checkout_dr=0), backends=backups)

    assert [one.name for one in owned[0].backends] == [V1, V2, DR]
    assert missing == ()


RULE = OwnedRule(ROUTE, 0, "", 100, (backend(V1), backend(V2)), alone=True)


def test_a_known_rule_keeps_its_total_and_its_last_write() -> None:
    """What a rule summed to when adopted stays, whatever the route says later."""
    known = replace(RULE, total=1000, acknowledged=((V1, 1000), (V2, 0)))

    assert keep_totals((RULE,), (known,)) == (known,)


def test_a_rule_seen_first_is_taken_as_found() -> None:
    """A rule that was not owned before comes with its own total."""
    other = replace(RULE, name="other")

    assert keep_totals((other,), (RULE,)) == (other,)


def _state(**fields: object) -> State:
    both = ((V1, "Healthy"), (V2, "Healthy"))
    return replace(State(stable=V1, canary=V2, ready=both), **fields)  # type: ignore[arg-type]


def _parked(**fields: object) -> State:
    gateway = Gateway.model_validate({"separateClusters": True})
    return _state(**{"gateway": gateway, "attempt": 1, "parked": True, **fields})


def test_the_canary_gets_its_share_and_stable_the_rest() -> None:
    """A share of 5 % of 100 is 95 to 5."""
    assert desired(RULE, _state(share=5.0)) == ((V1, 95), (V2, 5))


def test_roles_decide_and_not_the_order() -> None:
    """After a promotion the second backend of the rule is stable and gets the weight."""
    assert desired(RULE, _state(stable=V2, canary=V1, share=10.0)) == ((V1, 10), (V2, 90))


def test_a_backup_gets_nothing() -> None:
    """A backend without a role has no weight."""
    three = replace(RULE, backends=(*RULE.backends, backend(DR)))

    assert desired(three, _state(share=50.0)) == ((V1, 50), (V2, 50), (DR, 0))


def test_a_parked_canary_stands_at_the_floor() -> None:
    """Where each backend has its own cluster, the canary without weight has 1 of 1,000,000."""
    assert desired(RULE, _parked()) == ((V1, FLOOR_TOTAL - 1), (V2, 1))


def test_a_parked_stable_stands_at_the_floor() -> None:
    """So does stable when the canary has all."""
    assert desired(RULE, _parked(share=100.0)) == ((V1, 1), (V2, FLOOR_TOTAL - 1))


def test_what_has_weight_is_not_moved_to_the_floor() -> None:
    """The floor changes nothing where both have weight."""
    assert desired(RULE, _parked(share=5.0)) == ((V1, 950_000), (V2, 50_000))


def test_no_floor_beside_foreign_refs() -> None:
    """Where others have weight in the rule, too, the total stays and nothing is parked."""
    assert desired(replace(RULE, alone=False), _parked()) == ((V1, 100), (V2, 0))


def test_no_floor_without_ready_endpoints() -> None:
    """A backend without ready endpoints is not parked: it would answer with errors."""
    down = ((V1, "Healthy"), (V2, "Unhealthy"))

    assert desired(RULE, _parked(ready=down)) == ((V1, FLOOR_TOTAL), (V2, 0))


def test_no_floor_once_the_attempt_is_done() -> None:
    """Not parked, the canary gets the true zero."""
    assert desired(RULE, _parked(parked=False)) == ((V1, FLOOR_TOTAL), (V2, 0))


def test_what_is_observed_is_what_the_rule_says() -> None:
    """The weights of our backends are read in our order, others left out."""
    view = weighing(95, 5, elsewhere=7)

    assert observed(RULE, {ROUTE: view}) == ((V1, 95), (V2, 5))


def test_a_rule_is_found_again_by_name_where_it_has_one() -> None:
    """A named rule that moved is read where it stands now."""
    view = route(rule({"other": 1}), rule({V1: 95, V2: 5}, index=1, name="main"))

    assert observed(replace(RULE, name="main"), {ROUTE: view}) == ((V1, 95), (V2, 5))


def test_nothing_is_observed_where_something_is_gone() -> None:
    """A route, a rule or a backend that is gone gives None and never a guess."""
    gone: list[Weights | None] = [
        observed(RULE, {ROUTE: None}),
        observed(RULE, {}),
        observed(replace(RULE, index=3), {ROUTE: weighing(95, 5)}),
        observed(RULE, {ROUTE: route(rule({V1: 1}))}),
    ]

    assert gone == [None, None, None, None]


def test_weights_read_as_a_sentence() -> None:
    """People read backend and weight, one after the other."""
    assert as_sentence(((V1, 95), (V2, 5))) == f"{V1} 95, {V2} 5"


def test_a_rule_that_names_nobody_with_a_share_is_left_as_it_was() -> None:
    """Never all zero, and never a guess."""
    rule_ = OwnedRule(ROUTE, 0, "", 100, (backend(V2),), alone=True, acknowledged=((V2, 7),))

    assert desired(rule_, State(stable=V1, canary="")) == ((V2, 7),)
