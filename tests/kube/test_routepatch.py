"""The weights of a write as a JSON Patch."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.engine.observation import BackendKey, RuleWeights
from rollout.engine.weights import weights_in
from rollout.errors import NotOursError, PermanentError, UpdateRefused
from rollout.kube.routepatch import MOST_WEIGHT, operations
from rollout.kube.routeview import kept, view_of
from tests.kube.routedocuments import KEY, ref, route, rule

V1, V2 = BackendKey("shop", "v1", 8080), BackendKey("shop", "v2", 8080)
TEST_VERSION = {"op": "test", "path": "/metadata/resourceVersion", "value": "17"}
MAIN = rule(ref("v1", 90), ref("v2", 10), ref("v3", 5), name="main")


def weights(v1: int, v2: int, *, index: int = 0, name: str = "main") -> list[RuleWeights]:
    """Return a write of these weights."""
    return [RuleWeights(index, name, {V1: v1, V2: v2})]


def applied(document: Mapping[str, Any], patch: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document after the patch, as RFC 6902 says for the operations that we use."""
    changed = copy.deepcopy(dict(document))
    for operation in patch:
        *path, last = [int(part) if part.isdecimal() else part for part in operation["path"].split("/")[1:]]
        holder: Any = changed
        for part in path:
            holder = holder[part]
        if operation["op"] == "test":
            assert holder[last] == operation["value"]
        else:
            assert (last in holder) == (operation["op"] == "replace")
            holder[last] = operation["value"]
    return changed


def test_a_weight_is_replaced_where_its_ref_is_tested() -> None:
    """The version is tested first; the foreign ref is not even looked at."""
    patch = operations(KEY, route(MAIN), weights(75, 25))

    assert patch == (
        TEST_VERSION,
        {"op": "test", "path": "/spec/rules/0/backendRefs/0/name", "value": "v1"},
        {"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 75},
        {"op": "test", "path": "/spec/rules/0/backendRefs/1/name", "value": "v2"},
        {"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 25},
    )


def test_only_weights_that_differ_are_written() -> None:
    """The other's ref is left alone, too."""
    patch = operations(KEY, route(MAIN), weights(90, 25))

    assert [operation["path"] for operation in patch] == [
        "/metadata/resourceVersion",
        "/spec/rules/0/backendRefs/1/name",
        "/spec/rules/0/backendRefs/1/weight",
    ]


def test_weights_that_are_there_need_no_patch() -> None:
    """Nothing is then to be sent."""
    assert operations(KEY, route(MAIN), weights(90, 10)) == ()


def test_a_weight_that_is_absent_is_added() -> None:
    """To replace what is not there is an error of RFC 6902; 1 is what it meant and needs no write."""
    patch = operations(KEY, route(rule(ref("v1", None), ref("v2", None))), weights(1, 9, name=""))

    assert patch[1:] == (
        {"op": "test", "path": "/spec/rules/0/backendRefs/1/name", "value": "v2"},
        {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 9},
    )


def test_both_kinds_and_all_rules_go_into_one_patch() -> None:
    """Several rules of a route change together, behind one test of the version."""
    wanted = [*weights(1, 99), *weights(2, 98, index=1, name="")]

    patch = operations(KEY, route(MAIN, rule(ref("v2", 0), ref("v1", 100))), wanted)

    assert [operation["path"] for operation in patch if operation["op"] == "replace"] == [
        "/spec/rules/0/backendRefs/0/weight",
        "/spec/rules/0/backendRefs/1/weight",
        "/spec/rules/1/backendRefs/0/weight",
        "/spec/rules/1/backendRefs/1/weight",
    ]


def test_a_rule_is_found_again_by_its_name() -> None:
    """Somebody put another rule before it."""
    patch = operations(KEY, route(rule(ref("v1")), MAIN), weights(75, 25))

    assert patch[1]["path"] == "/spec/rules/1/backendRefs/0/name"


def test_of_two_rules_of_one_name_the_one_in_its_place_is_meant() -> None:
    """Old releases of the Gateway API let two rules have one name."""
    patch = operations(KEY, route(MAIN, MAIN), weights(75, 25, index=1))

    assert patch[1]["path"] == "/spec/rules/1/backendRefs/0/name"


@pytest.mark.parametrize("port", [0, 8080])
def test_a_port_that_the_spec_leaves_out_is_the_refs_own(port: int) -> None:
    """A Rollout may name a backend by its name alone."""
    wanted = [RuleWeights(0, "main", {BackendKey("shop", "v1", port): 7})]

    assert operations(KEY, route(MAIN), wanted)[2]["value"] == 7


@pytest.mark.parametrize(
    ("now", "wanted", "expected"), [((50, 40), 45, [25, 20]), ((0, 0), 45, [45, 0]), ((1, 3), 0, [0, 0])]
)
def test_several_refs_to_one_backend_share_its_weight_as_before(
    now: tuple[int, int], wanted: int, expected: list[int]
) -> None:
    """The same backend may stand in a rule twice, with other filters; the weight of a Rollout is their sum."""
    document = route(rule(ref("v1", now[0]), ref("v2", 10), ref("v1", now[1]), name="main"))

    after = view_of(KEY, applied(document, operations(KEY, document, [RuleWeights(0, "main", {V1: wanted})])))

    assert [told.weight for told in after.rules[0].refs if told.backend == V1] == expected


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (weights(1, 2, name="gone"), "the rule gone of HTTPRoute shop/web is gone"),
        (weights(1, 2, index=7, name=""), "the rule 7 of HTTPRoute shop/web is gone"),
        (
            [RuleWeights(0, "main", {BackendKey("shop", "v9", 80): 1})],
            "the rule main of HTTPRoute shop/web does not name the backend shop/v9:80 any more",
        ),
        (
            [RuleWeights(0, "main", {BackendKey("bank", "v1"): 1})],
            "the rule main of HTTPRoute shop/web does not name the backend bank/v1 any more",
        ),
    ],
)
def test_what_is_gone_is_not_ours(wanted: list[RuleWeights], why: str) -> None:
    """The message says what is gone of which route."""
    with pytest.raises(NotOursError, match=why):
        operations(KEY, route(MAIN), wanted)


@pytest.mark.parametrize("weight", [-1, MOST_WEIGHT + 1])
def test_weights_that_the_gateway_api_does_not_know_are_refused(weight: int) -> None:
    """They would be refused by the API server too, in more words."""
    with pytest.raises(PermanentError, match=f"v1 {weight}: a weight is from 0 to 1000000"):
        operations(KEY, route(MAIN), weights(weight, 1))


def test_a_rule_that_would_serve_nobody_is_refused() -> None:
    """The API server would take it, and every request would fail."""
    with pytest.raises(UpdateRefused, match="no weight above 0"):
        operations(KEY, route(rule(ref("v1", 1), ref("v2", 1), name="main")), weights(0, 0))


def test_a_foreign_weight_lets_ours_be_zero() -> None:
    """The rule then still serves."""
    assert len(operations(KEY, route(MAIN), weights(0, 0))) == 5


_refs = st.builds(
    ref,
    st.sampled_from(["v1", "v2", "v3"]),
    st.none() | st.integers(0, 100),
    filters=st.lists(st.just({"type": "RequestMirror"}), max_size=1),
    namespace=st.sampled_from(["shop", "bank"]),
)
_rules = st.lists(st.builds(lambda refs, extra: rule(*refs, timeouts=extra), st.lists(_refs, max_size=5), st.text()))


@given(rules=_rules, v1=st.integers(0, 1000), v2=st.integers(1, 1000))
def test_whatever_the_route_its_weights_arrive_and_nothing_else_changes(
    rules: list[dict[str, Any]], v1: int, v2: int
) -> None:
    """The patch, made of what stays in memory, changes weights of the named rule only, to what was wanted."""
    document = route(*rules, rule(ref("v1", None), ref("v2", 3), ref("v4", 4)))
    wanted = RuleWeights(len(rules), "", {V1: v1, V2: v2})

    after = applied(document, operations(KEY, kept(document), [wanted]))

    assert weights_in(view_of(KEY, after).rules[-1], (V1, V2)) == (("v1", v1), ("v2", v2))
    refs = after["spec"]["rules"][-1]["backendRefs"]
    refs[0].pop("weight", None)
    refs[1]["weight"] = 3
    assert after == document
